package torture

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAHistorySurvivesItsFile(t *testing.T) {
	s := bounded(OverflowDropOldest).sentTo("a", both, ttl).counted("a", 1, 1).got("r", "a", 1).got("q", "a", 1).acked("r", 0, [2]uint64{1, 1}).
		fault(FaultFull, "on").sentTo("b", both, under("k")).counted("b", 0, 2)
	path := filepath.Join(t.TempDir(), historyFile)
	h, err := NewHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.events {
		h.Add(e)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	var events []Event
	if err := ReadFile(path, func(e *Event) { events = append(events, *e) }); err != nil {
		t.Fatal(err)
	}
	want := fmt.Sprint(Check(events))
	if got := fmt.Sprint(h.violations()); len(events) != len(s.events) || got != want || got == "[]" {
		t.Errorf("%d events that break %s, want %d that break %s", len(events), got, len(s.events), want)
	}
	var targets []*Target
	for i := range events {
		if events[i].To != nil {
			targets = append(targets, events[i].To)
		}
	}
	if len(targets) != 2 || targets[0] != targets[1] {
		t.Errorf("%v are not one target", targets)
	}
}

func TestAFileThatIsNoHistoryIsNamed(t *testing.T) {
	path := filepath.Join(t.TempDir(), historyFile)
	if err := os.WriteFile(path, []byte("{\"at\":1,\"kind\":\"fault\"}\n{\"at\":"), 0o644); err != nil {
		t.Fatal(err)
	}
	n := 0
	if err := ReadFile(path, func(*Event) { n++ }); err == nil || !strings.Contains(err.Error(), historyFile) || n != 1 {
		t.Errorf("%d events and %v", n, err)
	}
}

func TestACheckerMayBeAskedAtAnyTime(t *testing.T) {
	s := begun().sent("a").queued("a").got("r", "a", 1)
	c := NewChecker()
	for i, want := range []int{0, 0, 1, 1, 0} { // a is not answered, and then it is missing
		c.Enter(&s.events[i])
		for range 2 {
			if got := c.Violations(); len(got) != want {
				t.Errorf("after %d events: %v", i+1, got)
			}
		}
	}
}
