package main

import (
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"strconv"
)

type profileCmd struct {
	adminFlag
	Seconds int    `help:"For how long, 1 to 60 (${default})." default:"10"`
	Format  string `help:"${enum} (${default})." enum:"table,folded,pprof" default:"table"`
	Out     string `short:"o" placeholder:"FILE" help:"Write to a file; needed for pprof, unless the output goes elsewhere."`
}

// Help is shown by stratix profile --help.
func (profileCmd) Help() string {
	return `Samples where the Lua instructions of a running gateway go, on all shards, and prints it by line, by function, and by
stage or hook. What built-ins charge for the bytes they work on counts too; self is a line's or function's own, total
includes what it called. A save meanwhile is profiled further. The gateway serves all the while.

folded has a line for each stack, as flame graph tools take it; pprof is for go tool pprof, with the label "stage".

Examples:
  stratix profile
  stratix profile --seconds 30 --format folded -o stacks.txt
  stratix profile --format pprof -o lua.pb.gz && go tool pprof -top lua.pb.gz
  go tool pprof -http : 'http://127.0.0.1:8081/v1/profile?format=pprof'`
}

// Validate rejects what the gateway would.
func (c *profileCmd) Validate() error {
	if c.Seconds < 1 || c.Seconds > 60 {
		return errors.New("--seconds must be between 1 and 60")
	}
	return nil
}

func (c *profileCmd) Run() error {
	if c.Format == "pprof" && c.Out == "" {
		if info, err := os.Stdout.Stat(); err == nil && info.Mode()&os.ModeCharDevice != 0 {
			return errors.New("--format pprof is no text: name a file with -o FILE")
		}
	}
	ctx, stop := untilInterrupted()
	defer stop()
	resp, err := c.get(ctx, "/v1/profile", url.Values{"seconds": {strconv.Itoa(c.Seconds)}, "format": {c.Format}})
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	report, err := io.ReadAll(resp.Body)
	if err != nil {
		return c.explain(err)
	}
	if c.Out == "" {
		_, err = os.Stdout.Write(report)
		return err
	}
	if err := os.WriteFile(c.Out, report, 0o666); err != nil {
		return fmt.Errorf("the profile was not written: %w", err)
	}
	fmt.Fprintf(os.Stderr, "%s: %d bytes\n", c.Out, len(report))
	return nil
}
