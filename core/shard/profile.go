package shard

import (
	"context"

	"github.com/stratix-gateway/stratix/core"
)

// Profile samples the scripts of all shards until ctx ends, also those that go
// live meanwhile, and returns what each shard noted; nothing after Stop. One
// call runs at a time.
func (set *Set) Profile(ctx context.Context) []*core.Samples {
	set.each(func(s *Shard) {
		s.samples = &core.Samples{}
		s.setSamples()
	})
	select {
	case <-ctx.Done():
	case <-set.stop:
	}
	told := make(chan *core.Samples, len(set.all))
	set.each(func(s *Shard) {
		told <- s.samples
		s.samples = nil
		s.setSamples()
	})
	all := make([]*core.Samples, 0, len(set.all))
	for len(told) > 0 {
		if samples := <-told; samples != nil {
			all = append(all, samples)
		}
	}
	return all
}

// setSamples lets the programs know of s.samples: the live ones, and those that
// finish what they hold.
func (s *Shard) setSamples() {
	for _, p := range s.retiring {
		if p.Sample != nil {
			p.Sample(s.samples)
		}
	}
	for _, p := range s.programs() {
		if p.Sample != nil {
			p.Sample(s.samples)
		}
	}
}

// sampleNew is setSamples when a program has come, while somebody asks.
func (s *Shard) sampleNew() {
	if s.samples != nil {
		s.setSamples()
	}
}
