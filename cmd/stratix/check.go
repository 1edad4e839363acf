package main

import (
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

type checkCmd struct {
	Dir    string `arg:"" help:"Scripts folder." default:"scripts/routes" type:"path"`
	Budget int    `help:"Lua instructions for one message." default:"100000" env:"STRATIX_BUDGET"`
}

// Help is shown by stratix check --help.
func (checkCmd) Help() string {
	return `Says what a save of this folder would do. Each problem is one line with file:line; the exit code is 1 if there is any.

Examples:
  stratix check
  stratix check /etc/stratix/routes && cp -r /etc/stratix/routes /srv/live`
}

func (c *checkCmd) Run() error {
	snap, err := reload.Read(c.Dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	states := map[string]any{}
	env := &core.Env{Shards: 1, Log: log, State: func(name string, make func() any) any {
		if _, ok := states[name]; !ok {
			states[name] = make()
		}
		return states[name]
	}}
	gen, err := loader(c.Budget, log)(snap, 1, env, nil)
	if err != nil {
		return err
	}
	p := gen.Programs[0].Pipeline
	names := make([]string, p.Len())
	for i := range names {
		names[i], _ = p.Stage(i)
	}
	fmt.Printf("%s: ok: %d files, pipeline: %s\n", c.Dir, len(snap.Files), strings.Join(names, " -> "))
	return nil
}
