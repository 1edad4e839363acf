package shard

import (
	"container/heap"

	"github.com/stratix-gateway/stratix/core"
)

// delay is a held message that goes on by itself.
type delay struct {
	due   int64  // in milliseconds since the shard began: no step of the clock moves it
	order uint64 // among those that are due at once
	m     *core.Message
}

// delays are the delayed messages of a shard, the first one due on top: the one
// timer for all of them is the wait of the loop.
type delays struct {
	list []delay
	last uint64 // order
}

func (d *delays) Len() int      { return len(d.list) }
func (d *delays) Swap(i, j int) { d.list[i], d.list[j] = d.list[j], d.list[i] }

func (d *delays) Less(i, j int) bool {
	a, b := &d.list[i], &d.list[j]
	return a.due < b.due || a.due == b.due && a.order < b.order
}

// Push is for container/heap.
func (d *delays) Push(x any) { d.list = append(d.list, x.(delay)) }

// Pop is for container/heap.
func (d *delays) Pop() any {
	last := len(d.list) - 1
	x := d.list[last]
	d.list[last] = delay{}
	d.list = d.list[:last]
	return x
}

// delay keeps m until its moment.
func (s *Shard) delay(m *core.Message) {
	s.delays.last++
	due := s.elapsed + max(0, m.Held().Until-s.unixMillis)
	heap.Push(&s.delays, delay{due: due, order: s.delays.last, m: m})
}

// resumeDue goes on with the delayed messages whose moment has come.
func (s *Shard) resumeDue() {
	if len(s.delays.list) == 0 || s.delays.list[0].due > s.elapsed {
		return
	}
	for len(s.delays.list) > 0 && s.delays.list[0].due <= s.elapsed && !s.spent() {
		m := heap.Pop(&s.delays).(delay).m
		m.EndDelay()
		s.goOn(m)
	}
	s.releasePrograms()
}

// untilDue bounds a wait, in milliseconds from the begin of the last turn.
func (s *Shard) untilDue(millis int) int {
	if len(s.delays.list) == 0 {
		return millis
	}
	return int(max(0, min(int64(millis), s.delays.list[0].due-s.elapsed)))
}
