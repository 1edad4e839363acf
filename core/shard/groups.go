package shard

// GroupStatus is how many clients a group reaches.
type GroupStatus struct {
	Name      string `json:"name"`
	Connected int    `json:"connected"`
	Offline   int    `json:"offline"` // reliable clients that were in it when they left
}

// Groups returns the groups whose names begin with prefix and come after another,
// in their order; limit at the most. more says that there are others.
func (set *Set) Groups(prefix, after string, limit int) (found []GroupStatus, more bool) {
	names := newNames(prefix, after, limit+1)
	for _, s := range set.all {
		set.walk(s, func() int { return len(s.sessions.chunks) * slabChunk }, func(i int) {
			for _, m := range s.sessions.at(uint32(i)).groups {
				names.add(m.group.name)
			}
		})
		set.walk(s, func() int { return len(s.boxList) }, func(i int) {
			if i >= len(s.boxList) {
				return
			}
			for _, a := range s.boxList[i].groups {
				names.add(a.group.name)
			}
		})
	}
	all := names.sorted()
	if more = len(all) > limit; more {
		all = all[:limit]
	}
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
	return kept, more
}
