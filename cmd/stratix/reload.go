package main

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type reloadCmd struct {
	adminFlag
	Gate string `help:"How far the scripts must come, this once: load, test, shadow; as serve --gate says by default." enum:",load,test,shadow" default:"" placeholder:"GATE"`
}

// Help is shown by stratix reload --help.
func (reloadCmd) Help() string {
	return `Makes a running gateway read its settings file, its certificate, its keys and its scripts folder now, as SIGHUP does.
What it rejects stays as it is; the problems are printed as file:line, and the exit code is 1. What would change in the
settings is shown before by stratix settings --changes.

Examples:
  stratix reload
  stratix reload --gate test   # what the shadow run differs in is meant
  rsync -a --delete new/ /etc/stratix/routes/ && stratix reload --admin unix:/run/stratix/admin.sock`
}

// reloadTime is for a gateway that runs the scripts' own tests before it answers.
const reloadTime = 10 * adminReply

func (c *reloadCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	query := url.Values{}
	if c.Gate != "" {
		query.Set("gate", c.Gate)
	}
	st, err := c.change(ctx, "/v1/reload", query, http.StatusUnprocessableEntity, "rejected, and what is in force stays:\n")
	if err != nil {
		return err
	}
	fmt.Println(reloadText(st))
	if s := st.Settings; s != nil {
		for _, c := range s.Waiting {
			fmt.Printf("settings: %s\n", c)
		}
	}
	return nil
}

// reloadText is what has come of a reload.
func reloadText(st *gateway.Status) string {
	sc := &st.Scripts
	switch y := sc.Canary; {
	case y != nil && y.Generation == sc.Last.Generation:
		return fmt.Sprintf("generation %d is on trial: %g%% of the clients have it, and all from %s on if it does not fail; generation %d is live for the others",
			y.Generation, 100*y.Share, y.Until.Local().Format(time.TimeOnly), sc.Generation)
	case sc.Last.Result == "unchanged":
		return fmt.Sprintf("unchanged: generation %d stays live", sc.Generation)
	}
	return fmt.Sprintf("generation %d is live: %d stage(s), took %.1f ms", sc.Generation, len(sc.Stages), sc.Last.Millis)
}
