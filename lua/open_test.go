package lua

import (
	"errors"
	"io/fs"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// reader is a stage that gives away its ReadFile.
type reader struct {
	core.Stage
	read func(string) ([]byte, error)
}

func init() {
	core.Register(core.Plugin{Name: "reader", Open: func(_ core.Config, env *core.Env) (core.Stage, error) {
		return reader{&fake{}, env.ReadFile}, nil
	}})
}

func TestStagesReadTheFilesOfTheirGeneration(t *testing.T) {
	env := &core.Env{Shards: 1, ReadFile: func(string) ([]byte, error) { return nil, errors.New("not of this generation") }}
	gen := mustLoad(t, Options{Env: env}, "main.lua", "pipeline { stage.reader() }", "routes.json", "{}")
	read := gen.Stages[0].Stage.(reader).read
	if text, err := read("routes.json"); err != nil || string(text) != "{}" {
		t.Errorf("%q, %v", text, err)
	}
	if _, err := read("missing"); !errors.Is(err, fs.ErrNotExist) {
		t.Error(err)
	}
}

func TestForShardIsAskedOncePerShard(t *testing.T) {
	gen := mustLoad(t, Options{Shards: 3}, "main.lua", "pipeline { stage.ratelimit() }")
	for shard, p := range gen.Programs {
		if got := describe(newMessage(), p.Pipeline); got != "done" {
			t.Errorf("shard %d: %s", shard, got)
		}
	}
	if seen := gen.Stages[0].Stage.(*fake).seen; seen != 0 {
		t.Errorf("the stage itself handled %d messages", seen)
	}
}
