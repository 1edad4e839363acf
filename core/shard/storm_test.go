package shard

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// Clients send all kinds of messages to each other while others come and go,
// messages are held and the generation changes: every message is answered
// exactly once, each recipient's seqs have no hole, and one sender's messages
// arrive in order.
func TestEveryMessageIsAnsweredExactlyOnce(t *testing.T) {
	const stayers, each = 16, 400
	onEachTransport(t, func(t *testing.T, transport string) {
		h := &holder{}
		route := stageFunc(func(m *core.Message) (core.Verdict, error) {
			switch {
			case bytes.HasPrefix(m.Data, []byte(`"drop`)):
				return m.DropFor("as asked"), nil
			case bytes.HasPrefix(m.Data, []byte(`"fail`)):
				return core.Next, fmt.Errorf("as asked")
			case bytes.HasPrefix(m.Data, []byte(`"reply`)):
				m.Effects.Replies = append(m.Effects.Replies, m.Data)
			}
			return core.Next, nil
		})
		opt := options()
		opt.QueueBytes = 64 << 20 // nothing is dropped
		g := start(t, transport, opt, &hooks{}, h, route)
		var all []*client
		for i := range stayers {
			c := g.connect(fmt.Sprint("s", i))
			c.send(`{"type":8,"groups":["room"]}`)
			c.want(`{"type":1,"joined":["room"]}`)
			all = append(all, c)
		}
		stop := make(chan struct{})
		var others, wait sync.WaitGroup
		others.Go(func() { // the holder lets go again and again
			for {
				select {
				case <-stop:
					return
				default:
					h.resume()
					g.Stats()
				}
			}
		})
		others.Go(func() { // others come and go
			for i := 0; ; i++ {
				select {
				case <-stop:
					return
				default:
					c := g.connect(fmt.Sprint("other-", i%5))
					c.send(`{"type":0,"messageId":"x","to":{"group":"room"},"data":0}`)
					c.conn.Close()
				}
			}
		})
		others.Go(func() { // scripts are saved
			for i := uint32(2); ; i++ {
				select {
				case <-stop:
					return
				default:
					g.Swap(generation(i, opt.Shards, &hooks{}, h, route))
				}
			}
		})
		for i, c := range all {
			wait.Go(func() { talk(c, i, each) })
			wait.Go(func() { listen(c, each) })
		}
		wait.Wait()
		close(stop)
		others.Wait()
		h.resume()
		for _, s := range g.Stats() {
			if s.InFlight > stayers {
				t.Fatalf("%d messages wait for their receipts", s.InFlight)
			}
		}
	})
}

func talk(c *client, who, n int) {
	r := rand.New(rand.NewPCG(uint64(who), 9))
	words := []string{"plain", "plain", "plain", "hold", "reply", "drop", "fail"}
	for i := range n {
		to := []string{
			fmt.Sprintf(`"s%d"`, r.IntN(16)), fmt.Sprintf(`"s%d"`, r.IntN(16)), fmt.Sprintf(`"s%d"`, who), `"nobody"`,
			fmt.Sprintf(`["s%d","s%d","nobody"]`, r.IntN(16), r.IntN(16)), `{"prefix":"s1"}`, `{"group":"room"}`, `null`, `7`,
		}[r.IntN(9)]
		receipt := r.IntN(2) == 0
		_, err := c.conn.Write(masked(fmt.Sprintf(`{"type":0,"messageId":"%d","to":%s,"receipt":%v,"data":"%s"}`,
			i, to, receipt, words[r.IntN(len(words))])))
		if err != nil {
			c.t.Errorf("s%d: %v", who, err)
			return
		}
	}
}

// listen reads until each of n messages is answered; a second answer may only
// follow one that said queued.
func listen(c *client, n int) {
	answers := make([]string, n)
	last := map[string]int{} // the last message of each sender
	open, seq := n, 0
	for open > 0 {
		op, b, err := c.next()
		if err != nil || op != frame.OpText {
			c.t.Errorf("%d answers are missing: op %d, %v", open, op, err)
			return
		}
		text := string(b)
		var id int
		if _, rest, ok := strings.Cut(text, `"messageId":"`); ok {
			fmt.Sscanf(rest, "%d", &id)
		}
		if strings.HasPrefix(text, `{"type":0,`) {
			seq++
			if !strings.HasPrefix(text, fmt.Sprintf(`{"type":0,"seq":%d,`, seq)) {
				c.t.Errorf("got %s, want seq %d", text, seq)
				return
			}
			_, from, _ := strings.Cut(text, `"from":"`)
			if from, _, _ = strings.Cut(from, `"`); strings.HasPrefix(from, "s") {
				if before, ok := last[from]; ok && before >= id {
					c.t.Errorf("message %d of %s came after %d", id, from, before)
					return
				}
				last[from] = id
			}
			continue
		}
		switch answers[id] {
		case "":
			open--
		case "queued":
		default:
			c.t.Errorf("message %d was answered with %s, and then %s", id, answers[id], text)
			return
		}
		answers[id] = text
		if strings.Contains(text, `"status":"queued"`) {
			answers[id] = "queued"
		}
	}
}

