package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/trace"
)

// Explanation is what GET /v1/messages/ID shows.
type Explanation struct {
	MessageID string        `json:"messageId"`
	Rate      int           `json:"rate"`   // one message in so many leaves a trace; 0: none is kept
	Traces    []trace.Trace `json:"traces"` // oldest first
	// Sampled tells of the traces of messages that were sampled, Ended of those of
	// others that came to nothing.
	Sampled KeptTraces `json:"sampled"`
	Ended   KeptTraces `json:"ended"`
	Skipped uint64     `json:"skipped"` // of the latter, too many at once to be kept
}

// KeptTraces is what the shards keep of one kind.
type KeptTraces struct {
	Traces  int       `json:"traces"`
	Bytes   int       `json:"bytes"`
	Evicted uint64    `json:"evicted"` // that made room for newer ones
	Since   time.Time `json:"since"`   // all that were kept since then are there
}

func (g *Gateway) explain(id, client string, data bool) Explanation {
	e := Explanation{MessageID: id, Rate: g.opt().TraceEvery}
	var all []shard.Traced
	e.Traces, all = g.shards.Explain(id, client)
	for i := range e.Traces {
		if !data {
			e.Traces[i].Conceal()
		}
	}
	e.Sampled.Since, e.Ended.Since = g.started.UTC(), g.started.UTC()
	for _, k := range all {
		e.Sampled.add(k.Sampled)
		e.Ended.add(k.Ended)
	}
	e.Skipped = total(g.shards.Stats()).TracesSkipped
	return e
}

func (k *KeptTraces) add(of trace.Kept) {
	k.Traces += of.Traces
	k.Bytes += of.Bytes
	k.Evicted += of.Evicted
	if oldest := time.UnixMilli(of.Oldest).UTC(); of.Evicted > 0 && oldest.After(k.Since) {
		k.Since = oldest
	}
}

// MinTraces is the least memory for the traces of one shard, in bytes.
const MinTraces = 64 << 10

// Missed is the line of a tail that says how much it was too slow for.
type Missed struct {
	Missed uint64 `json:"missed"`
}

// tailBeat is after how long without a message a tail writes an empty line, so
// that it notices when its reader has gone.
const tailBeat = time.Second

// tail follows the messages that match the query: a line for each, and one with a
// count where some were missed. Only with data previews of it are shown.
func (g *Gateway) tail(query url.Values, data bool) (server.Stream, error) {
	filter, err := filterOf(query)
	if err != nil {
		return nil, err
	}
	t, err := g.shards.OpenTail(filter)
	if errors.Is(err, shard.ErrTails) {
		return nil, fmt.Errorf("%w: %w", server.ErrBusy, err)
	}
	return func(write func([]byte) error) {
		defer t.Close()
		var lines []byte
		for {
			lines = lines[:0]
			missed, ok := t.Next(g.ending, tailBeat, func(tr *trace.Trace) {
				if !data {
					tr.Conceal()
				}
				lines = appendLine(lines, tr)
			})
			if !ok {
				return
			}
			if missed > 0 {
				lines = appendLine(lines, Missed{missed})
			}
			if len(lines) == 0 {
				lines = append(lines, '\n')
			}
			if write(lines) != nil {
				return
			}
		}
	}, err
}

func appendLine(lines []byte, v any) []byte {
	b, err := json.Marshal(v)
	if err != nil {
		return lines // it holds strings and numbers only
	}
	return append(append(lines, b...), '\n')
}

func filterOf(query url.Values) (trace.Filter, error) {
	var f trace.Filter
	for name, values := range query {
		field := map[string]*string{"client": &f.Client, "prefix": &f.Prefix, "verdict": &f.Verdict, "stage": &f.Stage, "code": &f.Code}[name]
		switch {
		case field == nil:
			return f, fmt.Errorf("unknown parameter %q: a tail takes %s", name, strings.Join([]string{"client", "prefix", "verdict", "stage", "code"}, ", "))
		case len(values) != 1:
			return f, fmt.Errorf("%s is given %d times", name, len(values))
		}
		*field = values[0]
	}
	return f, f.Check()
}
