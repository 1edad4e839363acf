package examples_test

import (
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
)

// readme is what the README of an example says.
type readme struct {
	env   []string // NAME=value, which the gateway is started with
	flags []string // beside --scripts
	cost  int      // instructions of a message, 0 if it says nothing of Lua
	lines []line   // of the transcript
}

// scriptEnv are the flags among these that check and test take, too.
func (r readme) scriptEnv() []string {
	for i, flag := range r.flags {
		if flag == "--script-env" {
			return r.flags[i : i+2]
		}
	}
	return nil
}

// line is one line of a transcript: a frame that a client sends or gets, or that
// it connects, leaves, or is refused.
type line struct {
	client string
	does   string // ">", "<", "connects", "leaves", "is refused:" or "is turned away"
	what   string // the frame; of a refusal the close code and the reason, or the status and the code
	claims string // of the token that it comes with, JSON; "" for none
}

var (
	block     = regexp.MustCompile("(?ms)^```transcript\n(.*?)^```$")
	lineForm  = regexp.MustCompile(`^([a-z0-9-]+)(?:([<>]) (\{.*\})| (connects|leaves)(?: with (\{.*\}))?| (is refused:) (.+)| (is turned away)(?: with (\{.*\}))?: (.+))$`)
	startForm = regexp.MustCompile(`(?m)^((?:[A-Z_]+='[^']*' )*)bash scripts/start\.sh --scripts examples/(\S+)((?: \S+)*)$`)
	costForm  = regexp.MustCompile(`A message took at most ([0-9]+) Lua instructions in the tests`)
)

// readReadme reads the README of dir, which says in its first lines what the
// example is for, how it is started, what it costs and where its limits are.
func readReadme(t *testing.T, dir string) (r readme) {
	t.Helper()
	content, err := os.ReadFile(filepath.Join(dir, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	top := strings.SplitN(text, "\n", 4)
	if len(top) < 4 || !strings.HasPrefix(top[0], "# ") || top[1] != "" || len(top[2]) < 40 {
		t.Errorf("the README begins with a title and what the example is for, not with %q", top[:len(top)-1])
	}
	for _, part := range []string{"## Transcript", "## Cost", "## Limits"} {
		if !strings.Contains(text, "\n"+part+"\n") {
			t.Errorf("the README has no part %q", part)
		}
	}
	start := startForm.FindStringSubmatch(text)
	if start == nil || start[2] != dir {
		t.Fatalf("the README does not say: bash scripts/start.sh --scripts examples/%s", dir)
	}
	for _, set := range regexp.MustCompile(`([A-Z_]+)='([^']*)' `).FindAllStringSubmatch(start[1], -1) {
		r.env = append(r.env, set[1]+"="+set[2])
	}
	r.flags = strings.Fields(start[3])
	if cost := costForm.FindStringSubmatch(text); cost != nil {
		r.cost, _ = strconv.Atoi(cost[1])
	}
	r.lines = transcript(t, text)
	return r
}

// token signs claims with the secret that the example is started with; "" for none.
func (r readme) token(t *testing.T, claims string) string {
	t.Helper()
	if claims == "" {
		return ""
	}
	for _, set := range r.env {
		if name, secret, _ := strings.Cut(set, "="); strings.HasSuffix(name, "_SECRET") {
			return coretest.SignToken(t, "HS256", "", secret, claims)
		}
	}
	t.Fatal("the README has clients with tokens, and starts with no _SECRET")
	return ""
}

// transcript reads the transcript in a README.
func transcript(t *testing.T, text string) (all []line) {
	t.Helper()
	found := block.FindStringSubmatch(text)
	if found == nil {
		t.Fatal("the README has no block that begins with ```transcript")
	}
	for text := range strings.Lines(found[1]) {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		m := lineForm.FindStringSubmatch(text)
		if m == nil {
			t.Fatalf("this is no line of a transcript: %s", text)
		}
		all = append(all, line{m[1], m[2] + m[4] + m[6] + m[8], m[3] + m[7] + m[10], m[5] + m[9]})
	}
	return all
}
