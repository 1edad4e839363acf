package upstream

import (
	"math/bits"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// Buckets count posts by what they took: bucket i those below 2^i milliseconds
// that no smaller one holds, the last one all others.
const Buckets = 16

// tally counts what was done for all upstreams of one name.
type tally struct {
	delivered, lost, expired, refused atomic.Uint64 // messages and events
	retries, badReplies               atomic.Uint64
	posts                             [kinds]atomic.Uint64
	took                              [Buckets]atomic.Uint64
	spent                             atomic.Int64 // nanoseconds
	letters                           bool         // those of the newest one go to somebody; guarded by Registry.mu

	mu     sync.Mutex
	last   string // what went wrong last
	lastAt time.Time
}

func (t *tally) count(k kind, took time.Duration) {
	t.posts[k].Add(1)
	t.took[min(bits.Len64(uint64(took.Milliseconds())), Buckets-1)].Add(1)
	t.spent.Add(int64(took))
}

func (t *tally) failed(reason string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.last, t.lastAt = reason, time.Now()
}

// Stats is what there is to say about the upstreams of one name: the one in use,
// and those of other settings that are being drained.
type Stats struct {
	Name      string          `json:"name"`
	URL       string          `json:"url,omitempty"` // without its query
	State     string          `json:"state"`         // live, draining, gone
	Breaker   string          `json:"breaker"`       // closed, open, half_open
	Queued    int64           `json:"queued"`        // messages that wait, those being posted included
	Bytes     int64           `json:"bytes"`         // that they take
	Delivered uint64          `json:"delivered"`
	Lost      uint64          `json:"lost"`        // given up: dead letters
	Expired   uint64          `json:"expired"`     // given up for their ttl: dead letters too
	Letters   bool            `json:"deadLetters"` // what is given up goes to somebody
	Refused   uint64          `json:"refused"`     // for lack of room
	Retries   uint64          `json:"retries"`
	BadReply  uint64          `json:"badReplies"`
	Posts     []Count         `json:"posts"`
	LastError string          `json:"lastError,omitempty"`
	LastAt    *time.Time      `json:"lastErrorAt,omitempty"`
	Took      [Buckets]uint64 `json:"-"`
	Spent     time.Duration   `json:"-"` // in posts
}

// Count is how many posts went in one way.
type Count struct {
	Result string `json:"result"` // ok, rejected, throttled, timeout, failed
	Posts  uint64 `json:"posts"`
}

// Stats are those of all names that there have been, in their order.
func (r *Registry) Stats() []Stats {
	r.mu.Lock()
	defer r.mu.Unlock()
	all := make([]Stats, 0, len(r.tallies))
	for name, t := range r.tallies {
		st := t.stats(name)
		for _, u := range r.ups { // the newest last
			if u.name != name {
				continue
			}
			st.Queued += u.queued.Load()
			st.Bytes += u.bytes.Load()
			if st.State != "live" || !u.draining {
				st.URL, st.Breaker = u.settings.shownURL(), u.gate.now().String()
				st.State = "live"
				if u.draining {
					st.State = "draining"
				}
			}
		}
		all = append(all, st)
	}
	slices.SortFunc(all, func(a, b Stats) int { return strings.Compare(a.Name, b.Name) })
	return all
}

func (t *tally) stats(name string) Stats {
	st := Stats{
		Name: name, State: "gone", Breaker: closed.String(), Letters: t.letters,
		Delivered: t.delivered.Load(), Lost: t.lost.Load(), Expired: t.expired.Load(), Refused: t.refused.Load(),
		Retries: t.retries.Load(), BadReply: t.badReplies.Load(), Spent: time.Duration(t.spent.Load()),
	}
	for k := range kinds {
		st.Posts = append(st.Posts, Count{k.String(), t.posts[k].Load()})
	}
	for i := range st.Took {
		st.Took[i] = t.took[i].Load()
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if st.LastError = t.last; t.last != "" {
		at := t.lastAt.UTC()
		st.LastAt = &at
	}
	return st
}
