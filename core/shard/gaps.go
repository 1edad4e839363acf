package shard

import (
	"cmp"
	"slices"

	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/wire"
)

// untold is a gap that a connected client has to be told of.
type untold struct {
	box *mailbox
	gap wire.Gap
}

// gapsAtOnce is how many gaps stand in one frame at the most.
const gapsAtOnce = 1000

// tellGaps tells the connected clients what will not come. A client that does not
// read is told when it does, of all at once: what waits for it is bounded.
func (s *Shard) tellGaps() {
	slices.SortFunc(s.untold, func(a, b untold) int {
		return cmp.Or(cmp.Compare(a.box.at, b.box.at), cmp.Compare(a.gap.From, b.gap.From))
	})
	for i := 0; i < len(s.untold); {
		b := s.untold[i].box
		s.gaps = s.gaps[:0]
		for ; i < len(s.untold) && s.untold[i].box == b; i++ {
			g := s.untold[i].gap
			if n := len(s.gaps); n > 0 && s.gaps[n-1].To+1 == g.From && s.gaps[n-1].Cause == g.Cause {
				s.gaps[n-1].To = g.To
			} else {
				s.gaps = append(s.gaps, g)
			}
		}
		c := b.conn
		if c == nil || !c.begun || c.state != open || !b.reliable {
			continue
		}
		if b.owesGaps = b.owesGaps || brimming(c); b.owesGaps {
			continue
		}
		o := s.outbound(c)
		for part := range slices.Chunk(s.gaps, gapsAtOnce) {
			s.text = wire.AppendGaps(s.text[:0], part)
			o.buf = frame.AppendFrame(o.buf, frame.OpText, s.text)
		}
	}
	clear(s.untold)
	s.untold = s.untold[:0]
}

// oweNoGaps tells the client of b, which reads again, what will not come: all that
// it has not acknowledged, since nobody knows what of that it was told.
func (s *Shard) oweNoGaps(b *mailbox) {
	b.owesGaps = false
	for _, span := range b.spans {
		if span.Cause != 0 {
			s.untold = append(s.untold, untold{b, wire.Gap{Range: wire.Range(span.Range), Cause: span.Cause.String()}})
		}
	}
}
