// Command torture breaks a gateway on purpose, and proves from what its clients
// saw that it kept its word.
package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/signal"
	"slices"
	"strings"
	"time"

	"github.com/alecthomas/kong"

	"github.com/stratix-gateway/stratix/core/torture"
)

type cli struct {
	Run     runCmd     `cmd:"" help:"Put a gateway through faults, and check what its clients saw."`
	Check   checkCmd   `cmd:"" help:"Check the history of a run again."`
	Gateway gatewayCmd `cmd:"" hidden:"" help:"The gateway of a run; it is told what to do line by line."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program; the result is the exit code: 0 if all is well, 1 if
// the gateway broke a rule or the run failed, 2 when its words are off.
func run(args []string) int {
	var c cli
	exit := -1
	parser, err := kong.New(&c, kong.Name("torture"),
		kong.Description("Breaks a gateway on purpose: kills it, cuts connections, fills its disk. Then shows that nothing it acknowledged is lost."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Vars{"faults": strings.Join(torture.Faults, ", "), "overflows": strings.Join(torture.Overflows, ", ")},
		kong.Exit(func(code int) { exit = code }))
	if err != nil {
		return fail(err)
	}
	if len(args) == 0 {
		args = []string{"--help"}
	}
	k, err := parser.Parse(args)
	switch {
	case exit >= 0: // --help was answered
		return exit
	case err != nil:
		fmt.Fprintf(os.Stderr, "torture: %v\nTry: torture --help\n", err)
		return 2
	}
	if err := k.Run(); err != nil {
		return fail(err)
	}
	return 0
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "torture: %v\n", err)
	return 1
}

type runCmd struct {
	Seed       uint64        `help:"What the run's choices follow from; 0 draws one. Their moments are the machine's, so that a run can be made alike, but not the same."`
	For        time.Duration `help:"How long there are faults; the start and the end of the run come on top." default:"20s"`
	Senders    int           `help:"Clients that send." default:"20"`
	Recipients int           `help:"Clients that receive and acknowledge." default:"20"`
	Plain      int           `help:"Clients that only receive." default:"2"`
	Rate       int           `help:"Messages a second of all senders." default:"800"`
	Window     int           `help:"Unanswered messages of one sender." default:"64"`
	Faults     []string      `help:"Which faults; all of them by default: ${faults}." placeholder:"NAME"`
	Overflow   string        `help:"What happens when the small bounds on what waits for a recipient are reached: ${overflows}. With none there are no such bounds. Drawn from the seed by default." placeholder:"POLICY"`
	Keep       string        `help:"Folder for what a failed run leaves behind; the temporary folder by default." type:"path"`
}

// Validate refuses what makes no run.
func (c *runCmd) Validate() error {
	if c.For <= 0 || c.Senders < 1 || c.Recipients < 1 || c.Recipients > 99 || c.Senders > 99 || c.Plain < 0 || c.Rate < 1 || c.Window < 1 {
		return errors.New("a run needs time, 1 to 99 senders and recipients, a rate and a window")
	}
	for _, f := range c.Faults {
		if !slices.Contains(torture.Faults, f) {
			return fmt.Errorf("--faults: there is no %q; there are %v", f, torture.Faults)
		}
	}
	if c.Overflow != "" && !slices.Contains(torture.Overflows, c.Overflow) {
		return fmt.Errorf("--overflow: there is no %q; there are %v", c.Overflow, torture.Overflows)
	}
	return nil
}

func (c *runCmd) Run() error {
	self, err := os.Executable()
	if err != nil {
		return err
	}
	return c.run([]string{self, "gateway"}, nil)
}

// run does the run with a gateway that is started by command.
func (c *runCmd) run(command, env []string) error {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt)
	defer stop()
	if c.Seed == 0 {
		c.Seed = rand.Uint64N(1_000_000_000) + 1
	}
	if len(c.Faults) == 0 {
		c.Faults = torture.Faults
	}
	fmt.Printf("seed %d\n", c.Seed)
	result, err := torture.Run(ctx, torture.Config{
		Seed: c.Seed, For: c.For, Senders: c.Senders, Recipients: c.Recipients, Plain: c.Plain,
		Rate: c.Rate, Window: c.Window, Faults: c.Faults, Overflow: c.Overflow, Command: command, Env: env, Folder: c.Keep,
	}, os.Stdout)
	switch {
	case err != nil:
		return fmt.Errorf("seed %d: %w", c.Seed, err)
	case len(result.Violations) > 0:
		return fmt.Errorf("seed %d: the gateway broke its word %d times", c.Seed, len(result.Violations))
	}
	fmt.Printf("seed %d: all is well\n", c.Seed)
	return nil
}

type checkCmd struct {
	File string `arg:"" help:"What a failed run wrote." type:"existingfile"`
}

func (c *checkCmd) Run() error {
	checker, tally := torture.NewChecker(), torture.Tally{}
	err := torture.ReadFile(c.File, func(e *torture.Event) {
		checker.Enter(e)
		tally.Add(e)
	})
	if err != nil {
		return err
	}
	fmt.Println(tally.String())
	violations := checker.Violations()
	if err := torture.Explain(os.Stdout, c.File, violations); err != nil {
		return err
	}
	if len(violations) > 0 {
		return fmt.Errorf("the gateway broke its word %d times", len(violations))
	}
	return nil
}
