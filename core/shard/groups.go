package shard

// GroupStatus is how many clients a group reaches.
type GroupStatus struct {
	Name      string `json:"name"`
	Connected int    `json:"connected"`
	Offline   int    `json:"offline"` // reliable clients that were in it when they left
}

// Groups returns the groups whose names begin with prefix and come after another,
// in their order; limit at the most. next is what others come after; "" if there
// are none.
func (set *Set) Groups(prefix, after string, limit int) (found []GroupStatus, next string) {
	names := newNames(prefix, after, limit+1)
	for _, s := range set.all {
		set.walk(s, func() int { return len(s.sessions.chunks) * slabChunk }, func(i int) int {
			in := s.sessions.at(uint32(i)).groups
			for _, m := range in {
				names.add(m.group.name)
			}
			return 1 + len(in)
		})
		set.walk(s, func() int { return len(s.boxList) }, func(i int) int {
			if i >= len(s.boxList) {
				return 1
			}
			in := s.boxList[i].groups
			for _, a := range in {
				names.add(a.group.name)
			}
			return 1 + len(in)
		})
	}
	all, next := names.page(limit)
	found = make([]GroupStatus, len(all))
	for _, s := range set.all {
		set.on(s, func() {
			for i, name := range all {
				found[i].Name = name
				if g := s.dir.groups[name]; g != nil {
					found[i].Connected += len(g.members)
					found[i].Offline += len(g.absent)
				}
			}
		})
	}
	kept := found[:0]
	for _, g := range found {
		if g.Connected+g.Offline > 0 {
			kept = append(kept, g)
		}
	}
	return kept, next
}
