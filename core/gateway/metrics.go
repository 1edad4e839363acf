package gateway

import (
	"fmt"
	"io"
	"math"
	"sort"
	"time"

	"github.com/VictoriaMetrics/metrics"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/kv"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/shard"
)

// writeMetrics writes Prometheus text. Nothing in it names a client; what is
// for operators only (the process, the runtime) is left out on the public side.
func (g *Gateway) writeMetrics(w io.Writer, admin bool) {
	all := g.shards.Stats()
	sum := total(all)
	p := newPage()
	counter, gauge := p.counter, func(name string, v int) { p.gauge(name, float64(v)) }

	gauge("stratix_connections", sum.Connections)
	gauge("stratix_groups", g.shards.GroupCount())
	counter("stratix_connections_opened_total", sum.Opened)
	counter("stratix_connections_closed_total", sum.Closed)
	for _, l := range []labelled{
		{"left", sum.Left}, {"lost", sum.Lost}, {"replaced", sum.Replaced}, {"idle", sum.Idle}, {"slow", sum.Slow},
		{"stalled", sum.Stalled}, {"refused", sum.Refused}, {"protocol", sum.Protocol}, {"unacked", sum.Unacked}, {"expired", sum.Expired}, {"limited", sum.Limited}, {"operator", sum.Dismissed}, {"drain", sum.Drained},
	} {
		counter(fmt.Sprintf("stratix_connections_ended_total{cause=%q}", l.label), l.value)
	}
	front := g.server.Stats()
	counter("stratix_upgrades_total", front.Upgraded)
	for _, why := range sortedKeys(front.Refused) {
		counter(fmt.Sprintf("stratix_upgrades_refused_total{reason=%q}", why), front.Refused[why])
	}

	counter(`stratix_messages_total{direction="in"}`, sum.In)
	counter(`stratix_messages_total{direction="out"}`, sum.Out)
	counter(`stratix_message_bytes_total{direction="in"}`, sum.InBytes)
	counter(`stratix_message_bytes_total{direction="out"}`, sum.OutBytes)
	for _, l := range []labelled{
		{"accepted", sum.Accepted}, {"dropped", sum.Filtered}, {"rejected", sum.Rejected},
		{"error", sum.Failed}, {"forbidden", sum.Forbidden}, {"malformed", sum.Malformed},
		{"no_route", sum.NoRoute},
	} {
		counter(fmt.Sprintf("stratix_verdicts_total{verdict=%q}", l.label), l.value)
	}
	for _, l := range []labelled{
		{"offline", sum.Offline}, {"overflow", sum.Overflow}, {"storage", sum.Unstored}, {"drop_oldest", sum.Dropped},
	} {
		counter(fmt.Sprintf("stratix_undelivered_total{reason=%q}", l.label), l.value)
	}
	for _, code := range sortedKeys(sum.Told) {
		counter(fmt.Sprintf("stratix_errors_told_total{code=%q}", code), sum.Told[code])
	}
	counter("stratix_published_total", sum.Published)
	counter("stratix_held_total", sum.Held)
	counter("stratix_panics_total", sum.Panics)
	counter("stratix_hook_errors_total", sum.HookErrors)
	gauge("stratix_queue_bytes", sum.QueuedBytes)
	gauge("stratix_in_flight", sum.InFlight)
	counter("stratix_wire_bytes_total{direction=\"in\"}", sum.WireIn)
	counter("stratix_wire_bytes_total{direction=\"out\"}", sum.WireOut)
	counter("stratix_system_calls_total{call=\"read\"}", sum.Reads)
	counter("stratix_system_calls_total{call=\"write\"}", sum.Writes)

	p.kept(&sum)
	if g.journal != nil {
		p.log(g.journal.Stats())
	}
	p.stages(sum.Stages)
	gauge("stratix_traces", sum.Traces)
	gauge("stratix_trace_bytes", sum.TraceBytes)
	counter("stratix_traces_total", sum.Traced)
	counter("stratix_traces_skipped_total", sum.TracesSkipped)
	counter("stratix_unrecorded_total", sum.Unrecorded)
	gauge("stratix_tails", g.shards.Tails())
	counter("stratix_tail_missed_total", sum.TailMissed)
	counter("stratix_script_calls_total", sum.Script.Calls)
	counter("stratix_script_instructions_total", sum.Script.Instructions)
	counter("stratix_script_errors_total", sum.Script.Errors)
	counter("stratix_script_overruns_total", sum.Script.Overruns)
	counter("stratix_script_panics_total", sum.Script.Panics)
	counter("stratix_script_series_refused_total", g.metrics.Refused())
	p.shared(g.kv.Stats())
	p.upstreams(g.upstreams.Stats(), &sum)
	p.scripts(g.metrics.Families(admin))
	g.states.report(p)

	sc := g.scripts.report()
	for _, result := range results {
		counter(fmt.Sprintf("stratix_reloads_total{result=%q}", result), sc.results[result])
	}
	for _, step := range sortedKeys(sc.steps) {
		t := sc.steps[step]
		counter(fmt.Sprintf("stratix_gate_steps_total{step=%q,result=\"ok\"}", step), t.passed)
		counter(fmt.Sprintf("stratix_gate_steps_total{step=%q,result=\"failed\"}", step), t.failed)
		p.counterFloat(fmt.Sprintf("stratix_gate_seconds_total{step=%q}", step), t.spent.Seconds())
	}
	gauge("stratix_scripts_warnings", len(sc.warnings))
	gauge("stratix_canary", flag(sc.canary != nil))
	gauge("stratix_generation", int(sc.generation))
	p.gauge("stratix_generation_live_timestamp_seconds", float64(sc.since.UnixMilli())/1000)
	gauge("stratix_scripts_rejected", flag(sc.last.Result == resultRejected))
	gauge("stratix_scripts_last_good", flag(sc.lastGood))

	if st := g.settings.status(); st != nil {
		tally := g.settings.tally()
		for _, result := range settingsResults {
			counter(fmt.Sprintf("stratix_settings_reloads_total{result=%q}", result), tally[result])
		}
		gauge("stratix_settings_rejected", flag(st.Problem != ""))
		gauge("stratix_settings_waiting", len(st.Waiting))
	}
	counter("stratix_loop_turns_total", sum.Turns)
	counter("stratix_loop_stalls_total", sum.Stalls)
	p.turns(sum)
	gauge("stratix_ready", flag(g.ready.Load()))
	gauge("stratix_token_keys_failing", len(g.failingKeys()))
	if c := g.opt().Certificate; c != nil {
		p.gauge("stratix_certificate_until_timestamp_seconds", float64(c.Until().Unix()))
	}
	p.gauge("stratix_uptime_seconds", time.Since(g.started).Seconds())
	gauge(fmt.Sprintf("stratix_build_info{version=%q}", g.opt().Version), 1)
	p.writeTo(w)
	if admin {
		metrics.WriteProcessMetrics(w)
	}
}

