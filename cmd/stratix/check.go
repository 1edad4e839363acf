package main

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/reload"
)

type checkCmd struct {
	Dir    string `arg:"" help:"Scripts folder (${default})." default:"scripts/routes" env:"STRATIX_SCRIPTS"`
	Budget int    `help:"Lua instructions for one message." default:"100000" env:"STRATIX_BUDGET"`

	ScriptEnv []string `help:"Environment variables that scripts may read with stratix.env, by their names; what they hold is never logged." placeholder:"NAME" env:"STRATIX_SCRIPT_ENV"`
}

// Help is shown by stratix check --help.
func (checkCmd) Help() string {
	return `Loads the folder as a save would: compiles and lints every file, runs main.lua, opens the stages.
The first problems found come as lines with file:line, and the exit code is 1. Functions are not called:
a misspelled verb inside of one shows when a message reaches it, or in a test (stratix test).

Examples:
  stratix check
  stratix check --script-env ORDERS_URL,API_KEY /etc/stratix/routes
  stratix check new/ && rsync -a --delete new/ /etc/stratix/routes/`
}

// Validate rejects what serve would.
func (c *checkCmd) Validate() error {
	if c.Budget <= 0 {
		return errors.New("--budget must be positive")
	}
	return badVariable(c.ScriptEnv)
}

func (c *checkCmd) Run() error {
	snap, err := reload.Read(c.Dir)
	if err != nil {
		return err
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	gen, err := loader(c.Budget, c.ScriptEnv)(snap, gateway.LoadOptions{Number: 1, Env: rehearse.Env(log), Log: log})
	if err != nil {
		return err
	}
	p := gen.Programs[0].Pipeline
	names := make([]string, p.Len())
	for i := range names {
		names[i], _ = p.Stage(i)
	}
	pipeline := strings.Join(names, " -> ")
	if len(names) == 0 {
		pipeline = "empty, messages go where their senders address them"
	}
	fmt.Printf("%s: ok: generation of %d file(s), pipeline: %s\n", c.Dir, len(snap.Files), pipeline)
	return nil
}
