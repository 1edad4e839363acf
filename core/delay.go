package core

import "sync/atomic"

// MaxLimitKey is the most bytes that a Message.LimitKey may have.
const MaxLimitKey = 128

// Room bounds the messages that wait for their moment at the same time, over all
// shards. Its bounds may change while messages are in it.
type Room struct {
	MaxMessages, MaxBytes atomic.Int64
	messages, bytes       atomic.Int64
}

// InUse is how many messages wait, and how many bytes they have.
func (r *Room) InUse() (messages, bytes int64) { return r.messages.Load(), r.bytes.Load() }

// Enter takes a place in r for m, which Delay needs; it reports false when r is
// full. The place is given back when the delay ends.
func (r *Room) Enter(m *Message) bool {
	n := int64(m.weight())
	if r.messages.Add(1) > r.MaxMessages.Load() {
		r.messages.Add(-1)
		return false
	}
	if r.bytes.Add(n) > r.MaxBytes.Load() {
		r.bytes.Add(-n)
		r.messages.Add(-1)
		return false
	}
	m.held.room, m.held.size = r, n
	return true
}

// Delay holds m until a moment, in milliseconds since 1970 by the clock that Time
// is of: then its owner goes on with the stage after this one, by itself. It
// detaches m. The stage returns Hold with it, and lets go of m: return
// m.Delay(until), nil.
func (m *Message) Delay(until int64) Verdict {
	m.Detach()
	m.held.Until = max(1, until)
	return Hold
}

// EndDelay is called by the owner of a message when its delay is over; it gives
// the place in the Room back.
func (m *Message) EndDelay() {
	m.held.Until = 0
	m.LeaveRoom()
}

// LeaveRoom gives back the place in a Room that m has entered, if any.
func (m *Message) LeaveRoom() {
	if r := m.held.room; r != nil {
		r.messages.Add(-1)
		r.bytes.Add(-m.held.size)
		m.held.room = nil
	}
}