// Every client floods one on the other shard that does not read. All shards
// stay responsive, memory is bounded, and what is not dropped arrives.
func TestFloodsBetweenShards(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		opt := options()
		opt.QueueBytes = 256 << 10
		g := start(t, transport, opt, &hooks{})
		var deaf []*client
		for i := range 8 {
			deaf = append(deaf, g.connect(fmt.Sprint("deaf", i)))
		}
		live := []*client{g.connect("live-0"), g.connect("live-1"), g.connect("live-2"), g.connect("live-3")}
		g.await(12)
		const n = 160
		var wait sync.WaitGroup
		for i := range 8 {
			c := g.connect(fmt.Sprint("flood", i))
			wait.Go(func() {
				for j := range n {
					if _, err := c.conn.Write(masked(fmt.Sprintf(`{"type":0,"messageId":"%d","to":"deaf%d","data":"%s"}`,
						j, j%8, strings.Repeat("x", 30<<10)))); err != nil {
						t.Error(err)
						return
					}
				}
			})
			wait.Go(func() {
				for range n {
					// Taken, or dropped before its turn was over.
					if _, b, err := c.next(); err != nil || !strings.Contains(string(b), `"status":"`) && !strings.Contains(string(b), `"overflow"`) {
						t.Errorf("got %.80s, %v", b, err)
						return
					}
				}
			})
		}
		for i := range 50 {
			for _, c := range live {
				c.send(fmt.Sprintf(`{"type":0,"messageId":"%d","to":{"prefix":"live-"},"data":1}`, i))
			}
			for _, c := range live {
				for acks := 0; acks < 1; {
					if strings.HasPrefix(c.text(), `{"type":1,`) {
						acks++
					}
				}
			}
			queued := 0
			for _, s := range g.Stats() {
				queued += s.QueuedBytes
			}
			if queued > 8*(opt.QueueBytes+writeBytes)+1<<20 {
				t.Fatalf("%d bytes wait", queued)
			}
		}
		wait.Wait()
		for i, c := range deaf { // they read at last
			for next := 1; next <= n; {
				text := c.text()
				var from, to int
				switch {
				case strings.HasPrefix(text, fmt.Sprintf(`{"type":0,"seq":%d,`, next)):
					next++
				default:
					if _, err := fmt.Sscanf(text, `{"type":7,"gaps":[[%d,%d,"dropped"]]}`, &from, &to); err != nil || from != next {
						t.Fatalf("deaf%d got %.80s where %d is due", i, text, next)
					}
					next = to + 1
				}
			}
		}
	})
}

// A client that only writes is heard again when it reads, on both transports.
func TestAClientThatReadsAtLast(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		opt := options()
		opt.QueueBytes = 256 << 10
		g := start(t, transport, opt, &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
			m.Effects.Replies = append(m.Effects.Replies, m.Data)
			return core.Next, nil
		}))
		a := g.connect("a")
		const n = 1000
		text := strings.Repeat("x", 16<<10)
		sent := make(chan error, 1)
		go func() {
			for i := range n {
				if _, err := a.conn.Write(masked(fmt.Sprintf(`{"type":0,"messageId":"%d","data":"%s"}`, i, text))); err != nil {
					sent <- err
					return
				}
			}
			sent <- nil
		}()
		// It writes until nothing moves any more.
		for in, same := uint64(0), 0; same < 200; {
			now := g.counts().WireIn
			if same++; now != in {
				in, same = now, 0
			}
		}
		if in := g.counts().In; in == n {
			t.Fatal("it was not held back")
		}
		for i := range n {
			a.want(fmt.Sprintf(`{"type":0,"seq":%d,"messageId":"%d","data":"%s"}`, i+1, i, text), acked(fmt.Sprint(i), "delivered"))
		}
		if err := <-sent; err != nil {
			t.Fatal(err)
		}
	})
}

func TestLongMessagesAreCompressedForThoseWhoCan(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		opt := options()
		opt.DeflateAbove = 512
		g := start(t, transport, opt, &hooks{}, toSender)
		sender := g.connect("sender")
		can, cannot := g.connectWith(Client{ID: "can", Deflate: true}), g.connect("cannot")
		g.await(3)
		f := func(data string, compressed bool) {
			t.Helper()
			sender.send(`{"type":0,"messageId":"1","to":["can","cannot"],"data":"` + data + `"}`)
			sender.want(`{"type":1,"messageId":"1","stored":"memory","status":"delivered","delivered":2}`)
			want := cannot.text()
			wire := rawFrame(t, can)
			if got := wire[0]&0x40 != 0; got != compressed {
				t.Fatalf("compressed: %v, want %v, at %d bytes", got, compressed, len(want))
			}
			r := frame.NewReader(frame.Config{MaxMessage: 1 << 20, Client: true})
			var partial *frame.Partial
			ev, _, ok, err := r.Next(&partial, true, wire)
			if !ok || err != nil || string(ev.Payload) != want {
				t.Fatalf("got %q, %v, want %q", ev.Payload, err, want)
			}
			if compressed && len(wire) >= len(want) {
				t.Fatalf("%d bytes for %d", len(wire), len(want))
			}
		}
		f("short", false)
		f(strings.Repeat("long ", 200), true)
		f(strings.Repeat("x", 60<<10), true)
	})
}

// rawFrame reads one frame of the server as it is on the wire.
func rawFrame(t *testing.T, c *client) []byte {
	t.Helper()
	head, err := c.in.Peek(2)
	if err != nil {
		t.Fatal(err)
	}
	first, second := head[0], head[1]
	_, payload, err := c.next()
	if err != nil {
		t.Fatal(err)
	}
	whole := frame.AppendFrame(nil, frame.OpText, payload)
	whole[0] = first
	if whole[1] != second {
		t.Fatalf("the length is written as %d, want %d", second, whole[1])
	}
	return whole
}
