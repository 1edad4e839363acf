package load

import "strconv"

// ackEvery is how many messages a reliable client takes before it acknowledges
// them although more are at hand.
const ackEvery = 32

// mostRanges is how many ranges the gateway reads in one acknowledgement.
const mostRanges = 4096

// span is the seqs from one to another, both included.
type span struct{ from, to uint64 }

// settled is what a reliable client has received or was told not to expect. In
// order it is one number; only what overtook costs memory.
type settled struct {
	upto uint64 // all up to here
	also []span // what overtook: sorted, neither touching each other nor upto
	owed int    // messages and gaps since the last acknowledgement
}

// note settles s; false if all of it was settled before.
func (t *settled) note(s span) bool {
	s.from = max(s.from, t.upto+1)
	if s.to < s.from {
		return false
	}
	if len(t.also) == 0 && s.from == t.upto+1 {
		t.upto = s.to
		return true
	}
	// Those from i to before j touch s or lie in it.
	i := len(t.also)
	for i > 0 && t.also[i-1].to+1 >= s.from {
		i--
	}
	j := i
	for j < len(t.also) && t.also[j].from <= s.to+1 {
		j++
	}
	if i < j {
		if j == i+1 && t.also[i].from <= s.from && t.also[i].to >= s.to {
			return false
		}
		s = span{min(s.from, t.also[i].from), max(s.to, t.also[j-1].to)}
	}
	if s.from == t.upto+1 {
		t.upto = s.to
		t.also = append(t.also[:0], t.also[j:]...)
		return true
	}
	if i == j {
		t.also = append(t.also, span{})
		copy(t.also[i+1:], t.also[i:])
	} else {
		t.also = append(t.also[:i+1], t.also[j:]...)
	}
	t.also[i] = s
	return true
}

// reset forgets all and begins after upto.
func (t *settled) reset(upto uint64) { *t = settled{upto: upto, also: t.also[:0]} }

// appendSeqs appends the members of an acknowledgement or a hello.
func (t *settled) appendSeqs(dst []byte) []byte {
	dst = append(dst, `"seq":`...)
	dst = strconv.AppendUint(dst, t.upto, 10)
	for i, s := range t.also[:min(len(t.also), mostRanges)] {
		if i == 0 {
			dst = append(dst, `,"also":[[`...)
		} else {
			dst = append(dst, `,[`...)
		}
		dst = strconv.AppendUint(dst, s.from, 10)
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, s.to, 10)
		dst = append(dst, ']')
	}
	if len(t.also) > 0 {
		dst = append(dst, ']')
	}
	return dst
}
