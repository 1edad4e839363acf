package shard

import (
	"encoding/json"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
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
		if len(d.list) != len(d.groups) {
			t.Fatalf("%d groups are listed of %d", len(d.list), len(d.groups))
		}
		for i, g := range d.list {
			if g.at != i || d.groups[g.name] != g {
				t.Fatalf("%s is listed at %d, and thinks at %d", g.name, i, g.at)
			}
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

// A message joins its sender to all of its groups, or is rejected whole.
func TestAScriptsJoinsAreAllOrNone(t *testing.T) {
	type order struct{ Join, Leave []string }
	g := start(t, "epoll", options(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		var o order
		if err := json.Unmarshal(m.Data, &o); err != nil {
			return core.Drop, err
		}
		m.Effects.Joins = append(m.Effects.Joins, o.Join...)
		m.Effects.Leaves = append(m.Effects.Leaves, o.Leave...)
		m.Effects.Replies = append(m.Effects.Replies, []byte("1"))
		return core.Next, nil
	}))
	a := g.connect("a")
	seq := 0
	f := func(join, leave []string, ok bool, groups int) {
		t.Helper()
		data, err := json.Marshal(order{join, leave})
		if err != nil {
			t.Fatal(err)
		}
		a.send(`{"type":0,"messageId":"m","data":` + string(data) + `}`)
		if ok {
			seq++
			a.want(fmt.Sprintf(`{"type":0,"seq":%d,"messageId":"m","data":1}`, seq), acked("m", "delivered"))
		} else {
			a.want(`{"type":2,"messageId":"m","code":"limit","error":"a client may be in 256 groups"}`)
		}
		sum := 0
		for _, s := range g.Stats() {
			sum += s.Groups
		}
		if sum != groups {
			t.Fatalf("in %d groups, want %d", sum, groups)
		}
	}
	var most []string
	for i := range MaxGroups {
		most = append(most, fmt.Sprint("g", i))
	}
	f(most[:250], nil, true, 250)
	f([]string{"a", "b", "c", "d", "e", "f", "too many"}, most[:10], false, 250)
	f(most, nil, true, 256)
	f([]string{"too many"}, nil, false, 256)
	f(most[:2], most[:10], true, 246)
	f([]string{"now", "there", "is", "room"}, nil, true, 250)
	if n := g.counts(); n.Rejected != 2 || n.Accepted != 4 {
		t.Fatalf("counted %+v", n)
	}
}

func TestOnConnectJoinsAsManyAsMayBe(t *testing.T) {
	g := start(t, "epoll", options(), &hooks{connect: func(c *core.Conn) error {
		for i := range MaxGroups + 10 {
			c.Joins = append(c.Joins, fmt.Sprint("g", i))
		}
		return nil
	}}, toSender)
	a := g.connect("a")
	a.send(`{"type":0,"messageId":"1","to":{"group":"g255"},"data":1}`)
	a.want(echoed(1, "a", "1", "1"), `{"type":1,"messageId":"1","stored":"memory","status":"delivered","delivered":1}`)
	groups := 0
	for _, s := range g.Stats() {
		groups += s.Groups
	}
	if n := g.counts(); groups != MaxGroups || n.HookErrors != 1 {
		t.Fatalf("in %d groups, %d errors of hooks", groups, n.HookErrors)
	}
}
