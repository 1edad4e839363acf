package traffic

import (
	"hash/maphash"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/recent"
)

// Recorder keeps the newest inputs of one shard, whose goroutine uses it. While
// senders have more than a quarter of it each, theirs make room for new ones, and what
// the others have sent stays for up to an hour. Senders are told apart by a hash; few
// are taken for one.
type Recorder struct {
	// Skipped counts the inputs that were not kept, being too many.
	Skipped uint64

	ring    recent.Ring
	entry   []byte
	perTick int
	left    int // of perTick
	now     int64
	share   uint32 // a quarter, in bytes
	greedy  int    // senders that have more than that
	held    []uint32
	seed    maphash.Seed
}

const (
	// senders is how many senders are told apart.
	senders = 1024
	// spared is how long an input stays while others make room, in milliseconds.
	spared = 60 * 60 * 1000
)

// NewRecorder makes a Recorder of size bytes that takes so many inputs between
// two ticks: of a flood it has a sample, of a longer time.
func NewRecorder(size, perTick int) *Recorder {
	r := &Recorder{ring: recent.New(size), perTick: perTick, left: perTick, share: uint32(size / 4), seed: maphash.MakeSeed()}
	r.ring.Evict = func(entry []byte) {
		_, from := origin(entry)
		r.hold(r.of(from), -len(entry))
	}
	return r
}

// of is how many bytes the inputs of a sender take.
func (r *Recorder) of(from []byte) *uint32 { return &r.held[maphash.Bytes(r.seed, from)%senders] }

// hold changes what a sender has by n bytes.
func (r *Recorder) hold(held *uint32, n int) {
	if *held > r.share {
		r.greedy--
	}
	*held += uint32(n)
	if *held > r.share {
		r.greedy++
	}
}

// Note keeps m, which no stage has seen yet.
func (r *Recorder) Note(m *core.Message) {
	// No copy is made of what has no place: an entry is a little longer than these.
	if !r.ring.Fits(len(m.Data) + len(m.Headers) + len(m.To) + len(m.ID)) {
		return
	}
	if r.left == 0 {
		r.Skipped++
		return
	}
	if r.held == nil {
		r.held = make([]uint32, senders)
	}
	held := &r.held[maphash.String(r.seed, m.From.ID)%senders]
	if *held > r.share && r.left <= r.perTick/2 { // the rest of a tick is for the others
		r.Skipped++
		return
	}
	r.left--
	r.entry = Append(r.entry[:0], m)
	if r.greedy > 0 {
		r.now = m.Time
		r.ring.Rotate(len(r.entry), r.spares)
	}
	if r.ring.Add(r.entry) {
		r.hold(held, len(r.entry))
	}
}

// spares reports whether an entry stays while those of greedy senders make room.
func (r *Recorder) spares(entry []byte) bool {
	time, from := origin(entry)
	return *r.of(from) <= r.share && r.now-time < spared
}

// Tick begins the next tick.
func (r *Recorder) Tick() { r.left = r.perTick }

// Each is that of recent.Ring: its entries are those that Read reads. An entry may
// stand behind younger ones.
func (r *Recorder) Each(from uint64, most int, f func(entry []byte)) (next uint64, done bool) {
	return r.ring.Each(from, most, f)
}