func flag(b bool) int {
	if b {
		return 1
	}
	return 0
}

type labelled struct {
	label string
	value uint64
}

// stages adds what each stage did. Seconds are an estimate: one message in 64 is
// timed.
func (p *page) stages(stages map[string]core.Tally) {
	for _, name := range sortedKeys(stages) {
		t := stages[name]
		all := t.Errors
		for v := core.Next; v <= core.Hold; v++ {
			p.counter(fmt.Sprintf("stratix_stage_messages_total{stage=%q,verdict=%q}", name, v), t.Verdicts[v])
			all += t.Verdicts[v]
		}
		p.counter(fmt.Sprintf("stratix_stage_messages_total{stage=%q,verdict=\"error\"}", name), t.Errors)
		if t.Timed > 0 {
			each := t.Spent.Seconds() / float64(t.Timed)
			p.counterFloat(fmt.Sprintf("stratix_stage_seconds_total{stage=%q}", name), each*float64(all))
		}
	}
}

// kept adds what waits for recipients, and what became of what did.
func (p *page) kept(sum *shard.Stats) {
	p.gauge("stratix_pending_messages", float64(sum.Pending))
	p.gauge("stratix_pending_bytes", float64(sum.RingBytes))
	p.gauge("stratix_mailboxes_full", float64(sum.Full.Clients))
	p.gauge("stratix_pending_oldest_seconds", sum.Oldest.Seconds())
	p.gauge("stratix_mailboxes", float64(sum.Mailboxes))
	p.counter("stratix_mailboxes_evicted_total", sum.Evicted)
	p.counter("stratix_kept_total", sum.Kept)
	p.counter("stratix_settled_total", sum.Settled)
	for _, cause := range record.Causes {
		p.counter(fmt.Sprintf("stratix_gaps_total{cause=%q}", cause), sum.Lapsed[cause])
	}
	p.counter("stratix_retries_total", sum.Retries)
	p.counter("stratix_repeats_total", sum.Repeats)
	p.counter("stratix_ring_full_total", sum.RingFull)
	p.counter("stratix_ring_paged_in_total", sum.PagedIn)
}

