package traffic

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/recent"
)

// Recorder keeps the newest inputs of one shard, whose goroutine uses it.
type Recorder struct {
	ring    recent.Ring
	entry   []byte
	perTick int
	left    int // of perTick
}

// NewRecorder makes a Recorder of size bytes that takes so many inputs between
// two ticks: of a flood it has a sample, of a longer time.
func NewRecorder(size, perTick int) Recorder {
	return Recorder{ring: recent.New(size), perTick: perTick, left: perTick}
}

// Note keeps m, which no stage has seen yet.
func (r *Recorder) Note(m *core.Message) {
	// No copy is made of what has no place: an entry is a little longer than these.
	if r.left == 0 || !r.ring.Fits(len(m.Data)+len(m.Headers)+len(m.To)+len(m.ID)) {
		return
	}
	r.left--
	r.entry = Append(r.entry[:0], m)
	r.ring.Add(r.entry)
}

// Tick begins the next tick.
func (r *Recorder) Tick() { r.left = r.perTick }

// Each is that of recent.Ring: its entries are those that Read reads.
func (r *Recorder) Each(from uint64, most int, f func(entry []byte)) (next uint64, done bool) {
	return r.ring.Each(from, most, f)
}
