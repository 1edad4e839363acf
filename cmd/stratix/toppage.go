package main

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// topRows is how many clients of a kind a screen shows.
const topRows = 10

// writeLive prints one period for a person.
func writeLive(out io.Writer, l *gateway.Live) {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	defer func() { _ = w.Flush() }() // out is memory
	row := rows(w)
	now := time.UnixMilli(l.TS)
	row("gateway", "%s, version %s, up %s, at %s, over %.1f s", strings.ToUpper(l.Readiness), l.Version, seconds(l.Uptime), now.Local().Format(time.TimeOnly), l.Period)
	if l.Generation != nil {
		row("scripts", "%s", generationText(l.Generation, now))
	}
	if a := l.Gate; a != nil && a.Result != "live" && a.Result != "unchanged" {
		row("last attempt", "%s: %s, by %s, %s", strings.ToUpper(a.Result), attemptText(a), a.Trigger, momentText(a.At, now))
		for _, p := range a.Problems[:min(len(a.Problems), 3)] {
			row("", "%s", p)
		}
	}
	if c := l.Connections; c != nil {
		refused := uint64(0)
		for _, n := range c.Refused {
			refused += n
		}
		row("connections", "%d open (%d reliable), %d mailboxes, %d upgraded, %d refused", c.Open, c.Reliable, c.Mailboxes, c.Upgraded, refused)
	}
	if r := l.Rates; r != nil {
		row("messages/s", "%s received, %s accepted, %s delivered, %s undelivered", rateText(r.Received), rateText(r.Accepted), rateText(r.Delivered), rateText(r.Undelivered))
		row("", "%s dropped, %s rejected, %s failed, %s forbidden, %s malformed, %s without a route", rateText(r.Dropped), rateText(r.Rejected),
			rateText(r.Failed), rateText(r.Forbidden), rateText(r.Malformed), rateText(r.NoRoute))
		row("bytes/s", "%s in, %s out", sizeText(int64(r.BytesIn)), sizeText(int64(r.BytesOut)))
	}
	if t := l.Latency; t != nil {
		row("time in us", "p50 %s, p90 %s, p99 %s, max %s, of %d sampled", numberText(t.P50), numberText(t.P90), numberText(t.P99), numberText(t.Max), t.Samples)
	}
	if p := l.Pending; p != nil {
		row("waiting", "%d message(s), %s in memory, the oldest for %s", p.Messages, sizeText(p.Bytes), seconds(p.Oldest))
	}
	if lost := liveLosses(l); l.Rates != nil {
		row("lost", "%s", lost.text())
	}
	if g := l.Log; g != nil {
		state := ""
		switch {
		case g.Full:
			state = "FULL, "
		case g.Failing:
			state = "FAILING, "
		}
		row("log", "%s%s in %d segment(s), %s commits/s of %s ms", state, sizeText(g.Bytes), g.Segments, rateText(g.Commits), numberText(g.CommitMS))
	}
	for _, name := range l.KeysFailing {
		row("keys", "CANNOT BE FETCHED OR READ: %s", name)
	}
	for i := range l.Upstreams {
		u := &l.Upstreams[i]
		row("upstream", "%s: %s, breaker %s, %d waiting, %s posts/s, %s failures/s", u.Name, u.State, u.Breaker, u.Queued, rateText(u.Posts), rateText(u.Failures))
	}
	rss := "-"
	if l.Memory.RSS != nil {
		rss = sizeText(*l.Memory.RSS)
	}
	cpu := "-"
	if l.CPU != nil {
		cpu = fmt.Sprintf("%.0f%%", 100**l.CPU)
	}
	row("process", "%s memory, %s heap, %s of a core", rss, sizeText(l.Memory.Heap), cpu)
	writeTables(w, l)
}

func liveLosses(l *gateway.Live) *losses {
	lost := &losses{gaps: l.Gaps, letters: l.LettersLost}
	for i := range l.Upstreams {
		u := &l.Upstreams[i]
		lost.givenUp = append(lost.givenUp, givenUp{u.Name, u.Lost + u.Expired, u.Letters})
	}
	return lost
}

func generationText(g *gateway.LiveGeneration, now time.Time) string {
	text := fmt.Sprintf("generation %d, hash %s, live since %s", g.Number, g.Hash, momentText(time.UnixMilli(g.Since), now))
	switch {
	case g.Canary != nil:
		text += fmt.Sprintf(", a share of the clients has generation %d", *g.Canary)
	case g.State != "live":
		text += ", on " + g.State
	}
	if g.StandsIn {
		text += "; THE FOLDER HOLDS SOMETHING ELSE"
	}
	return text
}

// writeTables prints the stages and the clients.
func writeTables(w io.Writer, l *gateway.Live) {
	line := func(cells ...string) {
		for i := range cells {
			cells[i] = visible(cells[i])
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	if len(l.Stages) > 0 {
		fmt.Fprintln(w)
		line("STAGE", "next/s", "done/s", "drop/s", "hold/s", "error/s", "us", "instructions", "place")
	}
	for i := range l.Stages {
		s := &l.Stages[i]
		line(s.Name, rateText(s.Next), rateText(s.Done), rateText(s.Drop), rateText(s.Hold), rateText(s.Error), numberText(s.Time), numberText(s.Instructions), s.Place)
	}
	if len(l.Top) > 0 {
		fmt.Fprintln(w)
		line("SENDER", "msgs/s", "bytes/s", "errors/s")
	}
	for _, t := range l.Top[:min(len(l.Top), topRows)] {
		line(t.Client, rateText(t.Messages), rateText(t.Bytes), rateText(t.Errors))
	}
	if l.Pending == nil || len(l.Pending.Clients) == 0 {
		return
	}
	fmt.Fprintln(w)
	line("WAITING FOR", "messages")
	for _, p := range l.Pending.Clients[:min(len(l.Pending.Clients), topRows)] {
		line(p.Client, fmt.Sprint(p.Messages))
	}
}

// liveLine is one period in one line.
func liveLine(l *gateway.Live) string {
	parts := []string{time.UnixMilli(l.TS).Local().Format(time.TimeOnly), l.Readiness}
	if c, r := l.Connections, l.Rates; c != nil && r != nil {
		parts = append(parts, fmt.Sprintf("%d open", c.Open), rateText(r.Received)+"/s received", rateText(r.Delivered)+"/s delivered",
			rateText(r.Dropped+r.Rejected+r.Failed+r.Forbidden+r.Malformed+r.NoRoute)+"/s came to nothing")
	}
	if t := l.Latency; t != nil {
		parts = append(parts, "p99 "+numberText(t.P99)+" us")
	}
	if p := l.Pending; p != nil {
		parts = append(parts, fmt.Sprintf("%d waiting", p.Messages))
	}
	if lost := liveLosses(l).String(); lost != "" {
		parts = append(parts, "LOST SINCE THE START: "+lost)
	}
	if g := l.Generation; g != nil {
		parts = append(parts, fmt.Sprintf("generation %d (%s)", g.Number, g.State))
	}
	return visible(strings.Join(parts, "  "))
}

// rateText is a rate to be read at a glance.
func rateText(f float64) string {
	switch {
	case f == 0:
		return "0"
	case f < 10:
		return fmt.Sprintf("%.1f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

// numberText is rateText of what may not be known.
func numberText(f *float64) string {
	if f == nil {
		return "-"
	}
	return rateText(*f)
}
