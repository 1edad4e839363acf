package load

import (
	"fmt"

	"github.com/stratix-gateway/stratix/core/frame"
)

// greet says hello, which is a reliable client's first frame.
func (w *worker) greet(c *conn) {
	c.state = resuming
	c.settled.owed = 0
	w.line = appendHello(w.line[:0], c.epoch, &c.settled)
	w.batch = frame.AppendMasked(w.batch[:0], frame.OpText, maskKey, w.line)
	w.send(c, w.batch)
}

// greeted takes the answer to c's hello.
func (w *worker) greeted(c *conn, text []byte) {
	g, err := parseGreeting(text)
	if err == nil && g.Recovered && g.Epoch != c.epoch {
		err = fmt.Errorf("the answer to a hello: epoch %s was recovered, which the client is not in", g.Epoch)
	}
	if err != nil {
		w.fail(fmt.Errorf("%s: %w", c.client, err))
		return
	}
	if !g.Recovered {
		c.settled.reset(g.Seq)
	}
	c.epoch, c.last = g.Epoch, g.Last
	w.named(c, g.Gaps)
	w.admitted(c)
}

// gapped takes a type 7 frame.
func (w *worker) gapped(c *conn, text []byte) {
	gaps, err := parseGaps(text)
	if err != nil {
		w.note(err)
		w.Strange++
		return
	}
	w.named(c, gaps)
}

// named settles seqs that will not come.
func (w *worker) named(c *conn, gaps []gap) {
	for _, g := range gaps {
		w.note(fmt.Errorf("the gateway named a gap: %d to %d, %s", g.from, g.to, g.cause))
		w.Gaps += g.to - g.from + 1
		c.settled.note(g.span)
		c.settled.owed++
	}
}

// took settles the seq of a message that c got; one without is ephemeral. It is
// false for a message that the gateway had given to the client before this
// connection: whose it was is not known here any more.
func (w *worker) took(c *conn, text []byte) bool {
	seq, ok := deliveredSeq(text)
	if !ok {
		w.Ephemeral++
		return true
	}
	if !c.settled.note(span{seq, seq}) {
		w.RepeatedSeqs++
	}
	if c.settled.owed++; c.settled.owed >= ackEvery {
		w.acknowledge(c)
	}
	if seq <= c.last {
		w.Redelivered++
		return false
	}
	return true
}

// acknowledge tells the gateway what c has settled, if it owes that.
func (w *worker) acknowledge(c *conn) {
	if c.settled.owed > 0 {
		w.batch = w.appendOwed(w.batch[:0], c)
		w.send(c, w.batch)
	}
}

// appendOwed appends the frame with the acknowledgement that c owes, if any.
func (w *worker) appendOwed(dst []byte, c *conn) []byte {
	if c.settled.owed == 0 {
		return dst
	}
	c.settled.owed = 0
	w.line = appendAck(w.line[:0], &c.settled)
	return frame.AppendMasked(dst, frame.OpText, maskKey, w.line)
}
