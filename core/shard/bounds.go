package shard

import "github.com/stratix-gateway/stratix/core"

// bounds counts the messages that wait for a shard's clients against the bound
// of all shards, of which it leases some at a time.
type bounds struct {
	ring   *core.Ring
	shared *shared
	share  int64 // how many are leased at a time, at the most
	leased int64
	used   int64
}

// get takes room for one message; false when there is none.
func (b *bounds) get() bool {
	if b.used == b.leased {
		limit := b.ring.Messages.Load()
		// Little where little is left: what one shard leases the others cannot have.
		n := max(1, min(b.share, (limit-b.shared.messages.Load())/64))
		if b.shared.messages.Add(n) > limit {
			b.shared.messages.Add(-n)
			return false
		}
		b.leased += n
	}
	b.used++
	return true
}

// force takes room for one message that is there already.
func (b *bounds) force() {
	if b.used == b.leased {
		b.shared.messages.Add(1)
		b.leased++
	}
	b.used++
}

// put gives the room of one message back. What is leased and not used is kept for
// the next ones, as far as that is little.
func (b *bounds) put() {
	b.used--
	spare := b.leased - b.used
	if most := min(b.share, b.ring.Messages.Load()/64); spare > 2*most {
		b.shared.messages.Add(most - spare)
		b.leased -= spare - most
	}
}
