package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/stratix-gateway/stratix/core/reload"
)

// What stratix init gives to editors is what this repository gives to them, but
// for the place of the annotations, which are there.
func TestEditorSettingsAreAlike(t *testing.T) {
	read := func(text []byte, root string) map[string]any {
		t.Helper()
		var settings map[string]any
		if err := json.Unmarshal(text, &settings); err != nil {
			t.Fatal(err)
		}
		library := settings["workspace.library"].([]any)
		delete(settings, "workspace.library")
		for _, folder := range library {
			if files, _ := filepath.Glob(filepath.Join(root, folder.(string), "*.lua")); len(files) == 0 {
				t.Errorf("%s holds no annotations", folder)
			}
		}
		return settings
	}
	own, err := os.ReadFile("../../.luarc.json")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "new")
	if err := (&initCmd{Dir: dir}).Run(); err != nil {
		t.Fatal(err)
	}
	if ours, theirs := read(own, "../.."), read(scaffoldEditor, dir); !reflect.DeepEqual(ours, theirs) {
		t.Errorf(".luarc.json has %v, scaffold/luarc.json %v", ours, theirs)
	}
}

// What editors read is none of the scripts.
func TestAnnotationsAreNoScripts(t *testing.T) {
	dir := t.TempDir()
	if err := (&initCmd{Dir: dir}).Run(); err != nil {
		t.Fatal(err)
	}
	snap, err := reload.Read(dir)
	if err != nil {
		t.Fatal(err)
	}
	if len(snap.Files) != 3 {
		t.Errorf("got %d files, want main.lua, main_test.lua, routes.json", len(snap.Files))
	}
}
