package lua

import "github.com/stratix-gateway/stratix/core"

// luaStage is a Lua function of the pipeline.
type luaStage struct {
	run   *runner
	at    int    // its place in the pipeline
	label string // names it in logs
}

// Handle calls the function with a fresh msg, which is spent when it returns.
func (s *luaStage) Handle(m *core.Message) (core.Verdict, error) {
	in := s.run.in
	h := in.newMessage(m)
	s.run.client, s.run.message = m.From.ID, m.ID
	used, err := s.run.callAfter(m.Instructions, s.label, in.pipeline[s.at].fn, 0, &h.object)
	m.Instructions = used
	h.m = nil
	switch {
	case err != nil:
		return core.Drop, err
	case h.ended:
		return core.Drop, nil
	}
	return core.Next, nil
}
