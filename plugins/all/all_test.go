package all_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	_ "github.com/stratix-gateway/stratix/plugins/all"
)

// folders are the plugins' folders, by name.
func folders(t *testing.T) []string {
	t.Helper()
	entries, err := os.ReadDir("..")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.IsDir() && e.Name() != "all" {
			names = append(names, e.Name())
		}
	}
	if len(names) == 0 {
		t.Fatal("no folder of a plugin")
	}
	return names
}

func TestEveryPluginIsImported(t *testing.T) {
	file, err := parser.ParseFile(token.NewFileSet(), "all.go", nil, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var imported []string
	for _, i := range file.Imports {
		path, err := strconv.Unquote(i.Path.Value)
		if err != nil {
			t.Fatal(err)
		}
		imported = append(imported, strings.TrimPrefix(path, "github.com/stratix-gateway/stratix/plugins/"))
	}
	slices.Sort(imported)
	if want := folders(t); !slices.Equal(imported, want) {
		t.Errorf("all.go imports %v, the folders are %v", imported, want)
	}
}

func TestFolderPackageAndPluginHaveOneName(t *testing.T) {
	var plugins []string
	for _, p := range core.Plugins() {
		plugins = append(plugins, p.Name)
	}
	if want := folders(t); !slices.Equal(plugins, want) {
		t.Errorf("the plugins are %v, the folders %v", plugins, want)
	}
	for _, name := range folders(t) {
		files, err := filepath.Glob(filepath.Join("..", name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range files {
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.PackageClauseOnly)
			if err != nil {
				t.Fatal(err)
			}
			if got := strings.TrimSuffix(file.Name.Name, "_test"); got != name {
				t.Errorf("%s is of package %s", path, got)
			}
		}
	}
}

func TestEveryPluginIsDocumented(t *testing.T) {
	for _, p := range core.Plugins() {
		if _, err := os.Stat(filepath.Join("..", p.Name, "README.md")); err != nil {
			t.Errorf("plugin %s: %v", p.Name, err)
		}
		if p.Doc == "" {
			t.Errorf("plugin %s has no Doc", p.Name)
		}
		if p.Settings == nil {
			continue
		}
		settings := reflect.TypeOf(p.Settings).Elem()
		for field := range settings.Fields() {
			if field.Tag.Get("lua") != "" && field.Tag.Get("doc") == "" {
				t.Errorf("plugin %s: the setting %s has no doc", p.Name, field.Name)
			}
		}
	}
}
