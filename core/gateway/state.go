package gateway

import "sync"

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
