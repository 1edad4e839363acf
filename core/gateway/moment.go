package gateway

import (
	"math"
	"runtime/metrics"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"

	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/upstream"
)

// mostShown bounds the clients that a Live names of a kind.
const mostShown = 20

// moment is all that a gateway tells at once: two of them make a Live. It does not
// change once it is taken.
type moment struct {
	at        time.Time
	pulse     shard.Pulse
	front     server.Stats
	scripts   scriptsReport
	lastGood  *uint32
	log       *journal.Stats // nil without a data folder
	upstreams []upstream.Stats
	backlogs  []shard.Waiting
	rss       *int64
	heap      int64
	cpu       time.Duration
	cpuKnown  bool
}

// takeMoment asks everybody; false when the shards have stopped.
func (g *Gateway) takeMoment() (m *moment, ok bool) {
	m = &moment{at: time.Now()}
	if m.pulse, ok = g.shards.Pulse(mostShown); !ok {
		return nil, false
	}
	m.front, m.upstreams = g.server.Stats(), g.upstreams.Stats()
	m.scripts = g.scripts.report()
	m.lastGood = g.scripts.past.goodBefore(m.scripts.generation)
	if g.journal != nil {
		st := g.journal.Stats()
		m.log = &st
	}
	m.rss, m.heap = resident(), heap()
	m.cpu, m.cpuKnown = processorTime()
	return m, true
}

// heap is the size of the objects in the heap, in bytes.
func heap() int64 {
	s := []metrics.Sample{{Name: "/memory/classes/heap/objects:bytes"}}
	metrics.Read(s)
	return int64(s[0].Value.Uint64())
}

// rounded is f with what a person reads of it.
func rounded(f float64) float64 { return math.Round(f*1000) / 1000 }

func micros(d time.Duration) float64 { return rounded(float64(d) / 1e3) }

// span is the time between two moments.
type span float64 // seconds

// rate is a counter's growth a second.
func (s span) rate(now, before uint64) float64 { return rounded(float64(now-before) / float64(s)) }

// live is what there is to say of the time between two moments.
func (g *Gateway) live(before, now *moment) *Live {
	s := span(max(now.at.Sub(before.at).Seconds(), 1e-3))
	a, b := &before.pulse, &now.pulse
	l := &Live{
		TS: now.at.UnixMilli(), Uptime: rounded(now.at.Sub(g.started).Seconds()), Period: rounded(float64(s)),
		Version: g.opt().Version, Readiness: g.readiness(),
		Connections: &LiveConnections{
			Open: b.Connections, Reliable: b.Reliable, Mailboxes: b.Mailboxes, Upgraded: now.front.Upgraded, Refused: now.front.Refused,
		},
		Rates:    s.rates(&a.Stats, &b.Stats),
		Latency:  latency(&a.Latencies, &b.Latencies),
		Verdicts: &LiveVerdicts{},
		Stages:   s.stages(before, now),
		Top:      []LiveSender{},
		Pending:  &LivePending{Messages: b.Pending, Bytes: b.RingBytes, Oldest: rounded(b.Oldest.Seconds()), Clients: []LiveBacklog{}},
		Gaps:     gaps(&b.Stats), LettersLost: b.LettersLost, Ended: ended(&b.Stats), KeysFailing: g.failingKeys(),
		Upstreams: s.upstreams(before.upstreams, now.upstreams),
		Memory:    LiveMemory{RSS: now.rss, Heap: now.heap},
		Gate:      &now.scripts.last,
	}
	for i := range l.Stages {
		l.Verdicts.add(&l.Stages[i].LiveVerdicts)
	}
	for _, t := range b.Busy {
		l.Top = append(l.Top, LiveSender{t.Client, rounded(t.Messages), rounded(t.Bytes), rounded(t.Errors)})
	}
	for _, w := range now.backlogs {
		l.Pending.Clients = append(l.Pending.Clients, LiveBacklog{w.Client, w.Messages})
	}

	if now.log != nil {
		l.Log = s.log(before.log, now.log)
	}
	if now.cpuKnown {
		share := rounded((now.cpu - before.cpu).Seconds() / float64(s))
		l.CPU = &share
	}
	l.Generation = now.generation()
	return l
}

