package load

// ledger remembers which messages of one sender have been seen, a bit each.
// The caller bounds the numbers: none is at or above what was sent.
type ledger struct {
	bits []uint64
	next uint32 // one above the highest number seen
}

// sighting says how a number came.
type sighting uint8

const (
	inOrder  sighting = iota // the first time, after all lower ones seen
	overtook                 // the first time, after a higher one
	repeated                 // not the first time
)

// has reports whether n was marked.
func (l *ledger) has(n uint32) bool {
	word := int(n >> 6)
	return word < len(l.bits) && l.bits[word]&(1<<(n&63)) != 0
}

// mark notes n.
func (l *ledger) mark(n uint32) sighting {
	word, bit := int(n>>6), uint64(1)<<(n&63)
	for word >= len(l.bits) {
		l.bits = append(l.bits, 0)
	}
	if l.bits[word]&bit != 0 {
		return repeated
	}
	l.bits[word] |= bit
	if n < l.next {
		return overtook
	}
	l.next = n + 1
	return inOrder
}
