package trace

import "time"

// Join makes traces of a stream of entries as they are written: a message that
// was accepted waits for its answer, so that there is one trace to show of it. It
// belongs to one goroutine.
type Join struct {
	waiting map[uint64]*Trace
	order   []arrival // oldest first; those answered meanwhile included
}

type arrival struct {
	number uint64
	at     time.Time
}

const (
	// joinAtMost is how many may wait; past it the oldest goes without its answer.
	joinAtMost = 4096
	// joinWait is for how long one waits.
	joinWait = 10 * time.Second
)

// Add takes one entry and calls emit for what is complete with it.
func (j *Join) Add(entry []byte, now time.Time, emit func(*Trace)) {
	number, decision, ok := Head(entry)
	if !ok {
		return
	}
	if !decision {
		if t := j.waiting[number]; t != nil && Read(entry, t) && t.Answer != nil {
			delete(j.waiting, number)
			emit(t)
		}
		return
	}
	t := &Trace{}
	if !Read(entry, t) {
		return
	}
	if t.Verdict != Accepted {
		emit(t)
		return
	}
	if j.waiting == nil {
		j.waiting = map[uint64]*Trace{}
	}
	j.waiting[number] = t
	j.order = append(j.order, arrival{number, now})
	j.Expire(now, emit)
}

// Expire emits those that have waited for too long, or are too many, without an
// answer.
func (j *Join) Expire(now time.Time, emit func(*Trace)) {
	n := 0
	for ; n < len(j.order); n++ {
		first := j.order[n]
		t := j.waiting[first.number]
		if t != nil && len(j.waiting) <= joinAtMost && now.Sub(first.at) < joinWait {
			break
		}
		if t != nil {
			delete(j.waiting, first.number)
			emit(t)
		}
	}
	j.order = j.order[n:]
}
