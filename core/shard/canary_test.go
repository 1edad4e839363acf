package shard

import (
	"fmt"
	"hash/maphash"
	"maps"
	"math"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestASmallShareIsOfSomeClients(t *testing.T) {
	live, tried := &core.Program{}, &core.Program{}
	s := &Shard{program: live, canary: canary{tried, shareOf(0.0001), maphash.MakeSeed()}}
	const clients = 200_000
	n := 0
	for i := range clients {
		if s.programOf(fmt.Sprint(i)) == tried {
			n++
		}
	}
	if want := 0.0001 * clients; math.Abs(float64(n)-want) > 16 {
		t.Errorf("%d clients have it, want about %g", n, want)
	}
	if s.canary.share = shareOf(0.0000001); s.canary.share == 0 {
		t.Error("a very small share is of nobody")
	}
	if s.canary.share = shareOf(1); s.programOf("") != tried {
		t.Error("the whole is not all")
	}
}

func TestACanaryIsLetGoOnceAndWithItsLastMessage(t *testing.T) {
	stamp := func(s string) core.Stage {
		return stageFunc(func(m *core.Message) (core.Verdict, error) {
			m.Data = []byte(s)
			return core.Next, nil
		})
	}
	f := func(name string, end func(g *gate, tried *core.Generation), finishes string, want map[uint32]int) {
		t.Run(name, func(t *testing.T) {
			var mu sync.Mutex
			released := map[uint32]int{}
			told := func() map[uint32]int {
				mu.Lock()
				defer mu.Unlock()
				return maps.Clone(released)
			}
			opt := options()
			opt.Released = func(n uint32) {
				mu.Lock()
				defer mu.Unlock()
				released[n]++
			}
			h := &holder{}
			g := start(t, "epoll", opt, &hooks{}, stamp("1"), toSender)
			tried := generation(2, opt.Shards, &hooks{}, h, stamp("2"), toSender)
			g.Canary(tried, 1)
			a := g.connect("a")
			a.send(`{"type":0,"messageId":"x","data":"hold"}`)
			h.wait(1)
			end(g, tried)
			a.send(`{"type":0,"messageId":"y","data":0}`)
			h.resume()
			a.want(echoed(1, "a", "x", "2"), acked("x", "delivered"), echoed(2, "a", "y", finishes), acked("y", "delivered"))
			g.Stats() // the shards have made a turn since
			if got := told(); !maps.Equal(got, want) {
				t.Errorf("released %v, want %v", got, want)
			}
		})
	}
	f("ended", func(g *gate, _ *core.Generation) { g.EndCanary() }, "1", map[uint32]int{2: 2})
	f("live for all", func(g *gate, tried *core.Generation) { g.Swap(tried) }, "2", map[uint32]int{1: 2})
	f("replaced", func(g *gate, _ *core.Generation) {
		g.Canary(generation(3, len(g.all), &hooks{}, stamp("3"), toSender), 1)
	}, "3", map[uint32]int{2: 2})
	f("live for all, and replaced", func(g *gate, tried *core.Generation) {
		g.Swap(tried)
		g.Swap(generation(3, len(g.all), &hooks{}, stamp("3"), toSender))
	}, "3", map[uint32]int{1: 2, 2: 2})
}
