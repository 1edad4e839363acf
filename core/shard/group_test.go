package shard

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// under lists the IDs of a prefix walk.
func under(d *directory, prefix string) (ids []string) {
	d.under(prefix, func(c *session) bool {
		ids = append(ids, c.ID)
		return true
	})
	return ids
}

func TestTheDirectoryAgainstAModel(t *testing.T) {
	r := rand.New(rand.NewPCG(5, 6))
	d := newDirectory()
	present := map[string]*session{}
	members := map[string]map[string]bool{}
	check := func() {
		t.Helper()
		if len(d.byID) != len(present) || d.order.Len() != len(present) || len(d.groups) != len(members) {
			t.Fatalf("%d by ID, %d in order, %d groups; want %d, %d, %d",
				len(d.byID), d.order.Len(), len(d.groups), len(present), len(present), len(members))
		}
		for name, want := range members {
			var got []string
			for i, c := range d.groups[name].members {
				got = append(got, c.ID)
				at := slices.IndexFunc(c.groups, func(m membership) bool { return m.group == d.groups[name] })
				if c.groups[at].at != i {
					t.Fatalf("%s thinks it is member %d of %s, not %d", c.ID, c.groups[at].at, name, i)
				}
			}
			slices.Sort(got)
			if !slices.Equal(got, slices.Sorted(maps.Keys(want))) {
				t.Fatalf("%s has %v, want %v", name, got, want)
			}
		}
		prefix := fmt.Sprint(r.IntN(6))
		var want []string
		for _, id := range slices.Sorted(maps.Keys(present)) {
			if strings.HasPrefix(id, prefix) {
				want = append(want, id)
			}
		}
		if got := under(&d, prefix); !slices.Equal(got, want) {
			t.Fatalf("under %s: got %v, want %v", prefix, got, want)
		}
	}
	for range 20000 {
		id, group := fmt.Sprint(r.IntN(50)), fmt.Sprint("g", r.IntN(8))
		c := present[id]
		switch r.IntN(8) {
		case 0:
			for name := range members {
				delete(members[name], id)
				if len(members[name]) == 0 {
					delete(members, name)
				}
			}
			if c != nil {
				d.remove(c)
				delete(present, id)
			}
		case 1, 2:
			if c == nil {
				c = &session{}
				c.ID = id
				d.add(c)
				present[id] = c
			}
		case 3, 4:
			if c != nil {
				d.leave(c, group)
				if delete(members[group], id); len(members[group]) == 0 {
					delete(members, group)
				}
			}
		default:
			if c != nil {
				if !d.join(c, group) {
					t.Fatal("it cannot join")
				}
				if members[group] == nil {
					members[group] = map[string]bool{}
				}
				members[group][id] = true
			}
		}
		check()
	}
}

func TestAPrefixWalkHasBounds(t *testing.T) {
	d := newDirectory()
	for _, id := range []string{"b", "ab", "a", "abc", "abd", "ac", "a\xff", "ä"} {
		c := &session{}
		c.ID = id
		d.add(c)
	}
	f := func(prefix string, want ...string) {
		t.Helper()
		if got := under(&d, prefix); !slices.Equal(got, want) {
			t.Errorf("%q: got %q, want %q", prefix, got, want)
		}
	}
	f("ab", "ab", "abc", "abd")
	f("abd", "abd")
	f("abde")
	f("a", "a", "ab", "abc", "abd", "ac", "a\xff")
	f("z")
	f("ä", "ä")
	f("", "a", "ab", "abc", "abd", "ac", "a\xff", "b", "ä")
	n := 0
	d.under("a", func(*session) bool { n++; return n < 2 })
	if n != 2 {
		t.Errorf("the walk went on to %d after it was told to stop", n)
	}
}

// The older of two connections of a ClientID can be taken out after the newer
// one is in, and leaves it alone.
func TestRemovingAReplacedSessionKeepsTheNewOne(t *testing.T) {
	d := newDirectory()
	older, newer := &session{}, &session{}
	older.ID, newer.ID = "a", "a"
	d.add(older)
	d.join(older, "g")
	d.add(newer)
	d.join(newer, "g")
	d.remove(older)
	if d.byID["a"] != newer || !slices.Equal(under(&d, ""), []string{"a"}) || len(d.groups["g"].members) != 1 {
		t.Fatal("the newer one is gone")
	}
	d.remove(newer)
	if len(d.byID)+d.order.Len()+len(d.groups) != 0 {
		t.Fatal("something is left")
	}
}

func TestAClientIsInSoManyGroups(t *testing.T) {
	d := newDirectory()
	c := &session{}
	for i := range MaxGroups {
		if !d.join(c, fmt.Sprint(i)) {
			t.Fatalf("it cannot join group %d", i)
		}
	}
	if d.join(c, "more") || d.groups["more"] != nil {
		t.Fatal("it joined one more")
	}
	if !d.join(c, "7") || len(d.groups["7"].members) != 1 {
		t.Fatal("joining again is not the same as being in")
	}
	d.leave(c, "7")
	if !d.join(c, "more") {
		t.Fatal("it cannot join after it left one")
	}
}
