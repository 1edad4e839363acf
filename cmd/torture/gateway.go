package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"os"
	"runtime"
	"strconv"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/torture"
	"github.com/stratix-gateway/stratix/lua"
	_ "github.com/stratix-gateway/stratix/plugins/all" // the stages
)

// gatewayCmd runs the real gateway on a file layer that can fail. It follows the
// lines of its standard input and shuts down when that ends, so that it never
// outlives the run.
type gatewayCmd struct {
	Listen  string
	Scripts string
	Data    string
	Lose    bool
}

func (c *gatewayCmd) Run() error {
	layer := faults.New(journal.OS())
	if c.Lose {
		if err := layer.Lose(true); err != nil {
			return err
		}
	}
	g, err := gateway.Open(c.options(layer, slog.New(slog.NewTextHandler(os.Stderr, nil))))
	if err != nil {
		return err
	}
	ctx, stop := context.WithCancel(context.Background())
	defer stop()
	go func() {
		defer stop()
		if err := awaitReady(ctx, "http://"+c.Listen+"/readyz"); err != nil {
			fmt.Fprintln(os.Stderr, "torture:", err)
			return
		}
		fmt.Println(torture.Ready)
		obey(os.Stdin, os.Stdout, func(line string) error { return follow(line, layer, g.Reload) })
	}()
	return g.Run(ctx)
}

func (c *gatewayCmd) options(files journal.FS, log *slog.Logger) gateway.Options {
	transport := server.Goroutine
	if shard.HasPoller {
		transport = server.Epoll
	}
	return gateway.Options{
		Version: "torture", Listen: c.Listen, Scripts: c.Scripts, Data: c.Data, Files: files,
		Load: load, Budget: budget, Gate: gateway.GateShadow, ShadowMessages: 1000, ShadowErrors: 0.01, RecordBytes: 1 << 20,
		RollbackWindow: time.Second, RollbackErrors: 0.05, RollbackInstructions: 0.5,
		Shards: max(2, runtime.GOMAXPROCS(0)), Transport: transport,
		MaxConnections: 10_000, MaxMessage: 64 << 10, HandshakeTimeout: 10 * time.Second, StallTimeout: 10 * time.Second,
		PingEvery: 30 * time.Second, IdleTimeout: 75 * time.Second, DrainTimeout: 2 * time.Second,
		QueueBytes: 256 << 10, QueuePolicy: shard.DropOldest,
		Window: 32, AckTimeout: 4 * time.Second, // so that those who stall feel both, and messages expire while they wait for room
		Sessions: 1_000_000, SessionLifetime: 24 * time.Hour, SeenMessages: 500_000, SeenAge: 10 * time.Minute,
		DeflateAbove: 1 << 10, Log: log,
	}
}

func load(snap reload.Snapshot, opt gateway.LoadOptions) (*core.Generation, error) {
	return lua.Load(lua.Sources(snap.Files), lua.Options{
		Number: opt.Number, Shards: opt.Env.Shards, Budget: budget, Env: opt.Env, Previous: opt.Previous, Log: opt.Log,
		Now: opt.Now, Seed: opt.Seed,
	})
}

// budget is that of a message, in instructions.
const budget = 100_000

// awaitReady asks until the gateway says that it is ready.
func awaitReady(ctx context.Context, url string) error {
	for ctx.Err() == nil {
		if answer, err := http.Get(url); err == nil {
			answer.Body.Close()
			if answer.StatusCode == http.StatusOK {
				return nil
			}
		}
		time.Sleep(5 * time.Millisecond)
	}
	return ctx.Err()
}

// obey answers each line with what came of it.
func obey(in io.Reader, out io.Writer, follow func(string) error) {
	for lines := bufio.NewScanner(in); lines.Scan(); {
		answer := torture.OK
		if err := follow(lines.Text()); err != nil {
			answer = strings.ReplaceAll(err.Error(), "\n", "; ")
		}
		fmt.Fprintln(out, answer)
	}
}

// follow does what one line says.
func follow(line string, layer *faults.FS, reload func(trigger string) error) error {
	what, number, counted := strings.Cut(line, " ")
	n, err := strconv.Atoi(number)
	if counted = counted && number != "on" && number != "off"; counted && err != nil {
		return err
	}
	switch {
	case line == "full on":
		layer.Full(true)
	case line == "full off":
		layer.Full(false)
	case line == "room off":
		layer.Room(-1)
	case line == "short off":
		layer.ShortWrites(0)
	case line == "sync off":
		layer.FailSyncs(0)
	case counted && what == "room":
		layer.Room(int64(n))
	case counted && what == "short":
		layer.ShortWrites(n)
	case counted && what == "sync":
		layer.FailSyncs(n)
	case line == "reload":
		return reload("torture")
	case line == "audit":
		if used := layer.AfterFailedSync(); len(used) > 0 {
			return errors.New("files were used after a failed sync: " + strings.Join(used, ", "))
		}
	default:
		return fmt.Errorf("there is no command %q", line)
	}
	return nil
}
