package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strings"

	"github.com/stratix-gateway/stratix/core/trace"
)

type tailCmd struct {
	adminFlag
	Client  string `help:"Only messages of this client."`
	Prefix  string `help:"Only messages of clients whose ID begins so."`
	Verdict string `help:"Only messages with this end: accepted, dropped (or drop), rejected, error, forbidden, malformed, no_route. With --stage what that stage said: next, done, drop, hold, error."`
	Stage   string `help:"Only messages that came to this stage, such as main.lua:12 or prefix."`
	Code    string `help:"Only messages whose sender was told this error code."`
	JSON    bool   `name:"json" help:"Print the gateway's JSON lines as they are."`
	Count   int    `short:"n" help:"End after so many messages; 0 for never."`
}

// Help is shown by stratix tail --help.
func (tailCmd) Help() string {
	return `Follows what a running gateway decides, a line for each message: every message that matches, whatever --explain-rate
is. A message that was accepted comes when its sender is answered. It ends with Ctrl-C, or after -n messages.

The gateway never waits for a tail: of what it is too slow for it prints how much was missed. While it runs, matching messages
cost the gateway about as much again as their pipeline; at most 8 tails may be open.

Examples:
  stratix tail
  stratix tail --client client-123
  stratix tail --prefix desk- --verdict drop
  stratix tail --code offline -n 10 --json | jq .client`
}

// Validate rejects what the gateway would.
func (c *tailCmd) Validate() error {
	if c.Count < 0 {
		return errors.New("--count must not be negative")
	}
	f := trace.Filter{Client: c.Client, Prefix: c.Prefix, Verdict: c.Verdict, Stage: c.Stage, Code: c.Code}
	return f.Check()
}

func (c *tailCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	query := url.Values{}
	for name, value := range map[string]string{"client": c.Client, "prefix": c.Prefix, "verdict": c.Verdict, "stage": c.Stage, "code": c.Code} {
		if value != "" {
			query.Set(name, value)
		}
	}
	resp, err := c.get(ctx, "/v1/tail", query)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = c.follow(resp.Body, os.Stdout, os.Stderr)
	switch {
	case ctx.Err() != nil: // Ctrl-C is how a tail ends
		return nil
	case err == nil || errors.Is(err, errTailEnded):
		return err
	}
	return c.explain(err)
}

// maxTailLine is the longest line of a tail, in bytes.
const maxTailLine = 1 << 20

// errTailEnded is what a tail gets when the gateway shuts down.
var errTailEnded = errors.New("the gateway has ended the tail: it is shutting down, or the token of --key has expired")

// follow prints the lines of in until Count messages are printed. The end of in
// before that is an error.
func (c *tailCmd) follow(in io.Reader, out, complaints io.Writer) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxTailLine)
	for n := 0; lines.Scan(); {
		if len(lines.Bytes()) == 0 {
			continue // a sign of life
		}
		var line struct {
			trace.Trace
			Missed uint64 `json:"missed"`
		}
		if err := json.Unmarshal(lines.Bytes(), &line); err != nil {
			return fmt.Errorf("a line cannot be read: %w", err)
		}
		text := tailLine(&line.Trace)
		if c.JSON {
			text = lines.Text()
		}
		switch {
		case line.Missed > 0 && !c.JSON:
			fmt.Fprintf(complaints, "stratix: %d entries were missed: this tail is too slow; narrow it with --client, --prefix or --verdict\n", line.Missed)
			continue
		case line.Missed > 0:
			n-- // printed, and no message
		}
		if _, err := fmt.Fprintln(out, text); err != nil {
			return err
		}
		if n++; n == c.Count && c.Count > 0 {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errTailEnded
}

// tailLine is one message in one line.
func tailLine(t *trace.Trace) string {
	parts := []string{t.Time.Local().Format(traceTime), t.Client, orDash(t.MessageID), verdictText(t)}
	if where := targetsText(t); where != "" {
		parts = append(parts, "-> "+where)
	}
	if a := t.Answer; a != nil {
		told := a.Status
		if a.Code != "" {
			told = "error " + a.Code
		}
		parts = append(parts, "= "+told)
	}
	if n := len(t.Stages); n > 0 {
		micros := 0.0
		for _, s := range t.Stages {
			micros += s.Micros
		}
		last := t.Stages[n-1].Stage
		if t.Verdict != trace.Accepted {
			parts = append(parts, "at "+last)
		}
		if t.Sampled {
			parts = append(parts, fmt.Sprintf("%.1f us", micros))
		}
	}
	return visible(strings.Join(parts, "  "))
}
