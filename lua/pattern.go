package lua

import (
	"errors"
	"strings"
)

const (
	maxCaptures = 32
	// maxRepeats bounds the repeated items of a pattern, and with them how deep
	// the matcher recurses.
	maxRepeats = 200
)

// pattern is a compiled Lua 5.1 pattern. It is immutable.
type pattern struct {
	items    []item
	captures int
	anchored bool // begins with ^
	plain    bool // holds no special characters: source is what it finds
	source   string
}

// operation is what an item of a pattern asks of the subject.
type operation uint8

const (
	opByte     operation = iota // a byte of the set, repeated as the item says
	opOpen                      // a capture begins
	opClose                     // a capture ends
	opPosition                  // an empty capture: the position
	opBalanced                  // %bxy
	opFrontier                  // %f[set]
	opBackref                   // %1
	opEnd                       // $
)

// item is one step of a pattern.
type item struct {
	op       operation
	repeat   byte // 0, or one of * + - ?
	open     byte // of %b
	close    byte // of %b
	capture  int  // of opOpen, opClose, opPosition and opBackref
	accepted byteSet
}

// compilePattern reads a pattern. Where anchor is false a leading ^ is an
// ordinary byte.
func compilePattern(source string, anchor bool) (*pattern, error) {
	p := &pattern{source: source, plain: !strings.ContainsAny(source, `^$*+?.()[]%-`)}
	r := patternReader{rest: source, pattern: p}
	if anchor && strings.HasPrefix(source, "^") {
		p.anchored = true
		r.rest = source[1:]
	}
	repeats := 0
	for r.rest != "" {
		next, err := r.item()
		if err != nil {
			return nil, err
		}
		if next.repeat != 0 {
			if repeats++; repeats > maxRepeats {
				return nil, errors.New("pattern too complex")
			}
		}
		p.items = append(p.items, next)
	}
	if len(r.open) > 0 {
		return nil, errors.New("unfinished capture")
	}
	return p, nil
}

// patternReader reads the items of a pattern one by one.
type patternReader struct {
	rest    string
	pattern *pattern
	open    []int // captures that are not closed yet, innermost last
	closed  [maxCaptures]bool
}

func (r *patternReader) item() (item, error) {
	switch r.rest[0] {
	case '(':
		return r.openCapture()
	case ')':
		if len(r.open) == 0 {
			return item{}, errors.New("invalid pattern capture")
		}
		last := len(r.open) - 1
		capture := r.open[last]
		r.open, r.rest = r.open[:last], r.rest[1:]
		r.closed[capture] = true
		return item{op: opClose, capture: capture}, nil
	case '$':
		if len(r.rest) == 1 {
			r.rest = ""
			return item{op: opEnd}, nil
		}
	case '%':
		if len(r.rest) > 1 {
			switch c := r.rest[1]; {
			case c == 'b':
				return r.balanced()
			case c == 'f':
				return r.frontier()
			case '0' <= c && c <= '9':
				return r.backref(int(c - '1'))
			}
		}
	}
	return r.bytes()
}

func (r *patternReader) openCapture() (item, error) {
	capture := r.pattern.captures
	if capture == maxCaptures {
		return item{}, errors.New("too many captures")
	}
	r.pattern.captures++
	if strings.HasPrefix(r.rest, "()") {
		r.rest = r.rest[2:]
		r.closed[capture] = true
		return item{op: opPosition, capture: capture}, nil
	}
	r.rest = r.rest[1:]
	r.open = append(r.open, capture)
	return item{op: opOpen, capture: capture}, nil
}

func (r *patternReader) balanced() (item, error) {
	if len(r.rest) < 4 {
		return item{}, errors.New("malformed pattern (missing arguments to '%b')")
	}
	it := item{op: opBalanced, open: r.rest[2], close: r.rest[3]}
	r.rest = r.rest[4:]
	return it, nil
}

func (r *patternReader) frontier() (item, error) {
	if len(r.rest) < 3 || r.rest[2] != '[' {
		return item{}, errors.New("missing '[' after '%f' in pattern")
	}
	r.rest = r.rest[2:]
	accepted, err := r.set()
	return item{op: opFrontier, accepted: accepted}, err
}

func (r *patternReader) backref(capture int) (item, error) {
	if capture < 0 || capture >= r.pattern.captures || !r.closed[capture] {
		return item{}, errors.New("invalid capture index")
	}
	r.rest = r.rest[2:]
	return item{op: opBackref, capture: capture}, nil
}

// bytes reads a class, a set or a single byte, and how often it repeats.
func (r *patternReader) bytes() (item, error) {
	it := item{op: opByte}
	switch c := r.rest[0]; c {
	case '[':
		accepted, err := r.set()
		if err != nil {
			return item{}, err
		}
		it.accepted = accepted
	case '%':
		if len(r.rest) < 2 {
			return item{}, errors.New("malformed pattern (ends with '%')")
		}
		it.accepted.addClass(r.rest[1])
		r.rest = r.rest[2:]
	default:
		if c == '.' {
			it.accepted.invert()
		} else {
			it.accepted.add(c)
		}
		r.rest = r.rest[1:]
	}
	if r.rest != "" && strings.IndexByte("*+-?", r.rest[0]) >= 0 {
		it.repeat = r.rest[0]
		r.rest = r.rest[1:]
	}
	return it, nil
}

// set reads [abc], [^a-z] and the like. A ] that comes first is an ordinary byte.
func (r *patternReader) set() (byteSet, error) {
	var s byteSet
	rest, inverted := strings.CutPrefix(r.rest[1:], "^")
	for first := true; ; first = false {
		switch {
		case rest == "":
			return s, errors.New("malformed pattern (missing ']')")
		case rest[0] == ']' && !first:
			if inverted {
				s.invert()
			}
			r.rest = rest[1:]
			return s, nil
		case rest[0] == '%':
			if len(rest) < 2 {
				return s, errors.New("malformed pattern (missing ']')")
			}
			s.addClass(rest[1])
			rest = rest[2:]
		case len(rest) > 2 && rest[1] == '-' && rest[2] != ']':
			s.addRange(rest[0], rest[2])
			rest = rest[3:]
		default:
			s.add(rest[0])
			rest = rest[1:]
		}
	}
}
