package lua

import (
	"fmt"
	"math"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

const (
	// defaultBudget is how many instructions one call of a script may use.
	defaultBudget = 100_000
	// loadBudget is how many instructions running a file once may use.
	loadBudget = 10_000_000

	// maxCallTime and maxLoadTime end what uses few instructions but much time:
	// an instruction that works on a large value (#t, a < b, next) costs one
	// instruction however long it takes.
	maxCallTime = time.Second
	maxLoadTime = 10 * time.Second

	// clockEvery is how many instructions pass between two looks at the clock.
	clockEvery = 1024
)

// What built-ins charge for work that is no instruction of the VM.
const (
	bytesPerInstruction = 16 // bytes that are copied, made or compared
	itemsPerInstruction = 4  // list items that are visited
	stepsPerInstruction = 8  // steps of the pattern matcher
	costOfError         = 50 // catching an error
	costOfLog           = 200
)

// budget counts the instructions of a call and ends it past the limit. It is
// the context.Context of its VM: the VM asks Done before every instruction.
// Past the limit every further instruction fails, so a script that catches the
// error gets no further.
type budget struct {
	limit   int           // instructions of this call
	slice   int           // instructions left before the clock is looked at
	rest    int           // instructions left after that
	maxTime time.Duration // of this call
	began   time.Time     // the first look at the clock in this call
	late    bool          // maxTime is over
	spent   chan struct{} // closed
	stopped *atomic.Bool  // somebody ends the call from outside; nil where nobody does
	// due is the instruction of this call at which the next sample is taken;
	// neverDue while nothing is sampled, and then this costs nothing: only a refill
	// looks at it.
	due     int
	sampler *sampler // of a call that is sampled
}

const neverDue = math.MaxInt

func newBudget() *budget {
	b := &budget{spent: make(chan struct{}), due: neverDue}
	close(b.spent)
	return b
}

// reset begins a call of at most limit instructions.
func (b *budget) reset(limit int, maxTime time.Duration) {
	b.limit, b.maxTime = limit, maxTime
	b.slice = min(limit, clockEvery)
	b.rest = limit - b.slice
	b.began, b.late = time.Time{}, false
}

// sample takes a sample at instruction first from now, counted from 1, and then
// at every core.SampleEvery-th, until due is set back.
func (b *budget) sample(s *sampler, first int) {
	if b.exhausted() {
		return
	}
	b.sampler, b.due = s, b.used()+first
	b.rest += b.slice
	b.cut()
}

// sampled takes the samples that are due. One built-in may charge for several.
func (b *budget) sampled() {
	samples := 1 + (b.limit-b.rest-b.due)/core.SampleEvery
	b.due += samples * core.SampleEvery
	b.sampler.take(samples)
}

// cut takes the next slice out of the rest.
func (b *budget) cut() {
	b.slice = min(b.rest, clockEvery, b.due-(b.limit-b.rest)-1)
	b.rest -= b.slice
}

// Done counts one instruction. It returns nil while the budget lasts.
func (b *budget) Done() <-chan struct{} {
	b.slice--
	if b.slice >= 0 {
		return nil
	}
	if b.refill() {
		return nil
	}
	return b.spent
}

// charge counts n instructions for the work of a built-in and reports whether
// the budget lasts. Built-ins ask before they do the work.
func (b *budget) charge(n int) bool {
	b.slice -= n
	return b.slice >= 0 || b.refill()
}

// refill takes the next slice out of the rest once slice is below zero.
func (b *budget) refill() bool {
	b.rest += b.slice
	if b.rest < 0 || b.late {
		b.slice, b.rest = -1, 0
		return false
	}
	if now := time.Now(); b.began.IsZero() {
		b.began = now
	} else if now.Sub(b.began) > b.maxTime {
		b.late = true
		b.slice, b.rest = -1, 0
		return false
	}
	if b.stopped != nil && b.stopped.Load() {
		b.late = true
		b.slice, b.rest = -1, 0
		return false
	}
	if b.limit-b.rest >= b.due {
		b.sampled()
	}
	b.cut()
	return true
}

// exhausted reports whether the call is over its budget.
func (b *budget) exhausted() bool { return b.slice < 0 }

// used is how many instructions the call has used so far.
func (b *budget) used() int { return min(b.limit-b.slice-b.rest, b.limit) }

// left is how many instructions the call may still use.
func (b *budget) left() int { return max(b.slice+b.rest, 0) }

// Err says why the call was ended.
func (b *budget) Err() error {
	if b.late {
		return fmt.Errorf("time budget of %v exceeded", b.maxTime)
	}
	return fmt.Errorf("instruction budget of %d exceeded", b.limit)
}

// Deadline is for context.Context; a budget has none.
func (b *budget) Deadline() (time.Time, bool) { return time.Time{}, false }

// Value is for context.Context; a budget has none.
func (b *budget) Value(any) any { return nil }
