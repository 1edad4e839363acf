package rehearse

import (
	"cmp"
	"maps"
	"slices"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/wire"
)

// mailbox is what is kept for a ClientID beyond its connection.
type mailbox struct {
	name     string
	client   *Client // nil while it is offline
	reliable bool    // it has a session, also while it is offline
	left     int64   // when it went offline, milliseconds since 1970
	groups   []string
	seq      uint64
	bytes    int64
	waits    []*letterCopy // in the order of their seqs
}

// letterCopy is a message as one recipient gets it.
type letterCopy struct {
	to, state, stored string
	seq               uint64
	letter            *record.Letter // nil for an upstream
	body              []byte
	results           []*Result // that speak of it
	keyed             bool      // a newer one under its key replaces it
}

// fault is why a recipient was refused; the highest one is told.
type fault uint8

const (
	faultNone fault = iota
	faultLost
	faultExpired
	faultFull
	faultSender
)

func (f fault) outcome() ruling.Outcome {
	return [...]ruling.Outcome{ruling.Full, ruling.GivenUp, ruling.Expired, ruling.Full, ruling.TooManyWait}[f]
}

// box returns the mailbox of a ClientID, which may be new.
func (w *World) box(name string) *mailbox {
	b := w.boxes[name]
	if b == nil {
		b = &mailbox{name: name}
		w.boxes[name] = b
		if c := w.clients[name]; c != nil {
			b.client, b.reliable, c.box = c, c.Reliable, b
		}
	}
	return b
}

// absent are the mailboxes of offline clients with a session, in ID order.
func (w *World) absent() []*mailbox {
	var list []*mailbox
	for _, name := range slices.Sorted(maps.Keys(w.boxes)) {
		if b := w.boxes[name]; b.client == nil && b.reliable {
			list = append(list, b)
		}
	}
	return list
}

// attach joins a client that connects to its mailbox, if there is one or it needs
// one, and to the groups that it was in.
func (w *World) attach(c *Client) {
	b := w.boxes[c.ID]
	if b == nil && c.Reliable {
		b = w.box(c.ID)
	}
	if b == nil {
		return
	}
	groups := b.groups
	b.groups = nil
	b.client, b.reliable, c.box = c, c.Reliable, b
	if c.Reliable {
		for _, g := range groups {
			c.join(g)
		}
	}
}

// detach parts a client that leaves from its mailbox. Its groups are not left yet.
func (w *World) detach(c *Client) {
	b := c.box
	if b == nil {
		return
	}
	c.box, b.client, b.left = nil, nil, w.millis()
	if b.reliable {
		b.groups = slices.Clone(c.groups)
	}
}

// Where a message is kept, as its sender is told.
const (
	inMemory = "memory"
	onDisk   = "disk"
)

// keep gives a message to one mailbox.
func (w *World) keep(r *Result, letter *record.Letter, to string, body []byte) {
	b := w.box(to)
	key := seenKey{letter.From, string(letter.ID), to}
	if len(letter.ID) > 0 {
		if s, ok := w.seen[key]; ok && w.millis()/1000-s.at <= int64(dedupWindow.Seconds()) {
			r.repeated(s.letterCopy)
			return
		}
	}
	switch {
	case w.waiting[letter.From]-int64(len(r.Waiting()))+int64(len(r.copies)) >= w.ring.SenderMessages.Load():
		r.refused(faultSender)
		return
	case !w.fits(b, letter, r.Stored == onDisk):
		r.refused(faultFull)
		return
	}
	b.seq++
	l := &letterCopy{to: to, state: Queued, stored: r.Stored, seq: b.seq, letter: letter, body: body, results: []*Result{r}}
	if len(letter.ID) > 0 {
		w.seen[key] = seenCopy{l, w.millis() / 1000}
	}
	r.copies = append(r.copies, l)
	w.waiting[letter.From]++
	b.bytes += int64(len(letter.Content))
	if letter.Overflow == core.OverflowConflate && len(letter.Key) > 0 {
		for _, o := range b.waits {
			o.keyed = o.keyed && string(o.letter.Key) != string(letter.Key)
		}
		l.keyed = true
	}
	b.waits = append(b.waits, l)
	if c := b.client; c != nil && c.Connected {
		w.hand(c, l)
	}
	if l.state == Delivered {
		r.counts.Delivered++
	} else {
		r.counts.Queued++
	}
}

func (r *Result) refused(why fault) {
	r.counts.Refused++
	r.fault = max(r.fault, why)
}

