package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type explainCmd struct {
	adminFlag
	ID     string `arg:"" name:"message-id" help:"The messageId that the sender gave."`
	Client string `help:"Only messages of this client."`
	JSON   bool   `name:"json" help:"Print the gateway's answer as it is."`
}

// Help is shown by stratix explain --help.
func (explainCmd) Help() string {
	return `Shows the way of one message: what each stage of the pipeline said about it, how long that took and what it changed,
where the message went, what its sender was told, and what became of it since.

The gateway keeps traces for a while: of one message in --explain-rate (see stratix serve), and of those that were dropped,
rejected or failed, as far as they were not too many at once. Of these, if they were not sampled, only the end is known. If
there is none of this message, it says why that may be, and exits with 1.

Examples:
  stratix explain msg-001
  stratix explain msg-001 --client client-123
  stratix explain msg-001 --json | jq '.traces[].stages'`
}

func (c *explainCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	query := url.Values{}
	if c.Client != "" {
		query.Set("client", c.Client)
	}
	var raw json.RawMessage
	if err := c.getJSON(ctx, "/v1/messages/"+c.ID, query, &raw); err != nil {
		return err
	}
	if c.JSON {
		fmt.Printf("%s\n", raw)
		return nil
	}
	var e gateway.Explanation
	if err := json.Unmarshal(raw, &e); err != nil {
		return fmt.Errorf("the answer of %s cannot be read: %w", c.Admin, err)
	}
	if len(e.Traces) == 0 {
		return errors.New(absent(&e, c.Client))
	}
	return writeTraces(os.Stdout, &e)
}

// absent says why there is no trace of a message, and what to do.
func absent(e *gateway.Explanation, client string) string {
	who, tail := "", "stratix tail --client CLIENT"
	if client != "" {
		who, tail = " of "+client, "stratix tail --client "+client
	}
	text := fmt.Sprintf("there is no trace of a message %s%s. ", e.MessageID, who)
	if e.Rate == 0 {
		return text + "This gateway keeps none (--explain-rate 0).\n" +
			"Restart it with --explain-rate 64, or watch the client's next messages: " + tail
	}
	text += "That may be because:\n"
	why := func(format string, args ...any) { text += fmt.Sprintf("  - "+format+"\n", args...) }
	if e.Rate > 1 {
		why("it went through, and was not sampled: one message in %d is", e.Rate)
	}
	kept := func(k *gateway.KeptTraces, what string) {
		if k.Evicted > 0 {
			why("it is too long ago: of %s all since %s are there, and %d older ones have made room", what, clock(k.Since), k.Evicted)
		} else {
			why("it came before %s, when the gateway started: of %s all since then are there", clock(k.Since), what)
		}
	}
	kept(&e.Sampled, "the sampled messages")
	kept(&e.Ended, "those that came to nothing")
	if e.Skipped > 0 {
		why("it came to nothing together with many others: %d of these were not kept", e.Skipped)
	}
	why("it has not come, or under another messageId")
	return text + "Watch the next ones live: " + tail + "\n" +
		"Or start the gateway with --explain-rate 1 (every message), and --explain-bytes for a longer past."
}

// clock is a time of the last hours as an operator's clock shows it.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }
