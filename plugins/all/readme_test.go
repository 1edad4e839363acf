package all_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestThePluginInTheREADMECompiles(t *testing.T) {
	text, err := os.ReadFile("../README.md")
	if err != nil {
		t.Fatal(err)
	}
	_, code, ok := strings.Cut(string(text), "```go\n")
	if !ok {
		t.Fatal("plugins/README.md has no Go code")
	}
	code, _, _ = strings.Cut(code, "```")
	dir := t.TempDir()
	source := filepath.Join(dir, "upper.go")
	if err := os.WriteFile(source, []byte(strings.ReplaceAll(code, "\n   ", "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	there, err := filepath.Abs("../upper/upper.go")
	if err != nil {
		t.Fatal(err)
	}
	overlay, err := json.Marshal(map[string]any{"Replace": map[string]string{there: source}})
	if err != nil {
		t.Fatal(err)
	}
	list := filepath.Join(dir, "overlay.json")
	if err := os.WriteFile(list, overlay, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("go", "build", "-overlay", list, "github.com/stratix-gateway/stratix/plugins/upper").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}
