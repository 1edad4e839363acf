package kv

import "math/rand/v2"

// helpOut takes a few expired entries out of one part, any of them,
// so that those nobody writes to are not forgotten.
func (s *Store) helpOut(now int64) {
	p := &s.parts[rand.Uint32()%parts]
	if p.next.Load() <= now && p.mu.TryLock() {
		s.takeExpired(p, tidyFew, now)
		p.mu.Unlock()
	}
}

// makeRoom takes expired entries out of all parts.
func (s *Store) makeRoom(now int64) {
	for i := range s.parts {
		p := &s.parts[i]
		if p.next.Load() > now {
			continue
		}
		p.mu.Lock()
		s.takeExpired(p, tidyMany, now)
		p.mu.Unlock()
	}
}

// takeExpired takes at most n expired entries out of p, whose lock is held.
func (s *Store) takeExpired(p *part, n int, now int64) {
	for ; n > 0 && len(p.due) > 0 && p.due[0].expires <= now; n-- {
		s.grow(-1, -p.remove(p.due[0]))
		p.expired++
	}
}

// Stats are what a store holds and has done.
type Stats struct {
	Entries, Bytes int // those that have expired and are not taken out yet included
	Reads, Writes  uint64
	Expired        uint64 // entries taken out because their time was over
	Full           uint64 // writes refused with ErrFull
}

// Stats returns the state of the moment.
func (s *Store) Stats() Stats {
	st := Stats{Entries: int(s.entries.Load()), Bytes: int(s.bytes.Load()), Full: s.full.Load()}
	for i := range s.parts {
		p := &s.parts[i]
		p.mu.Lock()
		st.Reads, st.Writes, st.Expired = st.Reads+p.reads, st.Writes+p.writes, st.Expired+p.expired
		p.mu.Unlock()
	}
	return st
}
