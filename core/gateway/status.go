package gateway

import (
	"context"
	"maps"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/upstream"
)

// Status is what GET /v1/status shows.
type Status struct {
	Version     string    `json:"version"`
	Started     time.Time `json:"started"`
	Ready       bool      `json:"ready"`
	Listen      string    `json:"listen"`
	Shards      int       `json:"shards"`
	Transport   string    `json:"transport"`
	Connections int       `json:"connections"`
	Groups      int       `json:"groups"`
	MessagesIn  uint64    `json:"messagesIn"`
	MessagesOut uint64    `json:"messagesOut"`
	Kept        struct {
		Pending       int     `json:"pending"`       // messages that wait, one a recipient
		Bytes         int64   `json:"bytes"`         // of memory that they take
		OldestSeconds float64 `json:"oldestSeconds"` // how long the oldest has waited
		Clients       int     `json:"clients"`       // that something is kept for
		// Full is how many of these have no room for more, and FullClients some of them.
		Full        int      `json:"full"`
		FullClients []string `json:"fullClients,omitempty"`
	} `json:"kept"`
	Log      *LogStatus      `json:"log,omitempty"`      // absent without a data folder
	Settings *SettingsStatus `json:"settings,omitempty"` // absent without a settings file
	// KeysFailing names the keys that cannot be fetched or read: those from before stay.
	KeysFailing []string `json:"keysFailing"`
	// Upstreams are those that the scripts name, and those that they have named.
	Upstreams []upstream.Stats `json:"upstreams,omitempty"`
	// Gaps are the messages that will never come, by cause, and LettersLost the dead
	// letters of upstreams that reached nobody, since the start.
	Gaps        map[string]uint64 `json:"gaps"`
	LettersLost uint64            `json:"deadLettersLost"`
	Scripts     struct {
		Folder     string     `json:"folder"`
		Generation uint32     `json:"generation"` // the live one
		Since      time.Time  `json:"since"`
		Hash       string     `json:"hash"`
		Stages     []string   `json:"stages"`
		Policy     bool       `json:"policy"`   // an on_policy hook decides who may send to whom
		LastGood   bool       `json:"lastGood"` // it stands in for a folder that did not load at the start, or was taken back
		Warnings   []string   `json:"warnings,omitempty"`
		Canary     *Canary    `json:"canary,omitempty"`     // what a share of the clients has
		TrialUntil *time.Time `json:"trialUntil,omitempty"` // until then the live generation may be taken back
		Last       Attempt    `json:"last"`                 // the last attempt to change it
	} `json:"scripts"`
}

// LogStatus is what is on the disk.
type LogStatus struct {
	Folder    string `json:"folder"`
	Segments  int    `json:"segments"`
	Bytes     int64  `json:"bytes"`
	Commits   uint64 `json:"commits"`
	Full      bool   `json:"full"`    // the last commit found no room
	Failing   bool   `json:"failing"` // the last commit was refused
	LastError string `json:"lastError,omitempty"`
}

// SettingsStatus is how the settings file is.
type SettingsStatus struct {
	File    string   `json:"file"`
	Waiting []Change `json:"waiting,omitempty"` // for a restart
	Problem string   `json:"problem,omitempty"` // why the file was rejected, while it is
}

func (g *Gateway) status() Status {
	sum := total(g.shards.Stats())
	sc := g.scripts.report()
	st := Status{
		Version: g.opt().Version, Started: g.started.UTC(), Ready: g.ready.Load(),
		Listen: g.Addr().String(), Shards: g.opt().Shards, Transport: g.opt().Transport,
		Connections: sum.Connections, Groups: g.shards.GroupCount(), MessagesIn: sum.In, MessagesOut: sum.Out,
	}
	k := &st.Kept
	k.Pending, k.Bytes, k.OldestSeconds, k.Clients = sum.Pending, sum.RingBytes, sum.Oldest.Seconds(), sum.Mailboxes
	k.Full, k.FullClients = sum.Full.Clients, sum.Full.Names
	if g.journal != nil {
		l := g.journal.Stats()
		st.Log = &LogStatus{
			Folder: LogDir(g.opt().Data), Segments: l.Segments, Bytes: l.Bytes, Commits: l.Commits,
			Full: l.Full, Failing: l.Failing, LastError: l.LastError,
		}
	}
	st.Settings, st.KeysFailing = g.settings.status(), g.failingKeys()
	st.Upstreams = g.upstreams.Stats()
	st.Gaps, st.LettersLost = gaps(&sum), sum.LettersLost
	s := &st.Scripts
	s.Folder, s.Generation, s.Since, s.Hash = g.dir, sc.generation, sc.since.UTC(), sc.hash
	s.Stages, s.Policy, s.LastGood, s.Last = sc.stages, sc.policy, sc.lastGood, sc.last
	s.Warnings, s.Canary, s.TrialUntil = sc.warnings, sc.canary, sc.trialUntil
	return st
}

