package all_test

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/lua"
)

// A block of Lua in a plugin's README is a script, or stages for one; a block
// of JSON is its routes.json.
func TestTheScriptsInTheREADMEsLoad(t *testing.T) {
	for _, name := range folders(t) {
		readme := filepath.Join("..", name, "README.md")
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		files := lua.Sources{}
		if strings.Contains(string(text), "\n```json\n") {
			files["routes.json"] = []byte(coretest.Fences(t, readme, "json")[0])
		}
		for _, script := range coretest.Fences(t, readme, "lua") {
			if !strings.Contains(script, "pipeline") {
				script = "pipeline {\n" + script + "}\n"
			}
			files["main.lua"] = []byte(script)
			if _, err := lua.Load(files, lua.Options{Number: 1, Shards: 1}); err != nil {
				t.Errorf("%s: %v\n%s", readme, err, script)
			}
		}
	}
}

func TestTheREADMEsNameEverySetting(t *testing.T) {
	for _, p := range core.Plugins() {
		if p.Settings == nil {
			continue
		}
		readme := filepath.Join("..", p.Name, "README.md")
		text, err := os.ReadFile(readme)
		if err != nil {
			t.Fatal(err)
		}
		settings := reflect.TypeOf(p.Settings).Elem()
		for field := range settings.Fields() {
			key, _, _ := strings.Cut(field.Tag.Get("lua"), ",")
			if key != "" && !strings.Contains(string(text), "\n| `"+key+"` |") {
				t.Errorf("%s has no line for the setting %s", readme, key)
			}
		}
	}
}

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
