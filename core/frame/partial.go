package frame

import "unsafe"

// Partial is what is kept of a connection in the middle of a frame header, of a
// frame, or of a fragmented message. A connection at rest has none. It grows
// with the bytes that have arrived, never with a declared length.
type Partial struct {
	// frame is the frame whose payload is incomplete: length is what is still to
	// come, 0 between frames, and key is rotated to the next byte.
	frame header

	// message is the payload so far, unmasked and not inflated, while inMessage.
	// Of text that is not deflated, the first valid bytes are whole runes.
	message   []byte
	valid     int
	most      int // bytes: the bound of its Reader when the message began
	op        Op
	deflated  bool
	inMessage bool

	headLen uint8
	head    [maxHeader]byte // the first headLen bytes of an incomplete header

	control []byte // payload so far of an incomplete control frame
}

// Size is the number of bytes that p holds, for accounting; 0 when p is nil.
func (p *Partial) Size() int {
	if p == nil {
		return 0
	}
	return int(unsafe.Sizeof(*p)) + cap(p.message) + cap(p.control)
}

// begin starts the payload of a frame; most is the bound on a message that begins
// with it.
func (p *Partial) begin(h header, most int) {
	p.frame = h
	if h.op == OpText || h.op == OpBinary {
		p.inMessage, p.op, p.deflated, p.most = true, h.op, h.deflated, most
	}
}

// add takes the next bytes of the frame's payload, which it unmasks in place.
func (p *Partial) add(part []byte) error {
	p.frame.length -= len(part)
	p.frame.key = mask(part, p.frame.key)
	if p.frame.op.control() {
		p.control = append(p.control, part...)
		return nil
	}
	p.message = append(p.message, part...)
	if p.op == OpText && !p.deflated {
		n, ok := wholeRunes(p.message[p.valid:])
		if !ok {
			return invalid("text is not UTF-8")
		}
		p.valid += n
	}
	return nil
}

// Bounds on what a Reader keeps of Partials that are not in use.
const (
	maxFree     = 64      // Partials
	maxFreeSize = 4 << 10 // bytes of message buffer in each
)

// take gives an empty Partial to *p.
func (r *Reader) take(p **Partial) {
	if last := len(r.free) - 1; last >= 0 {
		*p, r.free = r.free[last], r.free[:last]
		return
	}
	*p = new(Partial)
}

// Release takes back the Partial of a connection that ended and sets *p to nil.
// It does nothing when there is none.
func (r *Reader) Release(p **Partial) {
	s := *p
	*p = nil
	if s == nil || len(r.free) == maxFree {
		return
	}
	message, control := s.message[:0], s.control[:0]
	if cap(message) > maxFreeSize {
		message = nil
	}
	*s = Partial{message: message, control: control}
	r.free = append(r.free, s)
}
