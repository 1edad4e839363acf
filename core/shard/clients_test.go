package shard

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func ids(all []ClientStatus) string {
	var names []string
	for _, c := range all {
		names = append(names, c.ID)
	}
	return strings.Join(names, " ")
}

func TestClientsAreListedByPagesInTheOrderOfTheirIDs(t *testing.T) {
	st := newStore(t, transports[1])
	st.opt.Shards = 3
	g := st.start()
	var connected []string
	for i := range 7 {
		id := fmt.Sprint("desk-", i)
		g.connect(id)
		connected = append(connected, id)
	}
	g.connect("other")
	g.await(8)
	g.answers(publication(t, "api", `{"type":0,"to":["away-1","away-2"],"data":"x"}`))
	f := func(prefix, after string, limit int, want, wantNext string) {
		t.Helper()
		got, next := g.Clients(prefix, after, limit)
		if ids(got) != want || next != wantNext {
			t.Errorf("%q after %q: got %s, %q, want %s, %q", prefix, after, ids(got), next, want, wantNext)
		}
	}
	f("", "", 100, "away-1 away-2 "+strings.Join(connected, " ")+" other", "")
	f("", "", 3, "away-1 away-2 desk-0", "desk-0")
	f("", "desk-0", 2, "desk-1 desk-2", "desk-2")
	f("desk-", "", 7, strings.Join(connected, " "), "")
	f("desk-", "desk-4", 7, "desk-5 desk-6", "")
	f("desk-", "zzz", 7, "", "")
	f("nobody", "", 7, "", "")
	f("", "desk-6", 100, "other", "")
}

func TestAPageEndsWhereTheNextBegins(t *testing.T) {
	f := func(limit int, want, wantNext string) {
		t.Helper()
		n := newNames("", "", limit+1)
		for _, name := range []string{"c", "a", "b", "a"} {
			n.add(name)
		}
		if all, next := n.page(limit); strings.Join(all, " ") != want || next != wantNext {
			t.Errorf("%d: got %q, %q, want %q, %q", limit, all, next, want, wantNext)
		}
	}
	f(1, "a", "a")
	f(2, "a b", "b")
	f(3, "a b c", "")
	f(4, "a b c", "")
}

func TestALongWalkLetsTheShardDoOtherThings(t *testing.T) {
	g := start(t, transports[1], options(), &hooks{})
	s := g.all[0]
	f := func(cost, most int) {
		t.Helper()
		at := map[uint32]int{} // how many things in a turn
		g.walk(s, func() int { return 10 }, func(int) int { at[s.turn]++; return cost })
		total := 0
		for _, n := range at {
			total += n
			if n > most {
				t.Errorf("of a cost of %d it looked at %d at once, want %d", cost, n, most)
			}
		}
		if total != 10 {
			t.Errorf("it looked at %d", total)
		}
	}
	f(1, 10)
	f(walkStep/2, 2)
	f(walkStep, 1)
	f(2*walkStep, 1)
}

func TestAClientIsShownWithItsGroupsAndWhatWaits(t *testing.T) {
	st := newStore(t, transports[1])
	g := st.start()
	b, _ := g.resume("b", "", 0)
	b.send(`{"type":8,"groups":["room"]}`)
	b.want(`{"type":1,"joined":["room"]}`)
	if got := g.answers(publication(t, "api", `{"type":0,"to":"b","data":"x"}`)); got[0] != "disk queued" {
		t.Fatal(got)
	}
	b.text()
	c, err := g.Client("b")
	if err != nil || !c.Connected || !c.Reliable || !slices.Equal(c.Groups, []string{"room"}) || c.Pending != 1 || c.OnTheWay != 1 ||
		c.Window != 512 || len(c.Epoch) != 16 || c.PendingBytes == 0 || c.Since.IsZero() {
		t.Errorf("got %+v, %v", c, err)
	}
	b.conn.Close()
	g.await(0)
	c, err = g.Client("b")
	if err != nil || c.Connected || c.Pending != 1 || c.OnTheWay != 0 || !slices.Equal(c.Groups, []string{"room"}) || c.LastSeen.IsZero() {
		t.Errorf("offline: got %+v, %v", c, err)
	}
	if _, err := g.Client("nobody"); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
}

func TestAnOperatorDisconnectsAClient(t *testing.T) {
	why := make(chan string, 1)
	g := start(t, transports[1], options(), &hooks{disconnect: func(_ *core.Session, reason string) { why <- reason }})
	c := g.connect("a")
	g.await(1)
	if err := g.Disconnect("a", "maintenance"); err != nil {
		t.Fatal(err)
	}
	c.wantClose(CloseDismissed, "maintenance")
	if got := <-why; got != "operator" || g.counts().Dismissed != 1 {
		t.Errorf("on_disconnect got %q, counted %d", got, g.counts().Dismissed)
	}
	if err := g.Disconnect("a", "again"); !errors.Is(err, ErrNotConnected) {
		t.Errorf("again: %v", err)
	}
}

