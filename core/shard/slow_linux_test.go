package shard

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/stratix-gateway/stratix/core"
)

// blob is a message of about n bytes for a client, with a running number.
func blob(to string, i, n int, more string) string {
	return fmt.Sprintf(`{"type":0,"messageId":"m%d","to":%q%s,"data":"%s"}`, i, to, more, strings.Repeat("x", n))
}

func queued(policy Policy) Options {
	opt := oneShard()
	opt.QueueBytes, opt.QueuePolicy = 64<<10, policy
	return opt
}

// statuses are the words of the acknowledgements and errors among got, by
// message.
func statuses(got []string) map[string][]string {
	all := map[string][]string{}
	for _, g := range got {
		_, rest, ok := strings.Cut(g, `"messageId":"`)
		if !ok || strings.HasPrefix(g, `{"type":0`) {
			continue
		}
		id, rest, _ := strings.Cut(rest, `"`)
		for _, word := range []string{`"status":"`, `"code":"`} {
			if _, s, ok := strings.Cut(rest, word); ok {
				word, _, _ = strings.Cut(s, `"`)
				all[id] = append(all[id], word)
			}
		}
	}
	return all
}

func wantStatus(t *testing.T, all map[string][]string, id string, want ...string) {
	t.Helper()
	if got := all[id]; strings.Join(got, " ") != strings.Join(want, " ") {
		t.Fatalf("%s was answered with %q, want %q", id, got, want)
	}
}

// everything reads and makes turns until nothing comes any more.
func (e *end) everything(x *hand) (all []string) {
	for {
		got := e.got()
		all = append(all, got...)
		x.turn(3)
		if len(got) == 0 {
			return all
		}
	}
}

func TestAnAcknowledgementSaysWhatIsTrue(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{})
	a, b := x.connect("a"), x.connect("b")
	a.send(blob("b", 0, 100, ""))
	x.turn(2)
	wantStatus(t, statuses(a.got()), "m0", "delivered")
	// The socket takes about 16 KB.
	for i := 1; i <= 5; i++ {
		a.sendAll(x, blob("b", i, 10<<10, `,"receipt":true`))
	}
	a.sendAll(x, blob("b", 6, 10, ""))
	x.turn(2)
	first := statuses(a.got())
	waits := 0
	for i := 1; i <= 6; i++ {
		id := fmt.Sprint("m", i)
		switch words := first[id]; {
		case len(words) != 1:
			t.Fatalf("%s was answered with %q", id, words)
		case words[0] == "queued":
			waits++
		case waits > 0 || words[0] != "delivered":
			t.Fatalf("%s is %s behind one that is queued", id, words[0])
		}
	}
	if waits < 3 {
		t.Fatalf("only %d wait", waits)
	}
	if n := len(b.everything(x)); n != 7 {
		t.Fatalf("%d messages arrived, want 7", n)
	}
	second := statuses(a.got())
	for i := 1; i <= 5; i++ {
		id := fmt.Sprint("m", i)
		if first[id][0] == "queued" {
			wantStatus(t, second, id, "delivered")
		} else {
			wantStatus(t, second, id)
		}
	}
	wantStatus(t, second, "m6") // no receipt was asked for
	if s := x.shards[0]; s.flights.late != 0 || len(s.flights.unused) != len(s.flights.slots) {
		t.Fatal("a flight has not ended")
	}
}

// A buffer that was written while the turn went on, and another one behind it
// that could not be: the first messages are delivered, and none waits for ever.
func TestReceiptsOfATurnThatFillsTheSocketTwice(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	b := x.connect("b")
	grow(t, b, 100<<10)
	var all []*end
	for i := range 8 {
		a := x.connect(fmt.Sprint("a", i))
		grow(t, a, 100<<10)
		all = append(all, a)
	}
	for _, a := range all {
		a.send(blob("b", 0, 60<<10, `,"receipt":true`))
	}
	x.turn(2)
	var words []string
	for _, a := range all {
		words = append(words, statuses(a.got())["m0"]...)
	}
	if got := strings.Join(words, " "); !strings.HasPrefix(got, "delivered delivered ") || !strings.HasSuffix(got, " queued") || len(words) != 8 {
		t.Fatalf("answered with %q", got)
	}
	b.everything(x)
	for i, a := range all {
		if late := statuses(a.got())["m0"]; (len(late) == 1) != (words[i] == "queued") {
			t.Fatalf("sender %d got %s and then %q", i, words[i], late)
		}
	}
	if s := x.shards[0]; s.flights.late != 0 || len(s.flights.unused) != len(s.flights.slots) {
		t.Fatal("a flight has not ended")
	}
}

