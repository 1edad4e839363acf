package ratelimit

// slot is a bucket under the hash of who it belongs to; 0 for none.
type slot struct {
	hash uint64
	bucket
}

const (
	minSlots = 16 // of a table that is not empty
	looked   = 16 // slots that tidy looks at
)

// table is buckets by hash, with linear probing. It holds no pointers. It grows as
// buckets are added, and never shrinks.
type table struct {
	slots []slot // a power of two, three quarters of them in use at the most
	used  int
	hand  int // the slot that the next look begins at
}

// find returns the bucket of hash, or nil. It is valid until the next add.
func (t *table) find(hash uint64) *bucket {
	if len(t.slots) == 0 {
		return nil
	}
	mask := uint64(len(t.slots) - 1)
	for i := hash & mask; ; i = (i + 1) & mask {
		s := &t.slots[i]
		if s.hash == hash {
			return &s.bucket
		}
		if s.hash == 0 {
			return nil
		}
	}
}

// add makes the bucket of hash, which has none.
func (t *table) add(hash uint64, now int64) *bucket {
	if t.used >= len(t.slots)/4*3 {
		t.grow()
	}
	t.used++
	b := t.place(hash)
	b.at = now
	return b
}

// place takes the first free slot for hash.
func (t *table) place(hash uint64) *bucket {
	mask := uint64(len(t.slots) - 1)
	i := hash & mask
	for t.slots[i].hash != 0 {
		i = (i + 1) & mask
	}
	t.slots[i].hash = hash
	return &t.slots[i].bucket
}

// tidy takes the full buckets out of some slots, and returns how many they were.
func (t *table) tidy(now int64, p *pace) int {
	before := t.used
	for range min(looked, len(t.slots)) {
		t.hand &= len(t.slots) - 1
		if s := &t.slots[t.hand]; s.hash != 0 && s.full(now, p) {
			t.remove(t.hand) // another one may stand here now
		} else {
			t.hand++
		}
	}
	return before - t.used
}

// remove frees slot i and moves those up that had to stand behind it.
func (t *table) remove(i int) {
	t.used--
	mask := len(t.slots) - 1
	for j := i; ; {
		t.slots[i] = slot{}
		for {
			j = (j + 1) & mask
			s := &t.slots[j]
			if s.hash == 0 {
				return
			}
			// Its own place is not between i and j: it may move to i.
			if home := int(s.hash) & mask; (j-home)&mask >= (j-i)&mask {
				t.slots[i] = *s
				i = j
				break
			}
		}
	}
}

// grow makes the table twice as large.
func (t *table) grow() {
	old := t.slots
	t.slots = make([]slot, max(minSlots, 2*len(old)))
	for _, s := range old {
		if s.hash != 0 {
			*t.place(s.hash) = s.bucket
		}
	}
}