func TestAGroupIsOneOnHoweverManyShardsItsMembersAre(t *testing.T) {
	opt := options()
	opt.Shards = 4
	g := start(t, "epoll", opt, &hooks{}, toSender)
	f := func(want int) {
		t.Helper()
		g.groups.counted = time.Time{}
		if got := g.GroupCount(); got != want {
			t.Errorf("there are %d groups, want %d", got, want)
		}
	}
	f(0)
	homes := map[int]bool{}
	for i := range 20 {
		id := fmt.Sprint("c", i)
		g.connect(id)
		homes[g.owner(id).index] = true
		for _, room := range []string{"hall", fmt.Sprint("room", i%2)} {
			if err := g.Join(id, room); err != nil {
				t.Fatal(err)
			}
		}
	}
	if len(homes) < 2 {
		t.Fatal("all are on one shard")
	}
	f(3)
	if got, _ := g.Groups("", "", 10); fmt.Sprint(got) != "[{hall 20 0} {room0 10 0} {room1 10 0}]" {
		t.Errorf("they are %v", got)
	}
	if err := g.Join("c0", "soon"); err != nil || g.GroupCount() != 3 {
		t.Errorf("what was counted a moment ago is counted again: %v", err)
	}
	f(4)
}

func TestAnOperatorChangesGroupsAlsoOfThoseWhoAreAway(t *testing.T) {
	st := newStore(t, transports[1])
	g := st.start()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	f := func(want ...GroupStatus) {
		t.Helper()
		got, next := g.Groups("room", "", 10)
		if !slices.Equal(got, want) || next != "" {
			t.Errorf("got %+v, want %+v", got, want)
		}
	}
	g.connect("plain")
	b, _ := g.resume("b", "", 0)
	must(g.Join("plain", "room:1"))
	must(g.Join("b", "room:1"))
	must(g.Join("b", "room:1"))
	f(GroupStatus{"room:1", 2, 0})
	b.conn.Close()
	g.await(1)
	must(g.Join("b", "room:2"))
	must(g.Join("b", "room:2"))
	f(GroupStatus{"room:1", 1, 1}, GroupStatus{"room:2", 0, 1})
	g = st.restart() // what was done to one who is away is in the log
	must(g.Leave("b", "room:1"))
	must(g.Leave("b", "nowhere"))
	f(GroupStatus{"room:2", 0, 1})
	g.resume("b", "", 0)
	must(g.Leave("b", "room:2"))
	f()
	for i := range MaxGroups {
		must(g.Join("b", fmt.Sprint("room", i)))
	}
	if err := g.Join("b", "one more"); !errors.Is(err, ErrGroups) {
		t.Errorf("one more: %v", err)
	}
	if got, next := g.Groups("room", "room1", 2); next != "room100" || len(got) != 2 || got[0].Name != "room10" {
		t.Errorf("a page: %+v, %q", got, next)
	}
	for _, err := range []error{g.Join("nobody", "x"), g.Leave("nobody", "x"), g.Join("plain", "x")} {
		if !errors.Is(err, ErrNotConnected) {
			t.Errorf("who is not there: %v", err)
		}
	}
}