// grow gives both directions of a connection room for about n bytes.
func grow(t *testing.T, e *end, n int) {
	t.Helper()
	for _, fd := range []int{e.fd, int(e.c.fd)} {
		if err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_SNDBUF, n); err != nil {
			t.Fatal(err)
		}
	}
}

func TestAReceiptForWhatIsLost(t *testing.T) {
	f := func(name string, policy Policy, lose func(x *hand, a, b *end)) {
		t.Run(name, func(t *testing.T) {
			x := byHand(t, queued(policy), &hooks{})
			a, b := x.connect("a"), x.connect("b")
			for i := range 5 {
				a.sendAll(x, blob("b", i, 10<<10, `,"receipt":true`))
			}
			x.turn(2)
			wantStatus(t, statuses(a.got()), "m4", "queued")
			lose(x, a, b)
			x.turn(2)
			wantStatus(t, statuses(a.got()), "m4", "lost")
		})
	}
	f("gone", DropOldest, func(x *hand, a, b *end) { b.close() })
	f("dropped", DropOldest, func(x *hand, a, b *end) {
		for i := 5; i < 15; i++ {
			a.sendAll(x, blob("b", i, 10<<10, ""))
		}
	})
	f("cut off", Disconnect, func(x *hand, a, b *end) {
		for i := 5; i < 15; i++ {
			a.sendAll(x, blob("b", i, 10<<10, ""))
		}
		x.pass(closeWait)
	})
}

func TestDropOldest(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{})
	a, b := x.connect("a"), x.connect("b")
	const n = 60
	for i := range n {
		a.sendAll(x, blob("b", i, 5<<10, ""))
		if i == 20 {
			b.write([]byte{0x89, 0x80, 0, 0, 0, 0}) // a ping: its pong stays
		}
		if w := b.c.out; w != nil && w.waiting() > 64<<10 {
			t.Fatalf("%d bytes wait", w.waiting())
		}
	}
	x.turn(2)
	next, missing, gaps, pongs := 1, 0, 0, 0
	for _, g := range b.everything(x) {
		var from, to int
		switch {
		case strings.HasPrefix(g, fmt.Sprintf(`{"type":0,"seq":%d,"from":"a","messageId":"m%d"`, next, next-1)):
			next++
		case g == "pong ":
			pongs++
		default:
			if _, err := fmt.Sscanf(g, `{"type":7,"gaps":[[%d,%d,"dropped"]]}`, &from, &to); err != nil || from != next {
				t.Fatalf("got %.80s where %d is due", g, next)
			}
			missing += to - from + 1
			next = to + 1
			gaps++
		}
	}
	if next != n+1 || gaps != 1 || pongs != 1 || missing < n/2 || x.shards[0].count.Dropped != uint64(missing) {
		t.Fatalf("%d gaps, %d pongs, %d are missing, %d were counted, ends at %d", gaps, pongs, missing, x.shards[0].count.Dropped, next)
	}
	for id, words := range statuses(a.got()) {
		if len(words) != 1 || words[0] != "delivered" && words[0] != "queued" {
			t.Fatalf("%s was answered with %q", id, words)
		}
	}
}

func TestReject(t *testing.T) {
	x := byHand(t, queued(Reject), &hooks{})
	a, b := x.connect("a"), x.connect("b")
	const n = 40
	for i := range n {
		a.sendAll(x, blob("b", i, 5<<10, ""))
	}
	x.turn(2)
	refused := 0
	for i, all := 0, statuses(a.everything(x)); i < n; i++ {
		words := all[fmt.Sprint("m", i)]
		switch {
		case len(words) != 1:
			t.Fatalf("m%d was answered with %q", i, words)
		case words[0] == "overflow":
			refused++
		case refused > 0:
			t.Fatalf("m%d was taken after one was refused", i)
		}
	}
	if got := len(b.everything(x)); got != n-refused || refused < n/2 {
		t.Fatalf("%d arrived, %d were refused", got, refused)
	}
	a.send(blob("b", n, 10, ""))
	x.turn(2)
	wantStatus(t, statuses(a.got()), fmt.Sprint("m", n), "delivered")
}

