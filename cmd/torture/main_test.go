package main

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/journal/faults"
)

// childEnv makes the test binary the program itself.
const childEnv = "STRATIX_TORTURE_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childEnv) != "" {
		os.Exit(run(os.Args[1:]))
	}
	os.Exit(m.Run())
}

func TestNothingAcknowledgedIsLost(t *testing.T) {
	if testing.Short() {
		t.Skip("it takes some ten seconds")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	c := runCmd{Seed: 1, For: 8 * time.Second, Senders: 8, Recipients: 10, Plain: 1, Rate: 400, Window: 64, Keep: os.TempDir()}
	if err := c.run([]string{self, "gateway"}, []string{childEnv + "=1"}); err != nil {
		t.Fatal(err)
	}
}

func TestLinesAreAnswered(t *testing.T) {
	var out strings.Builder
	layer := faults.New(journal.OS())
	reloaded := 0
	lines := "full on\nfull off\nsync 2\nsync x\nsync off\nroom 100\nroom off\nshort 3\nshort off\nreload\nreload\naudit\nother\n"
	obey(strings.NewReader(lines), &out, func(line string) error {
		return follow(line, layer, func(string) error {
			if reloaded++; reloaded == 2 {
				return errors.New("main.lua:1:\nno")
			}
			return nil
		})
	})
	want := "ok\nok\nok\nstrconv.Atoi: parsing \"x\": invalid syntax\nok\nok\nok\nok\nok\nok\nmain.lua:1:; no\nok\nthere is no command \"other\"\n"
	if got := out.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestWordsThatAreOffExitWith2(t *testing.T) {
	for _, args := range []string{"run --faults earthquake", "run --senders 0", "run --overflow earthquake", "walk", "check nothing-there"} {
		if code := run(strings.Fields(args)); code != 2 {
			t.Errorf("%s: exit code %d, want 2", args, code)
		}
	}
}
