package main

import (
	"context"
	"os"
	"os/signal"

	"github.com/stratix-gateway/stratix/core/load"
)

type benchCmd struct {
	load.Config
}

// Help is shown by stratix bench --help.
func (benchCmd) Help() string {
	return `Loopback only; bounded in connections and time; it stops by itself.

Examples:
  stratix bench --scenario pairs --connections 1000 --window 8
  stratix bench --scenario open --rate 20000 --seconds 10 --json
  stratix bench --scenario reload --connections 5000 --scripts /tmp/routes
  stratix bench --scenario durable --payload 200 --inflight 16
  stratix bench --scenario pending --messages 1000000 --recipients 10000
  stratix bench --scenario attack --seconds 3`
}

func (c *benchCmd) Run() error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	_, err := load.Run(ctx, c.Config, os.Stdout)
	return err
}
