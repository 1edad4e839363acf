package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

type reloadCmd struct {
	adminFlag
}

// Help is shown by stratix reload --help.
func (reloadCmd) Help() string {
	return `Makes a running gateway read its scripts folder now, as a save would. When it rejects them, what is live stays; the
problems are printed as file:line, and the exit code is 1.

Examples:
  stratix reload
  rsync -a --delete new/ /etc/stratix/routes/ && stratix reload --admin unix:/run/stratix/admin.sock`
}

// reloadTime is for a gateway that runs the scripts' own tests before it answers.
const reloadTime = 10 * adminReply

func (c *reloadCmd) Run() error {
	ctx, stop := untilInterrupted()
	defer stop()
	ctx, cancel := context.WithTimeout(ctx, reloadTime)
	defer cancel()
	resp, err := c.post(ctx, "/v1/reload", nil, nil)
	var refused *adminError
	if errors.As(err, &refused) && refused.Status == http.StatusUnprocessableEntity {
		return fmt.Errorf("the scripts were rejected, and what is live stays:\n%w", err)
	}
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	var st gateway.Status
	if err := c.decode(resp, &st); err != nil {
		return err
	}
	fmt.Println(reloadText(&st))
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
