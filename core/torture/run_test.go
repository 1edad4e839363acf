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

// tryFake runs against the fake gateway, with faults for as long as last says.
func tryFake(t *testing.T, misdeed string, last, patience time.Duration, faults ...string) (Result, string) {
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
		Seed: 1, For: last, Senders: 4, Recipients: 6, Plain: 1, Rate: 300, Window: 32, Faults: faults, Patience: patience, Overflow: OverflowNone,
		Command: []string{exe}, Env: []string{fakeEnv + "=" + misdeed}, Folder: t.TempDir(),
	}, &out)
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return result, out.String()
}

func TestAGatewayThatKeepsItsWordPasses(t *testing.T) {
	t.Parallel()
	result, text := tryFake(t, honest, 6*time.Second, patience, FaultKill, FaultCut, FaultStall, FaultFull, FaultSync, FaultSave, FaultTTL, FaultLose, FaultForget, FaultRoom, FaultShort)
	if len(result.Violations) > 0 || result.History != "" {
		t.Fatalf("%s", text)
	}
	for _, want := range []string{"told disk queued: ", "received: ", "fault kill: ", "fault cut: ", "fault full: ", "fault forget: ", "fault room: "} {
		if !strings.Contains(text, want) {
			t.Errorf("no %q in: %s", want, text)
		}
	}
}

func TestAGatewayThatBreaksItsWordIsFound(t *testing.T) {
	f := func(misdeed, want string, faults ...string) {
		t.Run(misdeed, func(t *testing.T) {
			t.Parallel()
			result, text := tryFake(t, misdeed, 2*time.Second, 2*quiet, faults...)
			if !slices.ContainsFunc(result.Violations, func(v Violation) bool { return v.Rule == want }) {
				t.Errorf("the rule %q is not broken:\n%s", want, text)
			}
			checker := NewChecker()
			if err := ReadFile(result.History, checker.Enter); err != nil {
				t.Fatal(err)
			}
			dead := 0 // what is found besides the history
			for _, v := range result.Violations {
				if v.Rule == RuleProcess {
					dead++
				}
			}
			if again := checker.Violations(); len(again)+dead != len(result.Violations) {
				t.Errorf("%d violations in the file, %d of %d in the run", len(again), len(result.Violations)-dead, len(result.Violations))
			}
		})
	}
	f("forgets", RuleKept, FaultKill, FaultCut)
	f("renumbers", RuleSeq, FaultKill, FaultStall)
	f("delivers twice", RuleOnce)
	f("alters", RuleOrigin)
	f("claims", RuleDelivery)
	f("owes receipts", RuleReceipt)
	f("passes over", RuleSeq, FaultForget, FaultStall)
	f("keeps what it refuses", RuleRefused, FaultFull)
	f("dies", RuleProcess)
	f("misuses files", RuleProcess)
}

func TestARunNeedsWordsThatThereAre(t *testing.T) {
	f := func(cfg Config) {
		t.Helper()
		if _, err := Run(context.Background(), cfg, nil); err == nil || !strings.Contains(err.Error(), `"earthquake"`) {
			t.Errorf("got %v", err)
		}
	}
	f(Config{Faults: []string{"earthquake"}})
	f(Config{Overflow: "earthquake"})
}

func TestBoundsFollowFromTheSeed(t *testing.T) {
	drawn := map[string]bool{}
	for seed := range uint64(100) {
		b := drawBounds(seed, "")
		if b != drawBounds(seed, "") {
			t.Fatalf("seed %d: %v and another time not", seed, b)
		}
		drawn[b.overflow] = true
		if got := drawBounds(seed, OverflowReject); got.overflow != OverflowReject || got.clientMessages != b.clientMessages {
			t.Fatalf("seed %d: %v, want those of %v", seed, got, b)
		}
	}
	if len(drawn) != len(Overflows) {
		t.Errorf("only %v were drawn", drawn)
	}
}
