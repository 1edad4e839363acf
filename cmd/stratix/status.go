package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type statusCmd struct {
	adminFlag
	JSON bool `name:"json" help:"Print the gateway's answer as it is."`
}

// Help is shown by stratix status --help.
func (statusCmd) Help() string {
	return `Asks a running gateway how it is: which generation of the scripts is live and how the last attempt to change it
went, its clients, the messages that wait, the log on the disk, and the upstreams.

Examples:
  stratix status
  stratix status --admin unix:/run/stratix/admin.sock
  stratix status --json | jq .scripts.last`
}

func (c *statusCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	var raw json.RawMessage
	if err := c.getJSON(ctx, "/v1/status", nil, &raw); err != nil {
		return err
	}
	if c.JSON {
		fmt.Printf("%s\n", raw)
		return nil
	}
	var st gateway.Status
	if err := json.Unmarshal(raw, &st); err != nil {
		return fmt.Errorf("the status of %s cannot be read: %w", c.Admin, err)
	}
	return writeStatus(os.Stdout, &st, time.Now())
}

// writeStatus prints st for a person who reads it at now.
func writeStatus(out io.Writer, st *gateway.Status, now time.Time) error {
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	row := rows(w)
	ready := "ready"
	if !st.Ready {
		ready = "NOT READY"
	}
	row("gateway", "%s, version %s, on %s, %d shard(s), %s", ready, st.Version, st.Listen, st.Shards, st.Transport)
	row("started", "%s", momentText(st.Started, now))

	sc := &st.Scripts
	row("scripts", "%s", sc.Folder)
	row("generation", "%d, hash %s, live since %s", sc.Generation, sc.Hash, momentText(sc.Since, now))
	if sc.LastGood {
		row("", "THE FOLDER HOLDS SOMETHING ELSE, which did not load or was taken back: mend it and save")
	}
	if u := sc.TrialUntil; u != nil {
		row("", "on trial until %s: taken back by itself if it fails", u.Local().Format(time.TimeOnly))
	}
	if y := sc.Canary; y != nil {
		row("canary", "%d, hash %s, for %g%% of the clients until %s", y.Generation, y.Hash, 100*y.Share, y.Until.Local().Format(time.TimeOnly))
	}
	pipeline := strings.Join(sc.Stages, " -> ")
	if len(sc.Stages) == 0 {
		pipeline = "empty, messages go where their senders address them"
	}
	row("pipeline", "%s", pipeline)
	policy := "on_policy decides who may send to whom"
	if !sc.Policy {
		policy = "none: every client may send to every other"
	}
	row("policy", "%s", policy)
	row("last attempt", "%s: %s, by %s, took %.1f ms, %s", strings.ToUpper(sc.Last.Result), attemptText(&sc.Last), sc.Last.Trigger, sc.Last.Millis, momentText(sc.Last.At, now))
	for _, s := range sc.Last.Steps {
		row("", "%s", s)
	}
	for _, p := range sc.Last.Problems {
		row("", "%s", p)
	}
	for _, w := range sc.Warnings {
		row("warning", "%s", w)
	}

	row("clients", "%d connected, %d group(s)", st.Connections, st.Groups)
	row("messages", "%d in, %d out", st.MessagesIn, st.MessagesOut)
	k := &st.Kept
	row("waiting", "%d message(s), %s in memory, the oldest for %s, for %d client(s) that something is kept for",
		k.Pending, sizeText(k.Bytes), seconds(k.OldestSeconds), k.Clients)
	if k.Full > 0 {
		row("", "FULL for %d of them, stratix log show --client ID --pending: %s", k.Full, clientsText(k.FullClients, k.Full))
	}
	lost := losses{gaps: st.Gaps, letters: st.LettersLost}
	for i := range st.Upstreams {
		u := &st.Upstreams[i]
		lost.givenUp = append(lost.givenUp, givenUp{u.Name, u.Lost + u.Expired, u.Letters})
	}
	row("lost", "%s", lost.text())
	if l := st.Log; l != nil {
		row("log", "%s: %d segment(s), %s, %d commit(s)", l.Folder, l.Segments, sizeText(l.Bytes), l.Commits)
		switch {
		case l.Full:
			row("", "FULL: durable messages are refused until there is room on the disk")
		case l.Failing:
			row("", "FAILING: %s", l.LastError)
		}
	} else {
		row("log", "none: the gateway has no data folder")
	}
	if s := st.Settings; s != nil {
		row("settings", "%s", s.File)
		for _, c := range s.Waiting {
			row("", "WAITING FOR A RESTART: %s %s -> %s (%s)", c.Name, orDash(c.From), orDash(c.To), c.Restart)
		}
		for _, problem := range strings.Split(s.Problem, "\n") {
			if problem != "" {
				row("", "REJECTED: %s", problem)
			}
		}
	}
	for _, name := range st.KeysFailing {
		row("keys", "CANNOT BE FETCHED OR READ: %s; those from before stay, and the log says why", name)
	}
	for i := range st.Upstreams {
		u := &st.Upstreams[i]
		row("upstream", "%s: %s, breaker %s, %d waiting (%s), %d taken, %d given up, %d refused",
			u.Name, u.State, u.Breaker, u.Queued, sizeText(u.Bytes), u.Delivered, u.Lost+u.Expired, u.Refused)
		if u.LastAt != nil {
			row("", "last error: %s, %s", u.LastError, momentText(*u.LastAt, now))
		}
	}
	return w.Flush()
}

// clientsText is some names of so many clients.
func clientsText(names []string, of int) string {
	text := strings.Join(names, ", ")
	if of > len(names) {
		text += ", ..."
	}
	return text
}

// momentText is a moment and how long ago it was.
func momentText(t, now time.Time) string {
	return fmt.Sprintf("%s (%s ago)", t.Local().Format(time.DateTime), max(now.Sub(t), 0).Round(time.Second))
}

// sizeText is a number of bytes to be read at a glance.
func sizeText(n int64) string {
	size, unit := float64(n), "B"
	for _, next := range []string{"KiB", "MiB", "GiB", "TiB"} {
		if size < 1024 {
			break
		}
		size, unit = size/1024, next
	}
	if unit == "B" {
		return fmt.Sprintf("%d B", n)
	}
	return fmt.Sprintf("%.1f %s", size, unit)
}

func seconds(s float64) string {
	return time.Duration(s * float64(time.Second)).Round(time.Second).String()
}
