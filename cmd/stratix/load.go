package main

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/gateway"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/lua"
)

// loader is how the gateway turns a snapshot of the scripts folder into a
// generation.
func loader(budget int, scriptEnv []string) gateway.Loader {
	return func(snap reload.Snapshot, opt gateway.LoadOptions) (*core.Generation, error) {
		return lua.Load(lua.Sources(snap.Files), lua.Options{
			Number: opt.Number, Shards: opt.Env.Shards, Budget: budget, Env: opt.Env, ScriptEnv: scriptEnv,
			Previous: opt.Previous, Log: opt.Log, Now: opt.Now, Seed: opt.Seed, Step: opt.Step,
		})
	}
}

// tester is how the gateway runs the tests of a snapshot.
func tester(budget int, scriptEnv []string) gateway.Tester {
	return func(ctx context.Context, snap reload.Snapshot) (passed int, err error) {
		results, err := lua.RunTests(ctx, lua.Sources(snap.Files), lua.TestOptions{Budget: budget, ScriptEnv: scriptEnv}, nil)
		var errs []error
		for _, r := range results {
			switch r.Outcome {
			case lua.TestPassed:
				passed++
			case lua.TestFailed:
				errs = append(errs, fmt.Errorf("%s: %s: %s", r.Pos, r.Name, strings.ReplaceAll(r.Text, "\n", " | ")))
			}
		}
		if err != nil {
			return passed, err
		}
		return passed, errors.Join(errs...)
	}
}