func TestDisconnect(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, queued(Disconnect), h)
	a, b := x.connect("a"), x.connect("b")
	for i := 0; b.c.state == open; i++ {
		a.sendAll(x, blob("b", i, 5<<10, ""))
		if i > 100 {
			t.Fatal("it is not disconnected")
		}
	}
	x.turn(2)
	wantList(t, *why, "b slow")
	all := statuses(a.got())
	words := all[fmt.Sprint("m", len(all)-1)]
	if len(words) != 1 || words[0] != "overflow" {
		t.Fatalf("the last one was answered with %q", words)
	}
	got := b.everything(x)
	if last := got[len(got)-1]; last != "close 4008" || len(got) != len(all) {
		t.Fatalf("%d frames arrived, the last is %s; %d were taken", len(got), last, len(all)-1)
	}
	b.sendClose(4008)
	x.turn(1)
	b.want("end")
}

// A full queue in the middle of a group send: the members are walked once, and
// the slow one is taken out afterwards.
func TestDisconnectInsideAGroupWalk(t *testing.T) {
	h := &hooks{}
	why := farewells(h)
	x := byHand(t, queued(Disconnect), h, toGroup("room"))
	var all []*end
	for i := range 5 {
		c := x.connect(fmt.Sprint("c", i))
		c.send(`{"type":8,"groups":["room"]}`)
		x.turn(1)
		c.got()
		all = append(all, c)
	}
	slow := all[1]
	rounds := 0
	for ; slow.c.state == open; rounds++ {
		all[0].sendAll(x, blob("", rounds, 5<<10, ""))
		for i, c := range all {
			if got := c; i != 1 && len(got.got()) == 0 {
				t.Fatalf("c%d got nothing in round %d", i, rounds)
			}
		}
		if rounds > 100 {
			t.Fatal("it is not disconnected")
		}
	}
	wantList(t, *why, "c1 slow")
	for i, c := range all {
		if i != 1 && c.c.seq != uint64(rounds) {
			t.Fatalf("c%d was given %d messages, want %d", i, c.c.seq, rounds)
		}
	}
}

func TestRepliesAreNotDropped(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		if m.To == nil {
			m.Effects.Replies = append(m.Effects.Replies, []byte(`"own"`))
		}
		return core.Next, nil
	}))
	a, b := x.connect("a"), x.connect("b")
	for i := range 50 {
		a.sendAll(x, blob("b", i, 2<<10, ""))
		if i < 10 {
			b.send(`{"type":0,"data":1}`)
		}
		x.turn(1)
	}
	next, own := 1, 0
	for _, g := range b.everything(x) {
		var from, to int
		switch {
		case strings.HasPrefix(g, fmt.Sprintf(`{"type":0,"seq":%d,`, next)):
			if strings.Contains(g, `"own"`) {
				own++
			}
			next++
		default:
			if _, err := fmt.Sscanf(g, `{"type":7,"gaps":[[%d,%d,"dropped"]]}`, &from, &to); err != nil || from != next {
				t.Fatalf("got %.80s where %d is due", g, next)
			}
			next = to + 1
		}
	}
	if next != 61 || own != 10 {
		t.Fatalf("%d replies arrived, the last seq is %d", own, next-1)
	}
}

func TestAQueueOfOneMessageLongerThanAllowed(t *testing.T) {
	opt := queued(DropOldest)
	opt.QueueBytes = 4 << 10
	x := byHand(t, opt, &hooks{})
	a, b := x.connect("a"), x.connect("b")
	for i := range 6 {
		a.sendAll(x, blob("b", i, 12<<10, ""))
	}
	x.turn(2)
	all := statuses(a.got())
	if all["m0"][0] != "delivered" || all["m5"][0] != "overflow" {
		t.Fatalf("answered with %v", all)
	}
	x.pass(time.Second)
	if got := b.everything(x); len(got) == 0 || len(got) == 6 {
		t.Fatalf("%d arrived", len(got))
	}
}
