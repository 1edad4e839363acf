package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/shadow"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/lua"
)

type replayCmd struct {
	recordedFlags
	Script    string `help:"Scripts folder to run the messages through; what is live by default." placeholder:"DIR"`
	ID        string `name:"id" help:"Only messages with this messageId." placeholder:"MESSAGE_ID"`
	JSON      bool   `name:"json" help:"Print a JSON object for each message."`
	WriteTest bool   `help:"Print a test for the newest message that is chosen, with what is decided now: to be put into a *_test.lua."`
}

// Help is shown by stratix replay --help.
func (replayCmd) Help() string {
	return `Runs what clients have sent of late through scripts, with all effects withheld, and prints what they decide about each
message. It comes out the same each time: clocks stand where a message was taken, random numbers begin alike, and
shared state (stratix.kv) begins empty. A gateway records what --record-bytes has room for; of a flood, a sample.

Examples:
  stratix replay --from 10m --script new/
  stratix replay --client desk-1 --messages 20
  stratix replay --id msg-001 --write-test > msg_test.lua`
}

// Validate rejects what could only go wrong later.
func (c *replayCmd) Validate() error {
	if c.WriteTest && c.ID == "" && c.Client == "" {
		return errors.New("--write-test is about one message: choose it with --id or --client")
	}
	return c.check()
}

func (c *replayCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	var snap reload.Snapshot
	var err error
	if c.Script != "" {
		snap, err = reload.Read(c.Script)
	} else {
		snap, err = c.live(ctx)
	}
	if err != nil {
		return err
	}
	side, err := c.side(snap)
	if err != nil {
		return err
	}
	inputs, err := c.inputs(ctx, "") // those of others leave state behind, too
	if err != nil {
		return err
	}
	if len(inputs) == 0 {
		return errors.New("no messages are recorded: nobody has sent any of late, or the gateway runs with --record-bytes 0")
	}
	chosen, failed := 0, 0
	var last traffic.Input
	var lastDecision rehearse.Decision
	for i := range inputs {
		in := &inputs[i]
		d := side.Decide(in)
		if c.ID != "" && idOf(in) != c.ID || c.Client != "" && in.From != c.Client {
			continue
		}
		chosen++
		if d.Err != nil {
			failed++
		}
		last, lastDecision = *in, d
		if c.WriteTest {
			continue
		}
		if err := c.print(in, &d); err != nil {
			return err
		}
	}
	switch {
	case chosen == 0:
		return fmt.Errorf("none of %d recorded messages is %s: they reach back to %s", len(inputs), c.sought(), time.UnixMilli(inputs[0].Time).Format(time.DateTime))
	case c.WriteTest:
		return c.writeTest(ctx, snap, luaTest(&last, &lastDecision))
	case !c.JSON:
		fmt.Printf("%d message(s), %d failed\n", chosen, failed)
	}
	return nil
}

// sought is what was asked for.
func (c *replayCmd) sought() string {
	switch {
	case c.ID == "":
		return fmt.Sprintf("of %q", c.Client)
	case c.Client == "":
		return fmt.Sprintf("of the messageId %q", c.ID)
	}
	return fmt.Sprintf("of %q with the messageId %q", c.Client, c.ID)
}

// writeTest prints a test, and says so if it does not pass alone.
func (c *replayCmd) writeTest(ctx context.Context, snap reload.Snapshot, test string) error {
	if _, err := os.Stdout.WriteString(test); err != nil {
		return err
	}
	files := maps.Clone(snap.Files)
	maps.DeleteFunc(files, func(name string, _ []byte) bool { return strings.HasSuffix(name, "_test.lua") })
	files["replayed_test.lua"] = []byte(test)
	results, err := lua.RunTests(ctx, lua.Sources(files), lua.TestOptions{Budget: c.Budget, ScriptEnv: c.ScriptEnv}, nil)
	if err != nil {
		return err
	}
	for _, r := range results {
		if r.Outcome == lua.TestFailed {
			return fmt.Errorf("the test does not pass alone: what was decided depends on what came before, such as stratix.kv or on_connect; "+
				"let the test do that first\n%s", r.Text)
		}
	}
	return nil
}

// print prints what was decided about one message.
func (c *replayCmd) print(in *traffic.Input, d *rehearse.Decision) error {
	if !c.JSON {
		_, err := fmt.Println(replayLine(in, d))
		return err
	}
	out := json.NewEncoder(os.Stdout)
	out.SetEscapeHTML(false) // "-> group desk" is for people
	return out.Encode(struct {
		Decision     string         `json:"decision"`
		Kind         string         `json:"kind"`
		Instructions int            `json:"instructions"`
		Message      *traffic.Input `json:"message"`
	}{d.String(), shadow.Kind(d), d.Instructions, in})
}

// replayLine is what was decided about one message, for a person.
func replayLine(in *traffic.Input, d *rehearse.Decision) string {
	return visible(fmt.Sprintf("%s  %s  %s  %s  %d instructions",
		time.UnixMilli(in.Time).Local().Format(traceTime), in.From, orDash(idOf(in)), d, d.Instructions))
}
