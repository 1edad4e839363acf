package shard

// era is where the deduplication window was when the log began a segment: those
// that were added before are in older ones.
type era struct {
	segment uint32
	added   uint64
}

// need is the oldest segment without which the shard could not be restored:
// that of a message that waits, of what is known of a mailbox, or of the
// deduplication window.
func (s *Shard) need() uint32 {
	need := s.head
	if segment, _, ok := s.segments.oldest(); ok {
		need = min(need, segment)
	}
	if s.seen.len() == 0 && len(s.eras) > 1 {
		s.eras = s.eras[len(s.eras)-1:]
	}
	for len(s.eras) > 1 && s.eras[1].added+uint64(s.seen.len()) <= s.added {
		s.eras = s.eras[1:]
	}
	if len(s.eras) > 0 && s.seen.len() > 0 {
		// Not of old, however few there are: they would hold what others have written.
		need = min(need, max(s.eras[0].segment, s.head-min(s.head, stateAge)))
	}
	return min(need, s.oldestHome)
}