// scriptsReport is a moment's copy of what is known of the scripts.
type scriptsReport struct {
	generation uint32
	since      time.Time
	hash       string
	stages     []string
	open       []core.OpenStage
	policy     bool
	lastGood   bool
	last       Attempt
	results    map[string]uint64
	steps      map[string]stepTally
	warnings   []string
	canary     *Canary
	trialUntil *time.Time
}

func (sc *scripts) report() scriptsReport {
	sc.record.Lock()
	defer sc.record.Unlock()
	r := scriptsReport{
		generation: sc.generation, since: sc.since, hash: sc.hash, stages: sc.stages, open: sc.open,
		policy: sc.policy, lastGood: sc.lastGood, last: sc.last, results: maps.Clone(sc.result), steps: maps.Clone(sc.steps),
		warnings: sc.warnings, canary: sc.canary,
	}
	if u := sc.trialUntil; u != nil && u.generation == sc.generation && time.Now().Before(u.until) {
		until := u.until.UTC()
		r.trialUntil = &until
	}
	return r
}

// total adds up what the shards tell.
func total(all []shard.Stats) shard.Stats {
	sum := shard.Stats{Stages: map[string]core.Tally{}}
	for i := range all {
		sum.Add(&all[i])
	}
	return sum
}

// gaps counts the messages that will never be delivered by the causes' names.
func gaps(s *shard.Stats) map[string]uint64 {
	all := make(map[string]uint64, len(record.Causes))
	for _, cause := range record.Causes {
		all[cause.String()] = s.Lapsed[cause]
	}
	return all
}

// lapsed counts the messages that will never be delivered.
func lapsed(s *shard.Stats) (n uint64) {
	for _, c := range s.Lapsed {
		n += c
	}
	return n
}

// told counts the errors that senders were told.
func told(s *shard.Stats) (n uint64) {
	for _, c := range s.Told {
		n += c
	}
	return n
}

// undelivered counts what did not reach somebody, at once or later.
func undelivered(s *shard.Stats) uint64 {
	return s.Offline + s.Overflow + s.Unstored + s.Dropped + s.NoRoute
}

// summarize writes one line a period, for the people who read the log at night.
func (g *Gateway) summarize(ctx context.Context) {
	last, at := total(g.shards.Stats()), time.Now()
	for {
		var due <-chan time.Time // never, without a period
		if period := g.opt().Summary; period > 0 {
			due = time.After(time.Until(at.Add(period)))
		}
		select {
		case <-ctx.Done():
			return
		case <-g.settings.applied:
			continue // the period may be another one
		case <-due:
		}
		now, sum := time.Now(), total(g.shards.Stats())
		seconds := now.Sub(at).Seconds()
		rate := func(now, before uint64) int { return int(float64(now-before) / seconds) }
		sc := g.scripts.report()
		attrs := []any{
			"connections", sum.Connections,
			"in_per_s", rate(sum.In, last.In), "out_per_s", rate(sum.Out, last.Out),
			"errors", (sum.Failed + sum.Malformed + sum.Panics + sum.HookErrors) - (last.Failed + last.Malformed + last.Panics + last.HookErrors),
			"told_errors", told(&sum) - told(&last),
			"undelivered", undelivered(&sum) - undelivered(&last),
			"queued", sum.QueuedBytes, "pending", sum.Pending, "oldest", sum.Oldest.Round(time.Second).String(), "generation", sc.generation,
		}
		if gaps := lapsed(&sum) - lapsed(&last); gaps > 0 {
			attrs = append(attrs, "gaps", gaps)
		}
		if s := g.settings.status(); s != nil && s.Problem != "" {
			attrs = append(attrs, "settings", "the file was rejected")
		}
		if g.journal != nil && g.journal.Stats().Failing {
			attrs = append(attrs, "log", "the last messages were refused: "+g.journal.Stats().LastError)
		}
		if sc.last.Result == resultRejected {
			attrs = append(attrs, "scripts", "the last save was rejected")
		} else if sc.last.Result == resultTakenBack {
			attrs = append(attrs, "scripts", "the last save was taken back")
		}
		g.log.Info("summary", attrs...)
		last, at = sum, now
	}
}
