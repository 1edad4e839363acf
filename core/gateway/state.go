package gateway

import (
	"sync"

	"github.com/stratix-gateway/stratix/core"
)

// states holds what outlives generations, by name; see core.Env.
type states struct {
	mu   sync.Mutex
	byID map[string]any
}

// newStates begins with what the gateway makes by itself.
func newStates(own map[string]any) *states { return &states{byID: own} }

func (s *states) get(name string, make func() any) any {
	s.mu.Lock()
	defer s.mu.Unlock()
	v, ok := s.byID[name]
	if !ok {
		v = make()
		s.byID[name] = v
	}
	return v
}

// report tells a page of metrics what the values have to tell.
func (s *states) report(p *page) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, name := range sortedKeys(s.byID) {
		if r, ok := s.byID[name].(core.Reporter); ok {
			r.Report(p.counter, p.gauge)
		}
	}
}
