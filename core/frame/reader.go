package frame

import "unicode/utf8"

// Config is the role and the bounds of a Reader.
type Config struct {
	// MaxMessage is the longest message in bytes, both as it was sent and after
	// inflating. Longer ones are refused with CloseTooBig.
	MaxMessage int
	// Client reads the unmasked frames of a server instead of a client's masked
	// ones.
	Client bool
}

// Reader finds the messages in the bytes of any number of connections. It is not
// safe for concurrent use. Memory for inflating is allocated with the first
// compressed message.
type Reader struct {
	config   Config
	free     []*Partial
	inflater *inflater
}

// NewReader returns a Reader without connections.
func NewReader(c Config) *Reader { return &Reader{config: c} }

// SetMaxMessage changes Config.MaxMessage for the messages that begin from now on.
func (r *Reader) SetMaxMessage(n int) { r.config.MaxMessage = n }

// Next reads on in the bytes of one connection. It returns the next event and
// how many bytes of in were consumed; the caller comes back with the rest, at
// once or later. When ok is false all of in was consumed and there is no further
// event in it. Next unmasks in place: it writes to in, and the bytes it has
// consumed must not be given to it again.
//
// p belongs to the connection: *p is nil at rest and is set while a header, a
// frame or a fragmented message is incomplete. deflate says whether
// permessage-deflate was negotiated, with no_context_takeover both ways.
//
// An error is a *CloseError. The connection cannot be read any further: the
// caller closes it with that code and calls Release.
//
// The codes for what RFC 6455 and 7692 leave open: a compressed message that
// does not inflate is CloseInvalid; a length beyond MaxMessage is CloseTooBig
// as soon as the frame header declares it; text that cannot become UTF-8 any
// more is CloseInvalid as soon as the byte that spoils it is there.
func (r *Reader) Next(p **Partial, deflate bool, in []byte) (ev Event, n int, ok bool, err error) {
	for {
		s := *p
		if s == nil || s.frame.length == 0 {
			h, used, whole, err := r.header(p, deflate, in[n:])
			n += used
			if !whole || err != nil {
				return Event{}, n, false, err
			}
			s = *p
			if h.length <= len(in)-n && (h.op.control() || h.fin && h.op != OpContinuation) {
				payload := in[n : n+h.length : n+h.length]
				mask(payload, h.key)
				if s != nil && !s.inMessage { // s has held the beginning of the header only
					r.Release(p)
				}
				ev, err = r.event(h.op, h.deflated, payload, 0, r.config.MaxMessage)
				return ev, n + h.length, err == nil, err
			}
			if s == nil {
				r.take(p)
				s = *p
			}
			s.begin(h, r.config.MaxMessage)
		}

		part := in[n:min(len(in), n+s.frame.length)]
		n += len(part)
		if err := s.add(part); err != nil {
			return Event{}, n, false, err
		}
		switch {
		case s.frame.length > 0:
			return Event{}, n, false, nil
		case s.frame.op.control():
			ev, err = r.event(s.frame.op, false, s.control, 0, 0)
			s.control = s.control[:0]
			if !s.inMessage {
				r.Release(p)
			}
			return ev, n, err == nil, err
		case s.frame.fin:
			ev, err = r.event(s.op, s.deflated, s.message, s.valid, s.most)
			r.Release(p)
			return ev, n, err == nil, err
		}
	}
}

// header completes the header of the next frame from what *p has kept and from
// in; used is how many bytes of in belong to it. When in ends first, whole is
// false and *p has kept the beginning.
func (r *Reader) header(p **Partial, deflate bool, in []byte) (h header, used int, whole bool, err error) {
	s := *p
	if s == nil || s.headLen == 0 {
		h, used, err = r.parse(s, deflate, in)
		if used > 0 || err != nil || len(in) == 0 {
			return h, used, used > 0, err
		}
		if s == nil {
			r.take(p)
			s = *p
		}
		s.headLen = uint8(copy(s.head[:], in))
		return h, len(in), false, nil
	}
	kept := int(s.headLen)
	size := kept + copy(s.head[kept:], in)
	h, used, err = r.parse(s, deflate, s.head[:size])
	if used == 0 || err != nil {
		s.headLen = uint8(size)
		return h, size - kept, false, err
	}
	s.headLen = 0
	return h, used - kept, true, nil
}

// event makes the event of a complete payload. Of text that is not deflated, the
// first valid bytes are known to be good. It inflates to most bytes at the most.
func (r *Reader) event(op Op, deflated bool, payload []byte, valid, most int) (Event, error) {
	if op == OpClose {
		return closeEvent(payload)
	}
	if deflated {
		if r.inflater == nil {
			r.inflater = newInflater()
		}
		var err error
		if payload, err = r.inflater.inflate(payload, most); err != nil {
			return Event{}, err
		}
	}
	if op == OpText && !utf8.Valid(payload[valid:]) {
		return Event{}, invalid("text is not UTF-8")
	}
	return Event{Op: op, Payload: payload}, nil
}
