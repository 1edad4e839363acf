package core_test

import (
	"bytes"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"
	"testing"
)

// root is the top of the module, seen from this package.
const root = ".."

// topLevel is what the top of the module may hold, besides dotfiles.
var topLevel = []string{
	"cmd", "core", "plugins", "scripts", "lua", "examples",
	"go.mod", "go.sum", "README.md", "LICENSE", "ARCHITECTURE.md", "CHANGELOG.md",
}

// maxLines is how long a Go file may be: it holds one idea.
const maxLines = 320

// goFiles lists the module's Go files, tests included, relative to its root.
func goFiles(t *testing.T) []string {
	t.Helper()
	ignored := ignoredFolders(t)
	var files []string
	err := fs.WalkDir(os.DirFS(root), ".", func(name string, entry fs.DirEntry, err error) error {
		switch base := path.Base(name); {
		case err != nil:
			return err
		case entry.IsDir() && name != "." && (base[0] == '.' || base == "testdata" || slices.Contains(ignored, base)):
			return fs.SkipDir
		case !entry.IsDir() && strings.HasSuffix(name, ".go"):
			files = append(files, name)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(files, "core/layout_test.go") {
		t.Fatalf("%s is not the root of the module", root)
	}
	return files
}

// ignoredFolders are the folders that .gitignore names.
func ignoredFolders(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(path.Join(root, ".gitignore"))
	if err != nil {
		t.Fatal(err)
	}
	var folders []string
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutSuffix(strings.TrimSpace(line), "/"); ok {
			folders = append(folders, strings.TrimPrefix(name, "/"))
		}
	}
	return folders
}

func TestTheTopLevelIsAsDesigned(t *testing.T) {
	entries, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	ignored := ignoredFolders(t)
	for _, e := range entries {
		name := e.Name()
		known := name[0] == '.' || slices.Contains(topLevel, name) || e.IsDir() && slices.Contains(ignored, name)
		if !known {
			t.Errorf("%s does not belong to the top level: see the layout in ARCHITECTURE.md", name)
		}
	}
}

func TestGoFilesAreShort(t *testing.T) {
	for _, file := range goFiles(t) {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		text, err := os.ReadFile(path.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		if lines := bytes.Count(text, []byte("\n")); lines > maxLines {
			t.Errorf("%s has %d lines, more than %d: which two ideas does it hold?", file, lines, maxLines)
		}
	}
}
