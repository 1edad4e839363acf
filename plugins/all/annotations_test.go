package all_test

import (
	"flag"
	"os"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/lua"
)

var update = flag.Bool("update", false, "write lua/annotations/stages.lua anew")

const stubs = "../../lua/annotations/stages.lua"

func TestEditorStubsDescribeEveryStageAndSetting(t *testing.T) {
	want := lua.StageAnnotations(core.Plugins())
	if *update {
		if err := os.WriteFile(stubs, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	got, err := os.ReadFile(stubs)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != want {
		t.Errorf("%s is not what the plugins say of themselves; write it anew with: go test ./plugins/all -update", stubs)
	}
}
