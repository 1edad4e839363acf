package main

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
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
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\t%s\n", number, p.Hash, p.State, momentText(p.Since, time.Now()), p.Reason)
	}
	return w.Flush()
}

type rollbackCmd struct {
	adminFlag
	To string `help:"Generation to go back to: its number, or the beginning of its hash; the last good one by default." placeholder:"GENERATION"`
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
	fmt.Printf("generation %d is live, hash %s: mend the folder and save\n", st.Scripts.Generation, st.Scripts.Hash)
	return nil
}
