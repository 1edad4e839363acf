package torture

import (
	"bytes"
	"context"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
)

// tryFake runs against the fake gateway.
func tryFake(t *testing.T, misdeed string, patience time.Duration, faults ...string) (Result, string) {
	t.Helper()
	if testing.Short() {
		t.Skip("it takes seconds")
	}
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	result, err := Run(context.Background(), Config{
		Seed: 1, For: 2 * time.Second, Senders: 4, Recipients: 6, Plain: 1, Rate: 300, Window: 32, Faults: faults, Patience: patience,
		Command: []string{exe}, Env: []string{fakeEnv + "=" + misdeed}, Folder: t.TempDir(),
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return result, out.String()
}

func TestAGatewayThatKeepsItsWordPasses(t *testing.T) {
	t.Parallel()
	result, text := tryFake(t, honest, patience, FaultKill, FaultCut, FaultStall, FaultFull, FaultSync, FaultSave, FaultTTL, FaultLose)
	if len(result.Violations) > 0 || result.History != "" {
		t.Fatalf("%s", text)
	}
	for _, want := range []string{"told disk queued: ", "received: ", "fault kill: ", "fault cut: ", "fault full: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in: %s", want, text)
		}
	}
}

func TestAGatewayThatBreaksItsWordIsFound(t *testing.T) {
	f := func(misdeed, want string, faults ...string) {
		t.Run(misdeed, func(t *testing.T) {
			t.Parallel()
			result, text := tryFake(t, misdeed, 2*quiet, faults...)
			if !slices.ContainsFunc(result.Violations, func(v Violation) bool { return v.Rule == want }) {
				t.Errorf("the rule %q is not broken:\n%s", want, text)
			}
			if events := readFile(t, result.History); len(events) != len(result.Events) {
				t.Errorf("%d events in the file, %d in the history", len(events), len(result.Events))
			}
		})
	}
	f("forgets", RuleKept, FaultKill, FaultCut)
	f("renumbers", RuleSeq, FaultKill, FaultStall)
	f("delivers twice", RuleOnce)
	f("alters", RuleOrigin)
	f("claims", RuleDelivery)
	f("dies", RuleProcess)
	f("misuses files", RuleProcess)
}

func TestARunNeedsFaultsThatThereAre(t *testing.T) {
	if _, err := Run(context.Background(), Config{Faults: []string{"earthquake"}}, nil); err == nil || !strings.Contains(err.Error(), `"earthquake"`) {
		t.Errorf("got %v", err)
	}
}
