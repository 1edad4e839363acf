package arena

import "sync/atomic"

// Budget is the bytes that all arenas and pools of a process may hold. They
// lease them span by span and give them back the same way. Its methods are safe
// from any goroutine.
type Budget struct {
	limit func() int64
	used  atomic.Int64
}

// NewBudget makes a budget of limit bytes. The limit is asked for at each lease,
// on the goroutine that leases, so it may change while running; lowering it
// takes nothing away from who has it.
func NewBudget(limit func() int64) *Budget { return &Budget{limit: limit} }

// Used returns the bytes that are leased.
func (b *Budget) Used() int64 { return b.used.Load() }

// Exceeded reports whether more is leased than may be: AllocOver does that, and a
// limit that was lowered.
func (b *Budget) Exceeded() bool { return b.used.Load() > b.limit() }

// lease takes n bytes, all or none.
func (b *Budget) lease(n int64) bool {
	limit := b.limit()
	for {
		used := b.used.Load()
		if n > limit-used {
			return false
		}
		if b.used.CompareAndSwap(used, used+n) {
			return true
		}
	}
}

func (b *Budget) giveBack(n int64) { b.used.Add(-n) }
