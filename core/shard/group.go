package shard

import (
	"github.com/google/btree"
	"github.com/stratix-gateway/stratix/core/ruling"
)

// MaxGroups is how many groups one client may be in.
const MaxGroups = ruling.MaxGroups

// group is the members of a named group on this shard: those who are connected,
// and the mailboxes of those who are not and have a session. It exists while it
// has any.
type group struct {
	name    string
	at      int // in the directory's list
	members []*session
	absent  []*mailbox
}

// membership is a session's side of it: members[at] is the session.
type membership struct {
	group *group
	at    int
}

// directory finds the sessions of a shard by name, prefix and group.
type directory struct {
	byID   map[string]*session
	order  *btree.BTreeG[*session]
	groups map[string]*group
	list   []*group // the groups, for walks
	pivot  session  // the search key of the last prefix walk

	reliable int // of byID

	absent      *btree.BTreeG[*mailbox] // offline clients with a session
	absentPivot mailbox                 // the search key of the last walk over them
}

func newDirectory() directory {
	return directory{
		byID:   map[string]*session{},
		order:  btree.NewG(32, func(a, b *session) bool { return a.ID < b.ID }),
		groups: map[string]*group{},
		absent: btree.NewG(32, func(a, b *mailbox) bool { return a.name < b.name }),
	}
}

func (d *directory) add(c *session) {
	if old := d.byID[c.ID]; old != nil && old.reliable {
		d.reliable--
	}
	if c.reliable {
		d.reliable++
	}
	d.byID[c.ID] = c
	d.order.ReplaceOrInsert(c)
}

// remove takes c out of everything it is listed in.
func (d *directory) remove(c *session) {
	if d.byID[c.ID] == c {
		delete(d.byID, c.ID)
		d.order.Delete(c)
		if c.reliable {
			d.reliable--
		}
	}
	for len(c.groups) > 0 {
		d.leaveAt(c, len(c.groups)-1)
	}
	c.groups = nil
}

// under calls f for every client whose ID begins with prefix, in ID order.
func (d *directory) under(prefix string, f func(*session) bool) {
	d.pivot.ID = prefix
	d.order.AscendGreaterOrEqual(&d.pivot, func(c *session) bool {
		if len(c.ID) < len(prefix) || c.ID[:len(prefix)] != prefix {
			return false
		}
		return f(c)
	})
	d.pivot.ID = ""
}

// join makes c a member; it reports false when c is in too many groups. name is
// copied if it is kept.
func (d *directory) join(c *session, name string) bool {
	for _, m := range c.groups {
		if m.group.name == name {
			return true
		}
	}
	if len(c.groups) >= MaxGroups {
		return false
	}
	g := d.group(name)
	c.groups = append(c.groups, membership{g, len(g.members)})
	g.members = append(g.members, c)
	return true
}

// joinAll makes c a member of all the groups, or of none that it was not in
// before; then it reports false.
func (d *directory) joinAll(c *session, names []string) bool {
	before := len(c.groups)
	for _, name := range names {
		if d.join(c, name) {
			continue
		}
		for len(c.groups) > before {
			d.leaveAt(c, len(c.groups)-1)
		}
		return false
	}
	return true
}

func (d *directory) leave(c *session, name string) {
	for i, m := range c.groups {
		if m.group.name == name {
			d.leaveAt(c, i)
			return
		}
	}
}

// leaveAt ends membership i of c; the last member takes its place in the group.
func (d *directory) leaveAt(c *session, i int) {
	m := c.groups[i]
	g := m.group
	last := len(g.members) - 1
	if m.at != last {
		moved := g.members[last]
		g.members[m.at] = moved
		for j := range moved.groups {
			if moved.groups[j].group == g {
				moved.groups[j].at = m.at
			}
		}
	}
	g.members[last] = nil
	g.members = g.members[:last]
	d.dropEmpty(g)
	end := len(c.groups) - 1
	c.groups[i] = c.groups[end]
	c.groups[end] = membership{}
	c.groups = c.groups[:end]
	if end == 0 {
		c.groups = nil
	}
}
