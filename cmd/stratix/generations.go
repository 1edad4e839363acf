package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type generationsCmd struct {
	adminFlag
}

// Help is shown by stratix generations --help.
func (generationsCmd) Help() string {
	return `Lists the scripts that are live in a running gateway and that were, the newest first: ten of them are kept, with what
was taken back and why. A number counts in this life of the process; the hash is that of the content.

Examples:
  stratix generations
  stratix rollback --to 4f0c21`
}

func (c *generationsCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	var all []gateway.Past
	if err := c.getJSON(ctx, "/v1/generations", nil, &all); err != nil {
		return err
	}
	w := tabwriter.NewWriter(os.Stdout, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "NUMBER\tHASH\tSTATE\tLIVE SINCE\tREASON")
	for _, p := range all {
		number := "-"
		if p.Number > 0 {
			number = fmt.Sprint(p.Number)
		}
		reason := p.Reason
		for _, n := range p.Former {
			reason = strings.TrimPrefix(fmt.Sprintf("%s; was %d", reason, n), "; ")
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", number, p.Hash, p.State, momentText(p.Since, time.Now()), reason)
	}
	return w.Flush()
}

type rollbackCmd struct {
	adminFlag
	To string `help:"Generation to go back to: its number, also one that it had before a rollback, or the beginning of its hash; the last good one by default." placeholder:"GENERATION"`
}

// Help is shown by stratix rollback --help.
func (rollbackCmd) Help() string {
	return `Makes a former generation of the scripts live again, at once and without the gate; a canary is just taken back. The
scripts folder stays as it is: the next save of it goes through the gate as ever, and a restart does not serve what was
taken back.

Examples:
  stratix rollback
  stratix rollback --to 3`
}

func (c *rollbackCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	query := url.Values{}
	if c.To != "" {
		query.Set("to", c.To)
	}
	st, err := c.change(ctx, "/v1/rollback", query, http.StatusConflict, "nothing was taken back: ")
	if err != nil {
		return err
	}
	fmt.Println(rollbackText(st))
	return nil
}

// rollbackText is what a rollback has done, and what is to be done.
func rollbackText(st *gateway.Status) string {
	sc := &st.Scripts
	text := fmt.Sprintf("%s; hash %s", attemptText(&sc.Last), sc.Hash)
	if sc.Last.TakenBack == sc.Last.Generation {
		text = fmt.Sprintf("%s; %d stays live for all clients; hash %s", attemptText(&sc.Last), sc.Generation, sc.Hash)
	}
	if sc.LastGood {
		return text + ". The folder holds something else: mend it and save"
	}
	return text + ". It is what the folder holds"
}

// attemptText names what an attempt is about.
func attemptText(a *gateway.Attempt) string {
	switch {
	case a.TakenBack == 0:
		return fmt.Sprintf("generation %d", a.Generation)
	case a.TakenBack == a.Generation:
		return fmt.Sprintf("generation %d, a canary, was taken back", a.TakenBack)
	case a.Restored == 0:
		return fmt.Sprintf("generation %d was taken back; %d (what was live before) is live", a.TakenBack, a.Generation)
	}
	return fmt.Sprintf("generation %d was taken back; %d (what was live before, as %d) is live", a.TakenBack, a.Generation, a.Restored)
}