// fits makes room for a message as its policy says; false where there is none,
// and then nothing has made way.
func (w *World) fits(b *mailbox, letter *record.Letter, disk bool) bool {
	size := int64(len(letter.Content))
	if size > w.ring.ClientBytes.Load() {
		return false
	}
	going := b.superseded(letter, disk)
	gone := int64(0) // bytes
	for _, l := range going {
		gone += int64(len(l.letter.Content))
	}
	full := func() bool {
		n := int64(len(going))
		return int64(len(b.waits))-n >= w.ring.ClientMessages.Load() || b.bytes-gone+size > w.ring.ClientBytes.Load() || w.total()-n >= w.ring.Messages.Load()
	}
	for full() {
		l := b.oldest(going)
		if l == nil || letter.Overflow != core.OverflowDropOldest && letter.Overflow != core.OverflowConflate {
			return false
		}
		going = append(going, l)
		gone += int64(len(l.letter.Content))
	}
	for _, l := range going {
		w.settle(b, l, Lost)
	}
	return true
}

// oldest returns the oldest message of the lowest priority that does not go
// already; nil for none.
func (b *mailbox) oldest(going []*letterCopy) (oldest *letterCopy) {
	for _, l := range b.waits {
		if !slices.Contains(going, l) && (oldest == nil || l.letter.Priority < oldest.letter.Priority) {
			oldest = l
		}
	}
	return oldest
}

// superseded returns what waits under the key of a message that conflates.
func (b *mailbox) superseded(letter *record.Letter, disk bool) (going []*letterCopy) {
	if letter.Overflow != core.OverflowConflate || len(letter.Key) == 0 {
		return nil
	}
	for _, l := range b.waits {
		// What is on the disk is not replaced by what is not.
		if l.keyed && string(l.letter.Key) == string(letter.Key) && (disk || l.stored != onDisk) {
			going = append(going, l)
		}
	}
	return going
}

// total is how many messages wait.
func (w *World) total() (n int64) {
	for _, waiting := range w.waiting {
		n += waiting
	}
	return n
}

// settle ends the waiting of one message.
func (w *World) settle(b *mailbox, l *letterCopy, state string) {
	l.state = state
	b.waits = slices.DeleteFunc(b.waits, func(o *letterCopy) bool { return o == l })
	b.bytes -= int64(len(l.letter.Content))
	if w.waiting[l.letter.From]--; w.waiting[l.letter.From] == 0 {
		delete(w.waiting, l.letter.From)
	}
	for _, r := range l.results {
		r.answerLate()
	}
}

// hand writes a kept message to its recipient. A plain one has it then, and a
// reliable one acknowledges it; see acknowledge.
func (w *World) hand(c *Client, l *letterCopy) {
	if c.Reliable {
		c.get(append(wire.AppendHead(nil, l.seq), l.body...))
		return
	}
	c.seq++
	c.get(append(wire.AppendHead(nil, c.seq), l.body...))
	w.settle(c.box, l, Delivered)
}

// acknowledge is what reliable recipients do when the sender has its first answer.
func (w *World) acknowledge(r *Result) {
	for _, l := range r.copies {
		if c := w.clients[l.to]; l.state == Queued && l.letter != nil && c != nil && c.Reliable {
			w.settle(c.box, l, Delivered)
		}
	}
}

// feed gives a client that has connected what waits for it, the most urgent first.
func (w *World) feed(c *Client) {
	if c.box == nil {
		return
	}
	w.expire(c.box)
	waits := slices.Clone(c.box.waits)
	slices.SortStableFunc(waits, func(a, b *letterCopy) int { return cmp.Compare(b.letter.Priority, a.letter.Priority) })
	for _, l := range waits {
		w.hand(c, l)
		if c.Reliable {
			w.settle(c.box, l, Delivered)
		}
	}
}

// sweep ends what has waited too long, and the sessions that are over.
func (w *World) sweep() {
	if len(w.waiting) > 0 {
		for _, name := range slices.Sorted(maps.Keys(w.boxes)) {
			w.expire(w.boxes[name])
		}
	}
	for _, b := range w.boxes {
		if b.client == nil && b.reliable && w.millis()-b.left > sessionLifetime.Milliseconds() {
			b.reliable, b.groups = false, nil
		}
	}
}

func (w *World) expire(b *mailbox) {
	for _, l := range slices.Clone(b.waits) {
		if l.letter.Expiry() <= w.millis() {
			w.settle(b, l, Expired)
		}
	}
}
