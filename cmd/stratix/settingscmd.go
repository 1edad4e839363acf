package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"text/tabwriter"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type settingsCmd struct {
	adminFlag
	Changes bool `help:"Only what the file would change if it were read now, and what waits for a restart. Nothing is applied."`
	JSON    bool `name:"json" help:"Print the gateway's answer as it is."`
}

// Help is shown by stratix settings --help.
func (settingsCmd) Help() string {
	return `Shows what a running gateway goes by: each setting, whether a flag, the environment, the settings file or nobody has
said it, and whether another value in the file would apply at once or needs a restart. The file is read for that and not
applied: the gateway does so by itself when it changes. The exit code is 1 if the file would be rejected.

Examples:
  stratix settings
  stratix settings --changes   # what waits for a restart
  stratix settings --json | jq '.settings[] | select(.source == "file")'`
}

func (c *settingsCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	var raw json.RawMessage
	if err := c.getJSON(ctx, "/v1/settings", nil, &raw); err != nil {
		return err
	}
	var r gateway.SettingsReport
	if err := json.Unmarshal(raw, &r); err != nil {
		return fmt.Errorf("the settings of %s cannot be read: %w", c.Admin, err)
	}
	var err error
	switch {
	case c.JSON:
		fmt.Printf("%s\n", raw)
	case c.Changes:
		err = writeChanges(os.Stdout, &r)
	default:
		err = writeSettings(os.Stdout, &r)
	}
	if err == nil && r.Problem != "" {
		err = errors.New("the settings file would be rejected, and what is in force stays:\n" + r.Problem)
	}
	return err
}

// writeSettings prints all settings.
func writeSettings(out io.Writer, r *gateway.SettingsReport) error {
	changes := map[string]gateway.Change{}
	for _, c := range r.Changes {
		changes[c.Name] = c
	}
	w := tabwriter.NewWriter(out, 0, 0, 2, ' ', 0)
	fmt.Fprintln(w, "SETTING\tVALUE\tSAID BY\tANOTHER VALUE")
	for _, s := range r.Settings {
		when := "applies at once"
		if s.Restart != "" {
			when = "needs a restart: " + s.Restart
		}
		if c, ok := changes[s.Name]; ok {
			when = fmt.Sprintf("THE FILE SAYS %s, which %s", orDash(c.To), c.When())
		} else if s.File != "" && (s.Source == gateway.FromFlag || s.Source == gateway.FromEnvironment) {
			when = fmt.Sprintf("the file says %s, and the %s wins", s.File, s.Source)
		}
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", s.Name, orDash(s.Value), s.Source, when)
	}
	return w.Flush()
}

// writeChanges prints what the file would change, a line each.
func writeChanges(out io.Writer, r *gateway.SettingsReport) error {
	for _, c := range r.Changes {
		if _, err := fmt.Fprintln(out, c); err != nil {
			return err
		}
	}
	return nil
}
