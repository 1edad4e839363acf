package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"os/signal"
	"regexp"
	"syscall"

	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/lua"
)

type testCmd struct {
	Dir        string `arg:"" help:"Scripts folder (${default})." default:"scripts/routes" env:"STRATIX_SCRIPTS"`
	Match      string `name:"run" help:"Run the tests whose names match this regular expression." placeholder:"REGEXP"`
	Format     string `help:"${enum}." enum:"text,tap,junit" default:"text"`
	Watch      bool   `help:"Run again after each save, until interrupted."`
	Verbose    bool   `short:"v" help:"Show the tests that pass, and what is logged in all of them."`
	Budget     int    `help:"Lua instructions for one message." default:"100000" env:"STRATIX_BUDGET"`
	TestBudget int    `help:"Lua instructions for one test, without those of the scripts." default:"10000000"`

	ScriptEnv []string `help:"Environment variables that scripts may read with stratix.env, by their names; what they hold is never logged." placeholder:"NAME" env:"STRATIX_SCRIPT_ENV"`

	match *regexp.Regexp
}

// Help is shown by stratix test --help.
func (testCmd) Help() string {
	return `Runs the functions test_* in the files *_test.lua of the folder: each with the real pipeline, clients that are
made up, and a clock that it moves itself. Nothing is sent, kept or started.

  function test_orders_go_to_the_desk(t)
    local desk = t:connect("desk-1", { groups = "orders" })
    local r = t:send{ from = "a", data = { kind = "order" } }
    t:eq(r.targets, { "group:orders" })
    t:eq(desk:last().data.kind, "order")
  end

The exit code is 0 if no test has failed, 1 if one has or the folder does not load, 2 if the words are off.

Examples:
  stratix test
  stratix test --run orders -v
  stratix test --watch scripts/routes
  ORDERS_GROUP=orders stratix test --script-env ORDERS_GROUP
  stratix test --format junit /etc/stratix/routes > report.xml`
}

// Validate rejects what could only go wrong later.
func (c *testCmd) Validate() (err error) {
	switch {
	case c.Budget <= 0:
		return errors.New("--budget must be positive")
	case c.TestBudget <= 0:
		return errors.New("--test-budget must be positive")
	case c.Watch && c.Format != "text":
		return errors.New("--watch prints text only: leave --format out")
	}
	if c.match, err = regexp.Compile(c.Match); err != nil {
		return fmt.Errorf("--run: %w", err)
	}
	return badVariable(c.ScriptEnv)
}

func (c *testCmd) Run() error {
	snap, err := reload.Read(c.Dir)
	if err != nil {
		return orInit(c.Dir, err)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if c.Watch {
		return c.watch(ctx, snap, os.Stdout)
	}
	return c.once(ctx, snap, os.Stdout)
}

// once runs the tests and reports them to w. The error says that some failed.
func (c *testCmd) once(ctx context.Context, snap reload.Snapshot, w io.Writer) error {
	report := c.report(w)
	results, err := lua.RunTests(ctx, lua.Sources(snap.Files),
		lua.TestOptions{Budget: c.Budget, TestBudget: c.TestBudget, ScriptEnv: c.ScriptEnv, Run: c.match}, report.each)
	if err != nil {
		report.broken(err)
		return orInit(c.Dir, err)
	}
	if len(results) == 0 {
		if c.Match != "" {
			return fmt.Errorf("%s: no test matches --run %q", c.Dir, c.Match)
		}
		report.none(c.Dir)
		return nil
	}
	if err := report.end(results); err != nil {
		return err
	}
	if n := count(results, lua.TestFailed); n > 0 {
		return fmt.Errorf("%s: %d of %d tests failed", c.Dir, n, len(results))
	}
	return nil
}

// watch runs the tests now and after each save, until ctx ends.
func (c *testCmd) watch(ctx context.Context, snap reload.Snapshot, w io.Writer) error {
	run := func(snap reload.Snapshot) {
		if err := c.once(ctx, snap, w); err != nil && ctx.Err() == nil {
			fmt.Fprintln(w, err)
		}
		fmt.Fprintf(w, "\nwatching %s\n", c.Dir)
	}
	run(snap)
	folder := reload.Folder{Dir: c.Dir, Log: slog.New(slog.NewTextHandler(os.Stderr, nil))}
	return folder.Watch(ctx, snap, run, func(err error) { fmt.Fprintln(w, err) })
}

func count(results []lua.TestResult, outcome lua.TestOutcome) (n int) {
	for _, r := range results {
		if r.Outcome == outcome {
			n++
		}
	}
	return n
}