func TestWhatWaitsIsShownWithDataOnlyIfAskedFor(t *testing.T) {
	st := newStore(t, transports[1])
	g := st.start()
	g.answers(publication(t, "api",
		`{"type":0,"messageId":"1","to":"b","data":"one"}`, `{"type":0,"to":"b","data":"mem two"}`, `{"type":0,"messageId":"3","to":"b","data":"three","priority":9}`))
	show := func(limit int, data bool) string {
		t.Helper()
		all, _, err := g.Pending("b", limit, data)
		if err != nil {
			t.Fatal(err)
		}
		var s []string
		for _, p := range all {
			s = append(s, fmt.Sprintf("%d:%s:%s:%d:%s:%v:%s", p.Seq, p.MessageID, p.From, p.Priority, p.Stored, p.OnTheWay, p.Data))
			if p.Size == 0 || p.Time.IsZero() || p.Age < 0 {
				t.Errorf("it is %+v", p)
			}
		}
		return strings.Join(s, " ")
	}
	f := func(limit int, data bool, want string) {
		t.Helper()
		if got := show(limit, data); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	f(10, false, `3:"3":api:9:disk:false: 1:"1":api:0:disk:false: 2::api:0:memory:false:`)
	f(2, true, `3:"3":api:9:disk:false:"three" 1:"1":api:0:disk:false:"one"`)
	if _, n, err := g.Pending("b", 1, false); n != 3 || err != nil {
		t.Errorf("%d wait, %v", n, err)
	}
	if _, _, err := g.Pending("nobody", 1, false); !errors.Is(err, ErrUnknown) {
		t.Errorf("an unknown one: %v", err)
	}
	b, _ := g.resume("b", "", 0)
	b.text()
	if got := show(1, false); !strings.Contains(got, ":true:") {
		t.Errorf("on the way: %s", got)
	}
}

func TestWhatIsShownOfWhatWaitsIsBoundedInBytes(t *testing.T) {
	st := newStore(t, transports[1])
	st.opt.MaxMessage = pendingBytes
	g := st.start()
	big := strings.Repeat("x", pendingBytes/3)
	var frames []string
	for range 6 {
		frames = append(frames, fmt.Sprintf(`{"type":0,"to":"b","data":%q}`, big))
	}
	g.answers(publication(t, "api", frames...))
	f := func(limit int, data bool, want int) {
		t.Helper()
		all, n, err := g.Pending("b", limit, data)
		if err != nil || n != len(frames) || len(all) != want {
			t.Errorf("%d with data %v: %d of %d, %v, want %d", limit, data, len(all), n, err, want)
		}
	}
	f(10, false, 6)
	f(10, true, 3)
	f(2, true, 2)
}

func TestWhatIsNotCommittedDoesNotWaitYet(t *testing.T) {
	g := newStore(t, transports[1]).start()
	g.answers(publication(t, "api", `{"type":0,"to":"b","data":1}`, `{"type":0,"to":"b","data":2}`))
	s := g.owner("b")
	loose := func(by int32) {
		g.on(s, func() {
			b := s.boxes["b"]
			s.entries.At(b.low.last).flags ^= entryLoose
			b.loose += by
		})
	}
	f := func(want int) {
		t.Helper()
		if all, n, err := g.Pending("b", 10, true); len(all) != want || n != want || err != nil {
			t.Errorf("got %d of %d, %v, want %d", len(all), n, err, want)
		}
	}
	f(2)
	loose(+1)
	f(1)
	loose(-1)
	f(2)
}

func TestWhatWaitsOnTheDiskAloneIsReadFromThere(t *testing.T) {
	st := newStore(t, transports[1])
	g := st.start()
	st.opt.Ring.Bytes.Store(1)
	g.answers(publication(t, "api", `{"type":0,"messageId":"1","to":"b","data":"one"}`))
	all, _, err := g.Pending("b", 10, true)
	if err != nil || len(all) != 1 || string(all[0].Data) != `"one"` || string(all[0].MessageID) != `"1"` {
		t.Errorf("got %+v, %v", all, err)
	}
	paged := false
	g.each(func(s *Shard) {
		for _, b := range s.boxList {
			paged = paged || b.count > 0 && !s.block(s.entries.At(b.low.first).block).here
		}
	})
	if !paged {
		t.Error("it was in memory: the test shows nothing")
	}
}

func TestAPublisherIsToldThatAMessageHasWaitedTooLong(t *testing.T) {
	g := newStore(t, transports[1]).start()
	p := publication(t, "api", `{"type":0,"messageId":"1","to":"away","data":"x","ttl":1}`, `{"type":0,"to":["away","b"],"data":"x","ttl":1}`)
	p.Delivered = true
	if got := g.answers(p); got[0] != "expireddisk queued" || got[1] != "expireddisk queued" {
		t.Errorf("got %q", got)
	}
}

func TestAPublisherWaitsForAReliableRecipientAndRepeatsAreKnown(t *testing.T) {
	st := newStore(t, transports[1])
	g := st.start()
	b, _ := g.resume("b", "", 0)
	p := publication(t, "api", `{"type":0,"messageId":"1","to":"b","data":"x"}`)
	p.Delivered = true
	var done sync.WaitGroup
	var got []string
	done.Go(func() { got = g.answers(p) })
	b.want(echoed(1, "api", "1", `"x"`))
	b.send(`{"type":1,"seq":1}`)
	done.Wait()
	if got[0] != "disk delivered" {
		t.Errorf("got %q", got)
	}
	for range 3 {
		if got := g.answers(publication(t, "api", `{"type":0,"messageId":"1","to":"b","data":"x"}`)); got[0] != "disk delivered" {
			t.Errorf("a repeat got %q", got)
		}
	}
	g.answers(publication(t, "api", `{"type":0,"messageId":"2","to":"b","data":"y"}`))
	b.want(echoed(2, "api", "2", `"y"`)) // and none of the repeats
}
