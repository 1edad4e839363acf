package torture

import "time"

type key struct{ from, id string }

// message is what the history says of one message.
type message struct {
	key
	sent     sending
	attempts []attempt
	outcomes int           // second answers, to the receipts that were asked for
	refusals int           // answers that were errors, or said that some recipients refuse it
	partial  bool          // some recipients have refused it, and others not
	open     bool          // the last attempt has no final answer
	excused  bool          // a gap was found for it
	unheard  time.Duration // when its receipt should have been there and was not; 0 for never
	kept     time.Duration // when it was first told to be stored safely; never if not
	answered time.Duration // when it was first told anything but an error
	owed     int           // how many recipients an ack promised, at the most
	seen     []seen
}

// sending is what a message is sent with.
type sending struct {
	at            time.Duration // of the first attempt
	to            *Target
	key           string
	sum           uint64
	n             int
	ttl, priority int
	receipt       bool
}

// attempt is one time that a message was sent. It ends with an answer or with
// the connection.
type attempt struct {
	at, answered, closed time.Duration
	refused              bool // nothing of it was kept
	queued               bool // it waits for its recipient ...
	outcome              bool // ... and then there was a second answer
}

// seen is what one recipient got of a message.
type seen struct {
	client  string
	first   time.Duration // of any reception
	visible time.Duration // of the first one that the SDK's rules let through
	passing bool          // that one had no seq: the gateway does not know it when it comes again
	epoch   int           // of the last reception with a seq, in recipient.epochs ...
	seq     uint64        // ... and its seq, 0 for none
}

// never is later than all events.
const never = time.Duration(1<<63 - 1)

func (m *message) last() *attempt { return &m.attempts[len(m.attempts)-1] }

func (m *message) at(client string) *seen {
	for i := range m.seen {
		if m.seen[i].client == client {
			return &m.seen[i]
		}
	}
	return nil
}

func (m *message) visibleAt(client string) bool {
	s := m.at(client)
	return s != nil && s.visible != never
}

// mayHaveArrived reports whether an attempt up to t was not refused.
func (m *message) mayHaveArrived(t time.Duration) bool {
	for _, a := range m.attempts {
		if a.at <= t && !a.refused {
			return true
		}
	}
	return false
}

func (m *message) expiredBy(t time.Duration) bool {
	return m.sent.ttl > 0 && t+slack >= m.sent.at+time.Duration(m.sent.ttl)*time.Second
}
