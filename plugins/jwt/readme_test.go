package jwt

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

func TestTheSecretAndTheTokenOfTheREADMELetItsClientIn(t *testing.T) {
	for _, tool := range []string{"sh", "openssl", "node"} {
		if _, err := exec.LookPath(tool); err != nil {
			t.Skipf("the README wants %s: %v", tool, err)
		}
	}
	run := exec.Command("sh", "-ec", coretest.Fences(t, "README.md", "sh")[0])
	run.Dir = t.TempDir()
	if out, err := run.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	token, err := os.ReadFile(filepath.Join(run.Dir, "token"))
	if err != nil {
		t.Fatal(err)
	}
	s := opened(t, map[string]any{"key_file": filepath.Join(run.Dir, "secret"), "algorithms": []any{"HS256"}}, nil)
	h := core.Handshake{ClientID: "client-123", Token: strings.TrimSpace(string(token)), Now: time.Now()}
	var g core.Grant
	if err := s.Admit(t.Context(), &h, &g); err != nil {
		t.Error(err)
	}
	h.ClientID = "client-456"
	if err := s.Admit(t.Context(), &h, &g); err == nil {
		t.Error("another client is let in with it")
	}
}