func (s span) rates(a, b *shard.Stats) *LiveRates {
	return &LiveRates{
		Received: s.rate(b.In, a.In), Accepted: s.rate(b.Accepted, a.Accepted), Dropped: s.rate(b.Filtered, a.Filtered),
		Rejected: s.rate(b.Rejected, a.Rejected), Failed: s.rate(b.Failed, a.Failed), Forbidden: s.rate(b.Forbidden, a.Forbidden),
		Malformed: s.rate(b.Malformed, a.Malformed), NoRoute: s.rate(b.NoRoute, a.NoRoute),
		Delivered: s.rate(b.Out, a.Out), Undelivered: s.rate(undelivered(b), undelivered(a)),
		BytesIn: s.rate(b.WireIn, a.WireIn), BytesOut: s.rate(b.WireOut, a.WireOut),
	}
}

// ended counts the messages that came to nothing, under the names of LiveRates.
func ended(s *shard.Stats) map[string]uint64 {
	return map[string]uint64{
		"dropped": s.Filtered, "rejected": s.Rejected, "failed": s.Failed,
		"forbidden": s.Forbidden, "malformed": s.Malformed, "noRoute": s.NoRoute,
	}
}

func latency(before, now *shard.Latencies) *LiveLatency {
	took := *now
	took.Sub(before)
	l := &LiveLatency{Samples: took.Samples()}
	if l.Samples == 0 {
		return l
	}
	at := func(part float64) *float64 {
		us := micros(took.At(part))
		return &us
	}
	l.P50, l.P90, l.P99, l.Max = at(0.5), at(0.9), at(0.99), at(1)
	return l
}

func (v *LiveVerdicts) add(o *LiveVerdicts) {
	v.Next = rounded(v.Next + o.Next)
	v.Done = rounded(v.Done + o.Done)
	v.Drop = rounded(v.Drop + o.Drop)
	v.Hold = rounded(v.Hold + o.Hold)
	v.Error = rounded(v.Error + o.Error)
}

func (s span) log(a, b *journal.Stats) *LiveLog {
	l := &LiveLog{Full: b.Full, Failing: b.Failing, Bytes: b.Bytes, Segments: b.Segments, Commits: s.rate(b.Commits, a.Commits)}
	if n := b.Commits - a.Commits; n > 0 {
		mean := rounded((b.CommitTime - a.CommitTime).Seconds() * 1000 / float64(n))
		l.CommitMS = &mean
	}
	return l
}

func (s span) upstreams(before, now []upstream.Stats) []LiveUpstream {
	type posts struct{ all, failed uint64 }
	count := func(st *upstream.Stats) (p posts) {
		for _, c := range st.Posts {
			p.all += c.Posts
			if c.Result != "ok" {
				p.failed += c.Posts
			}
		}
		return p
	}
	was := map[string]posts{}
	for i := range before {
		was[before[i].Name] = count(&before[i])
	}
	all := make([]LiveUpstream, len(now))
	for i := range now {
		st, n := &now[i], count(&now[i])
		all[i] = LiveUpstream{
			Name: st.Name, State: st.State, Queued: st.Queued, Breaker: st.Breaker,
			Posts: s.rate(n.all, was[st.Name].all), Failures: s.rate(n.failed, was[st.Name].failed),
			Lost: st.Lost, Expired: st.Expired, Refused: st.Refused, Letters: st.Letters,
		}
	}
	return all
}

func (m *moment) generation() *LiveGeneration {
	sc := &m.scripts
	l := &LiveGeneration{Number: sc.generation, Hash: sc.hash, State: "live", Since: sc.since.UnixMilli(), LastGood: m.lastGood, StandsIn: sc.lastGood}
	switch {
	case sc.canary != nil:
		l.State, l.Canary = "canary", &sc.canary.Generation
	case sc.trialUntil != nil:
		l.State = "trial"
	}
	return l
}
