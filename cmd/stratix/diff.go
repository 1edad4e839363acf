package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/shadow"
)

type diffCmd struct {
	recordedFlags
	Dir  string `arg:"" help:"Scripts folder to compare with what is live."`
	Old  string `help:"Compare with this folder in place of what is live." placeholder:"DIR"`
	JSON bool   `name:"json" help:"Print the report as JSON."`
}

// Help is shown by stratix diff --help.
func (diffCmd) Help() string {
	return `Runs what clients have sent of late through the live scripts and through those of the folder, with all effects
withheld, and says what would be decided differently: as the shadow run of a save does, and without saving.
Shared state (stratix.kv) begins empty on both sides, clocks stand where a message was taken.

The exit code is 1 if the new scripts fail on messages that the old ones do not fail on.

Examples:
  stratix diff new/
  stratix diff new/ --from 5m --client desk-1
  stratix diff new/ --data /var/lib/stratix`
}

// Validate rejects what could only go wrong later.
func (c *diffCmd) Validate() error { return c.check() }

func (c *diffCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	snap, err := reload.Read(c.Dir)
	if err != nil {
		return err
	}
	after, err := c.side(snap)
	if err != nil {
		return fmt.Errorf("%s does not load:\n%w", c.Dir, err)
	}
	var old reload.Snapshot
	if c.Old != "" {
		old, err = reload.Read(c.Old)
	} else {
		old, err = c.live(ctx)
	}
	if err != nil {
		return err
	}
	before, err := c.side(old)
	if err != nil {
		return fmt.Errorf("what is live does not load here:\n%w", err)
	}
	inputs, err := c.inputs(ctx, c.Client)
	if err != nil {
		return err
	}
	if len(inputs) == 0 {
		return errors.New("no messages are recorded: nobody has sent any of late, or the gateway runs with --record-bytes 0")
	}
	r := shadow.Compare(ctx, inputs, before, after)
	if c.JSON {
		out := json.NewEncoder(os.Stdout)
		out.SetIndent("", "  ")
		if err := out.Encode(r); err != nil {
			return err
		}
	} else {
		fmt.Println(strings.Join(diffLines(r), "\n"))
	}
	if r.NewErrors > 0 {
		return fmt.Errorf("%s fails on %d message(s) that the live scripts do not fail on", c.Dir, r.NewErrors)
	}
	return nil
}

// diffLines is the report for a person.
func diffLines(r *shadow.Report) []string {
	lines := r.Lines()
	for i, line := range lines {
		if lines[i] = visible(line); i > 0 {
			lines[i] = "  " + lines[i]
		}
	}
	return lines
}
