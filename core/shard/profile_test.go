package shard

import (
	"context"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// sampledPrograms notes which programs were told to sample. The shards call it.
type sampledPrograms struct {
	mu  sync.Mutex
	now map[*core.Program]*core.Samples
}

func (s *sampledPrograms) watch(gen *core.Generation) *core.Generation {
	for _, p := range gen.Programs {
		p.Sample = func(to *core.Samples) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.now[p] = to
			if to != nil {
				to.Lost++ // a sample
			}
		}
	}
	return gen
}

// sampling counts the programs that sample at the moment.
func (s *sampledPrograms) sampling() (n int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, to := range s.now {
		if to != nil {
			n++
		}
	}
	return n
}

func TestAProfileSamplesEveryProgramOfItsTime(t *testing.T) {
	opt := options()
	programs := &sampledPrograms{now: map[*core.Program]*core.Samples{}}
	set, err := New(opt, programs.watch(generation(1, opt.Shards, &hooks{})))
	if err != nil {
		t.Fatal(err)
	}
	set.Run()
	ctx, cancel := context.WithCancel(context.Background())
	told := make(chan []*core.Samples)
	go func() { told <- set.Profile(ctx) }()
	for programs.sampling() < opt.Shards {
		set.Stats() // asks every shard
	}
	set.Swap(programs.watch(generation(2, opt.Shards, &hooks{})))
	if n := programs.sampling(); n != 2*opt.Shards {
		t.Errorf("%d programs sample after a save, want the %d of both generations", n, 2*opt.Shards)
	}
	cancel()
	all := <-told
	if len(all) != opt.Shards {
		t.Fatalf("%d shards told", len(all))
	}
	for i, samples := range all {
		if samples.Lost < 2 {
			t.Errorf("shard %d noted %d samples, want those of two programs", i, samples.Lost)
		}
	}
	// An old program that holds nothing is let go of at the swap and runs no more;
	// the live one was told that it is over.
	for _, p := range []int{0, 1} {
		if set.all[p].samples != nil {
			t.Errorf("shard %d goes on", p)
		}
	}
	set.Stop()
	if all := set.Profile(context.Background()); len(all) != 0 {
		t.Errorf("%d shards told after the end", len(all))
	}
}
