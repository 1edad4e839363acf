package shard

import (
	"hash/maphash"

	"github.com/stratix-gateway/stratix/core"
)

// canary is a generation that a share of the clients has before the others.
type canary struct {
	program *core.Program // nil for none
	share   uint64        // of canaryWhole, by the hash of the ClientID
	seed    maphash.Seed
}

const canaryWhole = 1 << 32

// shareOf is a share for a canary: of somebody, however small it is.
func shareOf(part float64) uint64 { return max(1, uint64(part*canaryWhole)) }

// programOf is the program that the messages of a ClientID begin in.
func (s *Shard) programOf(id string) *core.Program {
	if y := &s.canary; y.program != nil && maphash.String(y.seed, id)%canaryWhole < y.share {
		return y.program
	}
	return s.program
}

// programs are those that messages begin in.
func (s *Shard) programs() []*core.Program {
	if s.canary.program != nil {
		return []*core.Program{s.program, s.canary.program}
	}
	return []*core.Program{s.program}
}

// setProgram makes p live for all clients. It may have been the canary.
func (s *Shard) setProgram(p *core.Program) {
	if s.canary.program == p {
		s.canary.program = nil
	}
	s.retiring = append(s.retiring, s.program)
	s.program = p
	if s.pulse != nil {
		s.pulse.goesLive(p)
	}
	s.bound(p)
	s.sampleNew()
	s.releasePrograms()
}

// setCanary makes y the canary in place of the one there may be.
func (s *Shard) setCanary(y canary) {
	if s.canary.program != nil {
		s.retiring = append(s.retiring, s.canary.program)
	}
	s.canary = y
	if y.program != nil {
		s.bound(y.program)
	}
	s.sampleNew()
	s.releasePrograms()
}

// Canary gives a share of the clients, by the hash of their ClientIDs, a
// generation before all others have it. It replaces the one there may be. It
// returns when all shards have it.
func (set *Set) Canary(gen *core.Generation, share float64) {
	seed := maphash.MakeSeed()
	for i, s := range set.all {
		p := gen.Programs[i]
		s.inbox.post(&parcel{kind: parcelCall, call: func() {
			s.setCanary(canary{p, shareOf(share), seed})
		}})
	}
	set.each(func(*Shard) {})
}

// EndCanary takes the canary back: its clients have the live generation again.
func (set *Set) EndCanary() {
	set.each(func(s *Shard) { s.setCanary(canary{}) })
}

// Toll is what a generation that is live, or a canary, has cost so far; nothing
// after Stop.
func (set *Set) Toll(generation uint32) core.Toll {
	tolls := make(chan core.Toll, len(set.all))
	set.each(func(s *Shard) {
		for _, p := range s.programs() {
			if p.Generation != generation {
				continue
			}
			t := p.Toll
			t.Talkers = s.talkers
			if p.Script != nil {
				t.Errors, t.Calls = p.Script.Errors, p.Script.Calls
			}
			tolls <- t
			return
		}
	})
	var sum core.Toll
	for len(tolls) > 0 {
		t := <-tolls
		sum.Add(&t)
	}
	return sum
}
