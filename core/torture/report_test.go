package torture

import (
	"bytes"
	"os"
	"strings"
	"testing"
)

func readFile(t *testing.T, path string) []Event {
	t.Helper()
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	events, err := ReadEvents(f)
	if err != nil {
		t.Fatal(err)
	}
	return events
}

func TestAViolationIsExplainedByItsMessage(t *testing.T) {
	s := begun().sent("a").sent("b").queued("a").queued("b").got("r", "b", 1).fault(FaultKill, "")
	var out bytes.Buffer
	Explain(&out, s.events, Check(s.events, Rules{}))
	text := out.String()
	for _, want := range []string{
		"VIOLATION kept: message a of s at r was told to be stored at 5s",
		"    3.000s sent by=s id=a to=client:r\n",
		"    5.000s told by=s id=a stored=disk status=queued\n",
		"    8.000s fault code=kill\n",
		"\nkept: broken 1 times\n",
	} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is not in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "id=b") {
		t.Errorf("another message is in:\n%s", text)
	}
}

func TestTheSummaryCounts(t *testing.T) {
	s := begun().sent("a").closed().again("a").queued("a").got("r", "a", 1).gap("q", 1, 3, "expired").fault(FaultFull, "on").fault(FaultFull, "off")
	got := Summary(s.events)
	want := "fault full: 1; gap expired: 3; hello new epoch: 2; messages: 1; received: 1; sent again: 1; told disk queued: 1"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
