package core

import (
	"math/bits"
	"slices"
)

// Toll is what the messages of one shard and generation cost it.
type Toll struct {
	Messages uint64 // that it has decided on
	Failed   uint64 // of these: a stage failed
	Errors   uint64 // calls of Lua functions that failed, hooks included ...
	Calls    uint64 // ... and how many there were
	Connects uint64 // of on_connect
	Unmet    uint64 // of these: it failed
	Ticks    uint64 // of on_tick
	Missed   uint64 // of these: it failed

	Failing Clients // for whom a stage or a hook has failed
	Heavy   Clients // of whom a message took more than Most instructions
	Most    int
	Talkers int // clients that have sent a message on the connection they have

	// weights counts the messages by their Lua instructions, in buckets that are an
	// eighth as wide as what is in them is large, or less.
	weights [weights]uint64
}

// weights is how many buckets there are: the last one ends above any budget.
const weights = 208

// weightOf is the bucket of so many instructions. 0 to 15 have one each, and each
// power of two from there on has 8.
func weightOf(instructions int) int {
	shift := max(0, bits.Len32(uint32(instructions))-4)
	return min(8*shift+instructions>>shift, weights-1)
}

// floorOf is the least number of instructions in a bucket.
func floorOf(weight int) int {
	shift := max(0, weight/8-1)
	return (weight - 8*shift) << shift
}

// Count counts a message that was decided on. It reports whether that speaks
// against the generation: then the caller says for which client, in Blame.
func (t *Toll) Count(instructions int, failed bool) (amiss bool) {
	t.Messages++
	if failed {
		t.Failed++
	}
	t.weights[weightOf(instructions)]++
	return failed || instructions > t.Most
}

// Blame notes for which client Count has reported something.
func (t *Toll) Blame(instructions int, failed bool, client uint64) {
	if failed {
		t.Failing.Add(client)
	}
	if instructions > t.Most {
		t.Heavy.Add(client)
	}
}

// Add adds the toll of another shard.
func (t *Toll) Add(o *Toll) {
	t.Messages += o.Messages
	t.Failed += o.Failed
	t.Errors += o.Errors
	t.Calls += o.Calls
	t.Connects += o.Connects
	t.Unmet += o.Unmet
	t.Ticks += o.Ticks
	t.Missed += o.Missed
	t.Talkers += o.Talkers
	t.Most = max(t.Most, o.Most)
	t.Failing.addAll(&o.Failing)
	t.Heavy.addAll(&o.Heavy)
	for i, n := range o.weights {
		t.weights[i] += n
	}
}

// P99 is what one message in a hundred takes at the least, in instructions, and what
// the others stay below: an eighth lies between both. Both are 0 for no message.
func (t *Toll) P99() (least, below int) {
	above := uint64(0)
	for i := weights - 1; i >= 0; i-- {
		if above += t.weights[i]; above*100 > t.Messages {
			return floorOf(i), floorOf(i + 1)
		}
	}
	return 0, 0
}

// Clients are the first few of some clients, each once, by the hashes of their
// ClientIDs.
type Clients struct {
	hashes [MostClients]uint64
	n      int
}

// MostClients bounds Clients: more are not told apart.
const MostClients = 16

// Add adds a client.
func (c *Clients) Add(hash uint64) {
	if c.n < MostClients && !slices.Contains(c.hashes[:c.n], hash) {
		c.hashes[c.n] = hash
		c.n++
	}
}

func (c *Clients) addAll(o *Clients) {
	for _, hash := range o.hashes[:o.n] {
		c.Add(hash)
	}
}

// Len is how many there are, MostClients at the most.
func (c *Clients) Len() int { return c.n }
