package shard

import (
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// tray is an upstream's queue on the shard's own goroutine.
type tray struct{ posts []*core.Post }

func (t *tray) Offer(p *core.Post) bool {
	t.posts = append(t.posts, p)
	return true
}

// back gives all posts back, as if the shard had just found them in its inbox.
func (t *tray) back(s *Shard) {
	for i, p := range t.posts {
		t.posts[i], p.Next = nil, nil
		s.posted(p)
	}
	t.posts = t.posts[:0]
}

// toTray is a rig whose messages all go to an upstream.
func toTray(t testing.TB) (*rig, *tray) {
	r := &rig{byHand(t, oneShard(), &hooks{}, stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToUpstream, Name: "orders"})
		return core.Next, nil
	})), make([]byte, 1<<20)}
	y := &tray{}
	r.shards[0].program.Upstreams = []core.Upstream{{Name: "orders", Queue: y}}
	return r, y
}

func TestAMessageForAnUpstreamDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	r, y := toTray(t)
	a := r.connect("a")
	wire := masked(`{"type":0,"messageId":"msg-001","receipt":true,"data":"` + data + `"}`)
	got := 0
	one := func() {
		r.write(a, wire)
		r.turn(1)
		y.back(r.shards[0])
		r.turn(1)
		got = r.empty(a)
	}
	for range 100 {
		one()
	}
	if n := testing.AllocsPerRun(500, one); n != 0 {
		t.Errorf("%v allocations a message", n)
	}
	if got < 100 {
		t.Errorf("%d bytes came out", got)
	}
}

func TestWhatAWaveOfPostsLeavesGoesBack(t *testing.T) {
	r, y := toTray(t)
	a := r.connect("a")
	wire := masked(`{"type":0,"data":1}`)
	for range 5000 {
		r.write(a, wire)
		r.turn(1)
	}
	if len(y.posts) != 5000 {
		t.Fatalf("%d posts", len(y.posts))
	}
	y.back(r.shards[0])
	s := r.shards[0]
	if s.postCount != keepPosts {
		t.Errorf("%d are kept, want %d", s.postCount, keepPosts)
	}
	r.pass(100 * tickLength)
	if s.postCount > fewPosts {
		t.Errorf("%d are still kept", s.postCount)
	}
	n := 0
	for p := s.posts; p != nil; p = p.Next {
		n++
	}
	if n != s.postCount {
		t.Errorf("%d are kept, and %d are counted", n, s.postCount)
	}
}

// BenchmarkToUpstream is a message that is handed to an upstream, its
// acknowledgement, and what came of it; 8 messages a read.
func BenchmarkToUpstream(b *testing.B) {
	r, y := toTray(b)
	a := r.connect("a")
	const burst = 8
	wire := masked(`{"type":0,"messageId":"msg-001","data":"` + data + `"}`)
	var many []byte
	for range burst {
		many = append(many, wire...)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += burst {
		r.write(a, many)
		r.turn(1)
		y.back(r.shards[0])
		r.empty(a)
	}
}
