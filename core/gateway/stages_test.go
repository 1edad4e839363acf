package gateway

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// lamp is a stage that notes when it is on.
type lamp struct {
	name   string
	on     bool
	broken error
	log    *[]string
}

func (l *lamp) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

func (l *lamp) Start(context.Context) error {
	if l.broken != nil {
		return l.broken
	}
	if l.on {
		return errors.New("it is on already")
	}
	l.on = true
	*l.log = append(*l.log, "+"+l.name)
	return nil
}

func (l *lamp) Stop(context.Context) error {
	if !l.on {
		return errors.New("it is off already")
	}
	l.on = false
	*l.log = append(*l.log, "-"+l.name)
	return nil
}

func TestAStageIsStartedWithItsFirstGenerationAndStoppedWithItsLast(t *testing.T) {
	var log []string
	stage := func(name string) core.OpenStage {
		return core.OpenStage{Name: name, Key: "same settings", Stage: &lamp{name: name, log: &log}, Life: new(core.Life)}
	}
	x, y, z := stage("x"), stage("y"), stage("z")
	gen := func(stages ...core.OpenStage) *core.Generation { return &core.Generation{Stages: stages} }
	f := func(what string, err error, want string) {
		t.Helper()
		if err != nil {
			t.Errorf("%s: %v", what, err)
		}
		if got := strings.Join(log, " "); got != want {
			t.Errorf("%s: %q, want %q", what, got, want)
		}
		log = nil
	}
	one, two, three := gen(x), gen(x, y), gen(z)
	f("the first", startStages(t.Context(), one), "+x")
	f("the second takes x over and has a twin of it", startStages(t.Context(), two), "+y")
	f("the first is gone", stopStages(one.Stages), "")
	f("the third has neither", startStages(t.Context(), three), "+z")
	f("x again, while the second still holds a message", startStages(t.Context(), one), "")
	f("the second is gone", stopStages(two.Stages), "-y")
	f("the first is gone again", stopStages(one.Stages), "-x")
	f("the third is gone", stopStages(three.Stages), "-z")
}

func TestAStageThatDoesNotStartLeavesNothingBehind(t *testing.T) {
	var log []string
	good := core.OpenStage{Name: "good", Stage: &lamp{name: "good", log: &log}, Life: new(core.Life)}
	bad := core.OpenStage{Name: "bad", Key: "bad", Pos: "main.lua:3", Stage: &lamp{broken: errors.New("no bulb"), log: &log}, Life: new(core.Life)}
	err := startStages(t.Context(), &core.Generation{Stages: []core.OpenStage{good, bad}})
	if err == nil || !strings.Contains(err.Error(), "main.lua:3: stage.bad: start: no bulb") {
		t.Errorf("got %v", err)
	}
	if got := strings.Join(log, " "); got != "+good -good" || good.Life.Generations != 0 || bad.Life.Generations != 0 {
		t.Errorf("log %q, %d and %d generations", got, good.Life.Generations, bad.Life.Generations)
	}
}