// shared adds what the values that scripts share take, and what was done with
// them.
func (p *page) shared(st kv.Stats) {
	p.gauge("stratix_kv_entries", float64(st.Entries))
	p.gauge("stratix_kv_bytes", float64(st.Bytes))
	p.counter(`stratix_kv_calls_total{call="read"}`, st.Reads)
	p.counter(`stratix_kv_calls_total{call="write"}`, st.Writes)
	p.counter("stratix_kv_expired_total", st.Expired)
	p.counter("stratix_kv_full_total", st.Full)
}

// log adds what the log on disk tells of itself.
func (p *page) log(st journal.Stats) {
	p.gauge("stratix_log_segments", float64(st.Segments))
	p.gauge("stratix_log_bytes", float64(st.Bytes))
	p.gauge("stratix_log_full", float64(flag(st.Full)))
	p.gauge("stratix_log_failing", float64(flag(st.Failing)))
	p.counter("stratix_log_commits_total", st.Commits)
	p.counter("stratix_log_records_total", st.Records)
	p.counter("stratix_log_committed_bytes_total", st.CommittedBytes)
	p.counter("stratix_log_refused_total", st.Refused)
	p.counter("stratix_log_syncs_total", st.Syncs)
	p.counter("stratix_log_sync_failures_total", st.SyncFailures)
	p.counter("stratix_log_write_failures_total", st.WriteFailures)
	p.counter("stratix_log_segments_sealed_total", st.Seals)
	p.counter("stratix_log_segments_deleted_total", st.Deleted)
	p.counter("stratix_log_quarantined_total", st.Quarantined)
	p.histogram("stratix_log_commit_seconds", st.CommitTimes[:], 1e-6, st.CommitTime.Seconds())
	p.histogram("stratix_log_commit_bytes", st.CommitSizes[:], 1, float64(st.CommittedBytes))
}

// turns adds the lengths of loop turns: what a message waits for at the most
// before it is looked at.
func (p *page) turns(s shard.Stats) {
	p.histogram("stratix_loop_turn_seconds", s.TurnLengths[:], 1e-6, s.TurnTime.Seconds())
}

// histogram adds counts of values below unit, 2 units, 4 units and so on; the
// last one counts all others.
func (p *page) histogram(name string, counts []uint64, unit, sum float64) {
	p.histogramOf(name, "", counts, unit, sum)
}

// histogramOf is histogram with a label, written as label="value", or none.
func (p *page) histogramOf(name, label string, counts []uint64, unit, sum float64) {
	w := p.family(name, "histogram")
	before, behind := "", ""
	if label != "" {
		before, behind = label+",", "{"+label+"}"
	}
	below := uint64(0)
	for i, n := range counts[:len(counts)-1] {
		below += n
		metrics.WriteCounterUint64(w, fmt.Sprintf("%s_bucket{%sle=\"%g\"}", name, before, math.Ldexp(unit, i)), below)
	}
	below += counts[len(counts)-1]
	metrics.WriteCounterUint64(w, fmt.Sprintf("%s_bucket{%sle=\"+Inf\"}", name, before), below)
	metrics.WriteCounterFloat64(w, name+"_sum"+behind, sum)
	metrics.WriteCounterUint64(w, name+"_count"+behind, below)
}

func sortedKeys[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	sort.Strings(keys)
	return keys
}
