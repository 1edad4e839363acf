package shard

// absence is the place of an offline client in a group that it is in:
// group.absent[at] is its mailbox.
type absence struct {
	group *group
	at    int
}

// leaveBehind lists b, the mailbox of c, among the offline clients that prefixes
// and c's groups reach. c has not left its groups yet.
func (d *directory) leaveBehind(c *session, b *mailbox) {
	d.absent.ReplaceOrInsert(b)
	for _, m := range c.groups {
		d.addAbsent(m.group, b)
	}
}

func (d *directory) addAbsent(g *group, b *mailbox) {
	b.groups = append(b.groups, absence{g, len(g.absent)})
	g.absent = append(g.absent, b)
}

// present takes b out of the offline clients and returns the groups that it was
// in.
func (d *directory) present(b *mailbox) (groups []string) {
	if at, ok := d.absent.Get(b); ok && at == b {
		d.absent.Delete(b)
	}
	for len(b.groups) > 0 {
		g := b.groups[len(b.groups)-1].group
		groups = append(groups, g.name)
		d.dropAbsent(b, len(b.groups)-1)
	}
	b.groups = nil
	return groups
}

// dropAbsent ends absence i of b; the last of the group takes its place.
func (d *directory) dropAbsent(b *mailbox, i int) {
	a := b.groups[i]
	g := a.group
	last := len(g.absent) - 1
	if moved := g.absent[last]; moved != b {
		g.absent[a.at] = moved
		for j := range moved.groups {
			if moved.groups[j].group == g {
				moved.groups[j].at = a.at
			}
		}
	}
	g.absent[last] = nil
	g.absent = g.absent[:last]
	b.groups = append(b.groups[:i], b.groups[i+1:]...)
	d.dropEmpty(g)
}

// absentUnder calls f for every offline client with a session whose ID begins
// with prefix.
func (d *directory) absentUnder(prefix string, f func(*mailbox)) {
	if d.absent.Len() == 0 {
		return
	}
	d.absentPivot.name = prefix
	d.absent.AscendGreaterOrEqual(&d.absentPivot, func(b *mailbox) bool {
		if len(b.name) < len(prefix) || b.name[:len(prefix)] != prefix {
			return false
		}
		f(b)
		return true
	})
	d.absentPivot.name = ""
}

// dropEmpty forgets a group that nobody is in.
func (d *directory) dropEmpty(g *group) {
	if len(g.members) == 0 && len(g.absent) == 0 {
		delete(d.groups, g.name)
		last := len(d.list) - 1
		d.list[g.at] = d.list[last]
		d.list[g.at].at = g.at
		d.list[last] = nil
		d.list = d.list[:last]
	}
}

// group returns the group with this name, which may be new; name is copied if it
// is kept.
func (d *directory) group(name string) *group {
	g := d.groups[name]
	if g == nil {
		g = &group{name: string([]byte(name)), at: len(d.list)}
		d.groups[g.name] = g
		d.list = append(d.list, g)
	}
	return g
}
