package gateway

import (
	"context"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// doorman is a stage that writes its name into the claims, or refuses.
type doorman struct {
	lamp
	refuses bool
}

func (d *doorman) Admit(_ context.Context, _ *core.Handshake, g *core.Grant) error {
	g.Claims = append(g.Claims, d.name...)
	if d.refuses {
		return &core.Denial{Status: 403, Code: d.name, Text: "no"}
	}
	return nil
}

func TestTheLiveGenerationDecidesInPipelineOrder(t *testing.T) {
	var g Gateway
	f := func(want string, stages ...core.Stage) {
		t.Helper()
		gen := &core.Generation{}
		for _, s := range stages {
			gen.Stages = append(gen.Stages, core.OpenStage{Stage: s})
		}
		g.askFrom(gen)
		var grant core.Grant
		err := g.admit(context.Background(), &core.Handshake{ClientID: "a"}, &grant)
		got := string(grant.Claims)
		if err != nil {
			got += " " + err.Error()
		}
		if strings.TrimSpace(got) != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	x, y, no := &doorman{lamp: lamp{name: "x"}}, &doorman{lamp: lamp{name: "y"}}, &doorman{lamp{name: "no"}, true}
	f("")
	f("", &lamp{})
	f("xy", x, &lamp{}, y)
	f("yx", y, x)
	f("xno no: no", x, no, y)
	f("", &lamp{})
}
