package lua

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// The annotations name what scripts can use, all of it and nothing else.
func TestAnnotationsAreComplete(t *testing.T) {
	text, err := os.ReadFile("annotations/stratix.lua")
	if err != nil {
		t.Fatal(err)
	}
	var annotated []string
	for _, m := range regexp.MustCompile(`(?m)^function ([a-z_.:]+)\(|^([a-z.]+) = `).FindAllStringSubmatch(string(text), -1) {
		annotated = append(annotated, m[1]+m[2])
	}

	in := newInstance(t)
	provided := slices.Clone(hookNames)
	var add func(before string, table glua.LValue)
	add = func(before string, table glua.LValue) {
		table.(*glua.LTable).ForEach(func(key, value glua.LValue) {
			provided = append(provided, before+key.String())
			if sealed, ok := value.(*glua.LTable); ok {
				add(before+key.String()+".", sealed.Metatable.(*glua.LTable).RawGetString("__index"))
			}
		})
	}
	for before, object := range map[string]*glua.LTable{
		"msg:": in.messageType, "conn:": in.connType, "words:": in.wordsType, "re:": in.expressionType, "prefix:": in.prefixesType,
		"counter:": in.counterType, "gauge:": in.gaugeType, "histogram:": in.histogramType,
	} {
		add(before, object.RawGetString("__index"))
	}
	for name := range ownGlobals {
		provided = append(provided, name)
		if table, ok := in.vm.L.GetGlobal(name).(*glua.LTable); ok && name != "stage" {
			add(name+".", table.Metatable.(*glua.LTable).RawGetString("__index"))
		}
	}

	slices.Sort(annotated)
	slices.Sort(provided)
	if a, p := strings.Join(annotated, "\n"), strings.Join(provided, "\n"); a != p {
		t.Errorf("annotated:\n%s\n\nprovided:\n%s", a, p)
	}
}

// The annotations are Lua that another checker reads without a finding; that
// their functions are empty and their parameters unused is their nature.
func TestLuacheckAcceptsTheAnnotations(t *testing.T) {
	luacheck, err := exec.LookPath("luacheck")
	if err != nil {
		t.Skip("there is no luacheck, which would read the annotations: apt-get install lua-check")
	}
	globals := slices.Concat(slices.Sorted(maps.Keys(ownGlobals)), hookNames)
	args := slices.Concat([]string{
		"--no-color", "--codes", "--no-default-config", "--std", "lua51", "--max-line-length", "200",
		"--ignore", "212", // unused argument
		"241", // local table that is filled and never read
		"431", // an argument called as a local outside: conn
		"--globals",
	}, globals, []string{"--", "annotations"})
	if out, err := exec.Command(luacheck, args...).CombinedOutput(); err != nil {
		t.Errorf("luacheck: %v\n%s", err, out)
	}
	// It would find something.
	broken := filepath.Join(t.TempDir(), "broken.lua")
	if err := os.WriteFile(broken, []byte("function msg:get() end\nlog.info(unknown)\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	args[len(args)-1] = broken
	if out, err := exec.Command(luacheck, args...).CombinedOutput(); err == nil || !strings.Contains(string(out), "'unknown'") {
		t.Errorf("luacheck finds nothing where there is something: %v\n%s", err, out)
	}
}

func TestStageAnnotations(t *testing.T) {
	type settings struct {
		Rate   float64           `lua:"rate,required" doc:"Messages a second."`
		Burst  int               `lua:"burst"`
		Window time.Duration     `lua:"window" doc:"Such as 30s."`
		Size   core.Bytes        `lua:"size"`
		On     bool              `lua:"on"`
		Names  []string          `lua:"names"`
		Routes map[string]string `lua:"routes"`
		Extra  any               `lua:"extra"`
		Inner  string
	}
	got := StageAnnotations([]core.Plugin{{Name: "plain", Doc: "Has no settings."}, {Name: "full", Doc: "Has all.", Settings: &settings{}}})
	want := `---@meta stages
-- The Go stages and their settings. Generated from the plugins.

---The Go stages by name.
---@class Stages
---@field plain fun(settings?: table): Stage Has no settings.
---@field full fun(settings?: stage.full): Stage Has all.

---@class stage.full
---@field rate number Messages a second.
---@field burst? integer
---@field window? string Such as 30s.
---@field size? string|integer
---@field on? boolean
---@field names? string[]
---@field routes? table<string, string>
---@field extra? any
`
	if got != want {
		t.Errorf("got:\n%s", got)
	}
}

func TestUpstreamAnnotations(t *testing.T) {
	text, err := os.ReadFile("annotations/stratix.lua")
	if err != nil {
		t.Fatal(err)
	}
	if want := UpstreamAnnotations(); !strings.Contains(string(text), "\n"+want+"\n") {
		t.Errorf("annotations/stratix.lua lacks this:\n%s", want)
	}
}
