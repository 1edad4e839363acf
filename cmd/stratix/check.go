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
	Strict bool   `help:"Let warnings be errors." env:"STRATIX_STRICT"`

	ScriptEnv []string `help:"Environment variables that scripts may read with stratix.env, by their names; what they hold is never logged." placeholder:"NAME" env:"STRATIX_SCRIPT_ENV"`
}

// Help is shown by stratix check --help.
func (checkCmd) Help() string {
	return `Loads the folder as a save would: compiles and lints every file, runs main.lua, opens the stages.
The first problems found come as lines with file:line, and the exit code is 1. Functions are not called:
what they do shows when a message reaches them, or in a test (stratix test).

What is legal and probably not meant comes as a warning with its name in brackets: it keeps nothing from going live,
unless --strict makes it an error here. A comment in its line switches one off: -- stratix:ignore unused-result

Examples:
  stratix check
  stratix check --strict scripts/routes
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
		return orInit(c.Dir, err)
	}
	log := slog.New(slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: slog.LevelWarn}))
	gen, err := loader(c.Budget, c.ScriptEnv)(snap, gateway.LoadOptions{Number: 1, Env: rehearse.Env(log), Log: log})
	if err != nil {
		return orInit(c.Dir, err)
	}
	for _, w := range gen.Warnings {
		fmt.Fprintf(os.Stderr, "%s\n", warningText(w))
	}
	if n := len(gen.Warnings); c.Strict && n > 0 {
		return fmt.Errorf("%s: %d warning(s), and --strict", c.Dir, n)
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

// warningText marks a line as what it is, behind its place.
func warningText(line string) string {
	pos, text, _ := strings.Cut(line, ": ")
	return pos + ": warning: " + text
}
