package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type topCmd struct {
	adminFlag
	Every time.Duration `help:"Period, from 1s to 60s." default:"1s"`
	Once  bool          `help:"Print one period and end."`
	JSON  bool          `name:"json" help:"Print the gateway's JSON lines as they are."`
}

// Help is shown by stratix top --help.
func (topCmd) Help() string {
	return `Shows how a running gateway is, once a period: messages and what became of them, the time that they take in the gateway,
the stages of the scripts, the most active senders, and whom messages wait for. On a terminal it is one screen, else a line a period.
It ends with Ctrl-C.

Times, and what senders send, are of sampled messages (one in --explain-rate): estimates. While nobody looks the gateway does
nothing for it; at most 16 may look at once.

Examples:
  stratix top
  stratix top --every 5s
  stratix top --once
  stratix top --json | jq .rates.received`
}

// Validate rejects what the gateway would.
func (c *topCmd) Validate() error {
	if c.Every < time.Second || c.Every > time.Minute {
		return errors.New("--every must be from 1s to 60s")
	}
	return nil
}

func (c *topCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	resp, err := c.get(ctx, "/v1/live", url.Values{"every": {c.Every.String()}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	err = c.show(resp.Body, os.Stdout, isTerminal(os.Stdout))
	switch {
	case ctx.Err() != nil: // Ctrl-C is how it ends
		return nil
	case err == nil || errors.Is(err, errTopEnded):
		return err
	}
	return c.explain(err)
}

// maxLiveLine is the longest line of a console, in bytes: a save may have a hundred
// problems.
const maxLiveLine = 16 << 20

// errTopEnded is what a console gets when the gateway shuts down.
var errTopEnded = errors.New("the gateway has ended: it is shutting down")

// What a terminal is told: to go to the upper left corner; to clear the rest of a
// line; to clear what is below.
const (
	goHome    = "\x1b[H"
	clearLine = "\x1b[K"
	clearRest = "\x1b[J"
)

// show prints each period of in: as a screen over the one before, or as a line.
func (c *topCmd) show(in io.Reader, out io.Writer, screen bool) error {
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, maxLiveLine)
	for lines.Scan() {
		if len(lines.Bytes()) == 0 {
			continue // a sign of life
		}
		var l gateway.Live
		if err := json.Unmarshal(lines.Bytes(), &l); err != nil {
			return fmt.Errorf("a line cannot be read: %w", err)
		}
		var page bytes.Buffer
		switch {
		case c.JSON:
			page.Write(append(lines.Bytes(), '\n'))
		case c.Once:
			writeLive(&page, &l)
		case screen:
			writeLive(&page, &l)
			text := bytes.ReplaceAll(page.Bytes(), []byte("\n"), []byte(clearLine+"\n"))
			page = *bytes.NewBufferString(goHome + string(text) + clearRest)
		default:
			page.WriteString(liveLine(&l) + "\n")
		}
		if _, err := out.Write(page.Bytes()); err != nil {
			return err
		}
		if c.Once {
			return nil
		}
	}
	if err := lines.Err(); err != nil {
		return err
	}
	return errTopEnded
}

// isTerminal reports whether f is something like a terminal.
func isTerminal(f *os.File) bool {
	info, err := f.Stat()
	return err == nil && info.Mode()&os.ModeCharDevice != 0
}
