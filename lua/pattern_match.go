package lua

import "strings"

// matcher runs a pattern over a subject within a number of steps.
type matcher struct {
	*pattern
	subject string
	// steps are left; below zero the search was given up and found nothing.
	steps int
	// spans are the captures of the last match.
	spans [maxCaptures]span
}

// span is a captured piece of the subject: subject[from:to]. to is
// positionOnly for a captured position.
type span struct{ from, to int }

const positionOnly = -1

// find looks for the first match that begins at init or later.
func (m *matcher) find(init int) (from, to int, ok bool) {
	for from = init; from <= len(m.subject) && m.steps >= 0; from++ {
		if to = m.match(from, 0); to >= 0 {
			return from, to, true
		}
		if m.anchored {
			break
		}
	}
	return 0, 0, false
}

// match matches the items from i on at position s. It returns where the match
// ends, or -1. Items follow one another without alternatives, so captures need
// no undoing: what a failed attempt left is overwritten on the way to a match.
func (m *matcher) match(s, i int) int {
	for ; i < len(m.items); i++ {
		if m.steps--; m.steps < 0 {
			return -1
		}
		it := &m.items[i]
		switch it.op {
		case opByte:
			if it.repeat != 0 {
				return m.repeated(it, s, i)
			}
			if s >= len(m.subject) || !it.accepted.has(m.subject[s]) {
				return -1
			}
			s++
		case opOpen:
			m.spans[it.capture].from = s
		case opClose:
			m.spans[it.capture].to = s
		case opPosition:
			m.spans[it.capture] = span{s, positionOnly}
		case opBalanced:
			if s = m.balanced(it, s); s < 0 {
				return -1
			}
		case opFrontier:
			if it.accepted.has(m.byteAt(s-1)) || !it.accepted.has(m.byteAt(s)) {
				return -1
			}
		case opBackref:
			piece := m.captured(it.capture)
			m.steps -= len(piece) / bytesPerInstruction
			if !strings.HasPrefix(m.subject[s:], piece) {
				return -1
			}
			s += len(piece)
		case opEnd:
			if s != len(m.subject) {
				return -1
			}
		}
	}
	return s
}

// repeated matches item i as often as it says and the items after it.
func (m *matcher) repeated(it *item, s, i int) int {
	if it.repeat == '-' {
		for {
			if end := m.match(s, i+1); end >= 0 {
				return end
			}
			if m.steps--; m.steps < 0 || s >= len(m.subject) || !it.accepted.has(m.subject[s]) {
				return -1
			}
			s++
		}
	}
	most, least := len(m.subject)-s, 0
	switch it.repeat {
	case '+':
		least = 1
	case '?':
		most = min(most, 1)
	}
	most = min(most, m.steps)
	n := 0
	for n < most && it.accepted.has(m.subject[s+n]) {
		n++
	}
	m.steps -= n
	for ; n >= least; n-- {
		if end := m.match(s+n, i+1); end >= 0 {
			return end
		}
		if m.steps < 0 {
			break
		}
	}
	return -1
}

// balanced returns the end of the balanced piece that begins at s, or -1.
func (m *matcher) balanced(it *item, s int) int {
	if s >= len(m.subject) || m.subject[s] != it.open {
		return -1
	}
	depth := 1
	for at := s + 1; at < len(m.subject); at++ {
		if m.steps--; m.steps < 0 {
			return -1
		}
		switch m.subject[at] {
		case it.close:
			if depth--; depth == 0 {
				return at + 1
			}
		case it.open:
			depth++
		}
	}
	return -1
}

// byteAt is a byte of the subject, or 0 outside of it.
func (m *matcher) byteAt(s int) byte {
	if s < 0 || s >= len(m.subject) {
		return 0
	}
	return m.subject[s]
}

// captured is the text of capture i; a captured position has none.
func (m *matcher) captured(i int) string {
	if at := m.spans[i]; at.to >= at.from {
		return m.subject[at.from:at.to]
	}
	return ""
}
