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
		s.sample()
	})
	select {
	case <-ctx.Done():
	case <-set.stop:
	}
	told := make(chan *core.Samples, len(set.all))
	set.each(func(s *Shard) {
		told <- s.samples
		s.samples = nil
		s.sample()
	})
	all := make([]*core.Samples, 0, len(set.all))
	for len(told) > 0 {
		if samples := <-told; samples != nil {
			all = append(all, samples)
		}
	}
	return all
}

// sample lets the programs know of s.samples: the live one, and those that
// finish what they hold.
func (s *Shard) sample() {
	for _, p := range s.retiring {
		if p.Sample != nil {
			p.Sample(s.samples)
		}
	}
	if s.program.Sample != nil {
		s.program.Sample(s.samples)
	}
}
