package core

// SampleEvery is how many Lua instructions one sample stands for: a prime, so
// that no loop of a script goes round in step with it.
const SampleEvery = 997

// maxSampledFrames bounds the memory of a shard's samples: about 3 MB.
const maxSampledFrames = 1 << 16

// Samples says where the Lua instructions of one shard went. The shard's
// goroutine fills it, and hands it over when the sampling ends.
type Samples struct {
	Stacks []*Stack
	// Lost counts the samples whose stack found no room.
	Lost uint64

	frames int // of all stacks
}

// Stack is one way to have come to a place in the scripts.
type Stack struct {
	Generation uint32
	Stage      string // or hook, whose call it was
	Frames     []Frame
	Samples    uint64
}

// Frame is one function of a stack, innermost first.
type Frame struct {
	Function string // its name where it was called, or the place where it begins
	File     string // "main.lua"; "" for a built-in
	Line     int    // that it was at
	Start    int    // line where it begins
}

// Add takes a stack whose samples are counted by the caller, and reports
// whether there was room for it.
func (s *Samples) Add(stack *Stack) bool {
	if s.frames+len(stack.Frames) > maxSampledFrames {
		return false
	}
	s.frames += len(stack.Frames)
	s.Stacks = append(s.Stacks, stack)
	return true
}
