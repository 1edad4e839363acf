package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

type logShowCmd struct {
	logFolder
	Client  string   `help:"Only what is for this ClientID."`
	From    string   `help:"Only messages of this sender."`
	ID      string   `name:"id" help:"Only messages with this messageId."`
	Kind    []string `help:"Only records of these kinds: ${enum}." enum:"message,ack,gone,session,end,run"`
	Since   moment   `help:"Only what was committed since: so long ago (10m) or a time (2026-01-31T18:00:00Z)."`
	Until   moment   `help:"Only what was committed before: so long ago, or a time."`
	Pending bool     `help:"Only messages that still wait for a recipient."`
	Limit   int      `help:"Print so many at the most, the oldest; 0 for all."`
	Full    bool     `help:"Cut nothing, and print headers and the like too."`
	JSON    bool     `name:"json" help:"Print a JSON object for each record."`
}

// Help is shown by stratix log show --help.
func (logShowCmd) Help() string {
	return `Prints one line a record: time of the commit, segment:offset, kind, and what it says. A recipient is CLIENT#SEQ.
Of a message that a filter chose for some of its recipients (--client, --pending), only those are printed. Records
have to pass all filters; --from, --id and --pending are passed by messages only. A message waits if nothing in the
log says that it was acknowledged, will never be delivered, or that its recipient is forgotten.

Kinds: message; ack, of what a recipient has settled; gone, of what will never be delivered, and why; session, of what
is known of a recipient; end, of a recipient that is forgotten; run, of the gateway.

Examples:
  stratix log show --client desk-1 --since 10m
  stratix log show --client desk-1 --pending --full
  stratix log show --from client-7 --id msg-001 --json
  stratix log show --kind gone --since 2026-01-31T18:00:00Z --until 2026-01-31T19:00:00Z`
}

// Validate rejects what would print nothing.
func (c *logShowCmd) Validate() error {
	now := time.Now()
	since, until := c.Since.millis(now), c.Until.millis(now)
	switch {
	case c.Limit < 0:
		return errors.New("--limit must not be negative")
	case since != 0 && until != 0 && since >= until:
		return errors.New("--since must be before --until")
	}
	return nil
}

func (c *logShowCmd) Run() error {
	now := time.Now()
	filter := logFilter{
		kinds: c.Kind, client: c.Client, from: c.From, id: c.ID,
		since: c.Since.millis(now), until: c.Until.millis(now),
	}
	if c.Pending {
		var err error
		if filter.waiting, err = c.accounts(); err != nil {
			return err
		}
	}
	out := bufio.NewWriter(os.Stdout)
	left, err := c.print(out, &filter)
	if e := out.Flush(); err == nil {
		err = e
	}
	if err == nil && left > 0 {
		fmt.Fprintf(os.Stderr, "stratix: %d place(s) of the log could not be read, see: stratix log verify\n", left)
	}
	return err
}

// accounts reads the whole log for what waits at its end.
func (c *logShowCmd) accounts() (*accounts, error) {
	var known *accounts
	var rec record.Record
	_, err := c.scan(func() { known = newAccounts() }, func(e corejournal.Entry) error {
		if e.Record != nil && rec.Read(e.Record) {
			known.record(e.At, &rec)
		}
		return nil
	})
	return known, err
}

// errEnough ends a scan early.
var errEnough = errors.New("enough")

// print prints what the filter chooses, and returns how many places it had to
// leave out.
func (c *logShowCmd) print(out io.Writer, filter *logFilter) (left int, err error) {
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	var known *accounts
	var rec record.Record
	var last corejournal.Position // that was looked at; a second reading goes on behind it
	printed := 0
	begin := func() { known, left = newAccounts(), 0 }
	_, err = c.scan(begin, func(e corejournal.Entry) error {
		if e.Damage != nil {
			if !e.Torn {
				left++
			}
			return nil
		}
		if !rec.Read(e.Record) {
			left++
			return nil
		}
		known.record(e.At, &rec)
		if !last.Less(e.At) {
			return nil
		}
		last = e.At
		line := lineOf(e, &rec, known)
		if !filter.keep(&line) {
			return nil
		}
		if c.JSON {
			err = encoder.Encode(line.json())
		} else {
			_, err = fmt.Fprintln(out, line.text(c.Full))
		}
		if printed++; err == nil && printed == c.Limit {
			err = errEnough
		}
		return err
	})
	if errors.Is(err, errEnough) {
		err = nil
	}
	return left, err
}
