package torture

import (
	"bytes"
	"path/filepath"
	"strings"
	"testing"
)

// write makes a file of the story.
func (s *story) write(t *testing.T) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), historyFile)
	h, err := NewHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range s.events {
		if err := h.lines.Encode(&e); err != nil { // with the times of the story
			t.Fatal(err)
		}
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestAViolationIsExplainedByItsMessage(t *testing.T) {
	s := begun().sent("a").sent("b").queued("a").queued("b").got("r", "b", 1).fault(FaultKill, "")
	s.events[0].Kind, s.events[0].Code = Fault, FaultFlip // before the message
	s.events = append([]Event{{Kind: Greeted, Client: "r", Epoch: "e"}}, s.events...)
	var out bytes.Buffer
	if err := Explain(&out, s.write(t), Check(s.events)); err != nil {
		t.Fatal(err)
	}
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
	if strings.Contains(text, "id=b") || strings.Contains(text, "code=flip") {
		t.Errorf("something else is in:\n%s", text)
	}
}

func TestTheSummaryCounts(t *testing.T) {
	s := bounded(OverflowReject).sent("a").closed().again("a").queued("a").got("r", "a", 1).gap("q", 1, 3, "expired").
		sentTo("b", both, nil).refusedBySome("b", 1, 1).fault(FaultFull, "on").fault(FaultFull, "off")
	var sum Tally
	for i := range s.events {
		sum.Add(&s.events[i])
	}
	got := sum.String()
	want := "bounded reject: 1; fault full: 1; gap expired: 3; hello new epoch: 2; messages: 2; received: 1; sent again: 1; " +
		"told disk queued: 2; told that some refuse: 1"
	if got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}
