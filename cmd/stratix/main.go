// Command stratix is a WebSocket gateway that is programmed in Lua.
package main

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"
	"slices"

	"github.com/alecthomas/kong"
)

// version is set by scripts/build.sh.
var version = "dev"

type cli struct {
	Serve   serveCmd   `cmd:"" help:"Run the gateway."`
	Init    initCmd    `cmd:"" help:"Make a scripts folder to begin with: a pipeline, its tests, what editors need."`
	Check   checkCmd   `cmd:"" help:"Compile and lint a scripts folder and build its pipeline, without running it."`
	Test    testCmd    `cmd:"" help:"Run the tests of a scripts folder: the real pipeline, made-up clients, a clock that stands still."`
	Status  statusCmd  `cmd:"" help:"Show how a running gateway is."`
	Top     topCmd     `cmd:"" help:"Show what a running gateway does, once a period."`
	Reload  reloadCmd  `cmd:"" help:"Make a running gateway read its scripts, settings, keys and certificate now."`
	Explain explainCmd `cmd:"" help:"Show the way of one message through a running gateway."`
	Tail    tailCmd    `cmd:"" help:"Follow what a running gateway decides about messages."`
	Diff    diffCmd    `cmd:"" help:"Compare what a scripts folder decides with what is live, on what clients have sent of late."`
	Replay  replayCmd  `cmd:"" help:"Run what clients have sent of late through scripts, and print what they decide."`

	Generations generationsCmd `cmd:"" help:"List the scripts that are and were live in a running gateway."`
	Rollback    rollbackCmd    `cmd:"" help:"Make former scripts live again in a running gateway."`

	Settings settingsCmd `cmd:"" help:"Show what a running gateway goes by, where that was said, and what its settings file would change."`

	Key     keyCmd     `cmd:"" help:"Make, list and revoke keys of the HTTP API."`
	Profile profileCmd `cmd:"" help:"Show where the Lua instructions of a running gateway go."`
	Bench   benchCmd   `cmd:"" help:"Put a bounded load on a gateway on this machine and measure it."`
	Log     logCmd     `cmd:"" help:"Look into the log of a data folder."`
	Version versionCmd `cmd:"" help:"Print the version."`
}

func main() { os.Exit(run(os.Args[1:])) }

// run is the whole program; the result is the exit code: 0 for success, 1 when
// the command failed, 2 when its words are off.
func run(args []string) int {
	var c cli
	exit := -1
	parser, err := c.parser(func(code int) { exit = code })
	if err != nil {
		return fail(err)
	}
	switch {
	case len(args) == 0:
		args = []string{"--help"}
	case args[0] == "help":
		args = append(slices.Clone(args[1:]), "--help")
	case args[0] == "--version":
		args = []string{"version"}
	}
	k, err := parser.Parse(args)
	var off *settingsError
	switch {
	case exit >= 0: // --help was answered
		return exit
	case errors.As(err, &off):
		fmt.Fprintf(os.Stderr, "stratix: %v\n", off)
		return 2
	case err != nil:
		fmt.Fprintf(os.Stderr, "stratix: %v\nTry: stratix --help\n", err)
		return 2
	}
	if err := k.Run(); err != nil {
		return fail(err)
	}
	return 0
}

// parser reads the words of the command line into c.
func (c *cli) parser(exit func(code int)) (*kong.Kong, error) {
	return kong.New(c,
		kong.Name("stratix"),
		kong.Description("A WebSocket gateway programmed in Lua.\n\n"+
			"Every message of every client runs through the pipeline in the scripts folder; saving a script makes it live on the open connections."),
		kong.ConfigureHelp(kong.HelpOptions{Compact: true, WrapUpperBound: 100}),
		kong.Exit(exit),
	)
}

func fail(err error) int {
	fmt.Fprintf(os.Stderr, "stratix: %v\n", err)
	return 1
}

type versionCmd struct{}

func (versionCmd) Run() error {
	fmt.Printf("stratix %s\n", fullVersion())
	return nil
}

// fullVersion names the build and the Go release that made it.
func fullVersion() string {
	if info, ok := debug.ReadBuildInfo(); ok {
		return version + " (" + info.GoVersion + ")"
	}
	return version
}
