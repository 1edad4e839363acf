package kv

// Clone is a store with what s holds, for a run that must not change s. Each part
// is copied by itself: a call may fall between two of them.
func (s *Store) Clone() *Store {
	c := New(*s.limits.Load())
	c.seed = s.seed
	for i := range s.parts {
		from, to := &s.parts[i], &c.parts[i]
		from.mu.Lock()
		for key, e := range from.byKey {
			to.insert(key, e.value, e.expires)
			c.entries.Add(1)
			c.bytes.Add(int64(size(key, e.value)))
		}
		from.mu.Unlock()
	}
	return c
}
