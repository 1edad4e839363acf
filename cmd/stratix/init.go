package main

import (
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/lua"
)

type initCmd struct {
	Dir         string `arg:"" help:"Scripts folder to make; it may be there already."`
	Annotations bool   `help:"Write what editors read anew, and nothing else: after an update of stratix."`
}

// Help is shown by stratix init --help.
func (initCmd) Help() string {
	return `Makes a scripts folder to begin with: main.lua with a pipeline and a policy, main_test.lua with its tests, routes.json,
and what an editor with the Lua language server needs to complete and check scripts (.luarc.json, .stratix/annotations).
The gateway leaves names that begin with a dot alone. A file that is there already is never overwritten: then nothing
is made, and the exit code is 1.

Examples:
  stratix init routes
  stratix init routes && stratix test routes && stratix serve --scripts routes
  stratix init --annotations /etc/stratix/routes`
}

// What a scripts folder begins with.
var (
	//go:embed scaffold/main.lua
	scaffoldMain []byte
	//go:embed scaffold/main_test.lua
	scaffoldTest []byte
	//go:embed scaffold/routes.json
	scaffoldRoutes []byte
	//go:embed scaffold/luarc.json
	scaffoldEditor []byte
)

// annotationsFolder is where .luarc.json leads an editor.
const annotationsFolder = ".stratix/annotations"

// scaffold is a file to make, by its slash path in the folder.
type scaffold struct {
	name    string
	content []byte
	about   string // for whoever reads the list of what was made
}

func (c *initCmd) Run() error {
	if c.Annotations {
		return c.annotate()
	}
	files := []scaffold{
		{"main.lua", scaffoldMain, "the pipeline, and who may send to whom"},
		{"main_test.lua", scaffoldTest, "its tests"},
		{"routes.json", scaffoldRoutes, "where messages go that name no recipient"},
		{".luarc.json", scaffoldEditor, "for editors with the Lua language server"},
	}
	files = append(files, editorFiles()...)
	if err := c.refuseExisting(files); err != nil {
		return err
	}
	for i, f := range files {
		if err := c.make(f); err != nil {
			// Half a folder would be in the way of the next try.
			for _, made := range files[:i] {
				_ = os.Remove(c.path(made))
			}
			return fmt.Errorf("%w; nothing was made", err)
		}
	}
	fmt.Printf("made in %s:\n", c.Dir)
	for _, f := range files {
		if f.about != "" {
			fmt.Printf("  %-21s %s\n", f.name, f.about)
		}
	}
	fmt.Printf("  %-21s what these complete and check\n\nnext:\n", annotationsFolder)
	dir := quoted(c.Dir)
	fmt.Printf("  stratix test %s             # runs main_test.lua; with --watch after each save\n", dir)
	fmt.Printf("  stratix serve --scripts %s  # and each save of a file goes live\n", dir)
	return nil
}

// annotate writes the editor's files anew.
func (c *initCmd) annotate() error {
	if _, err := os.Stat(c.Dir); err != nil {
		return fmt.Errorf("--annotations is for a scripts folder that is there: %w", err)
	}
	files := editorFiles()
	for _, f := range files {
		if err := os.MkdirAll(filepath.Dir(c.path(f)), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(c.path(f), f.content, 0o644); err != nil {
			return err
		}
	}
	fmt.Printf("%s: wrote %d files to %s\n", c.Dir, len(files), annotationsFolder)
	switch err := c.make(scaffold{name: ".luarc.json", content: scaffoldEditor}); {
	case err == nil:
		fmt.Printf("%s: made .luarc.json\n", c.Dir)
	case errors.Is(err, fs.ErrExist):
		fmt.Printf("%s: .luarc.json stays as it is; its workspace.library must name %s\n", c.Dir, annotationsFolder)
	default:
		return err
	}
	return nil
}

func editorFiles() (files []scaffold) {
	content := lua.EditorFiles()
	for _, name := range slices.Sorted(maps.Keys(content)) {
		files = append(files, scaffold{name: annotationsFolder + "/" + name, content: content[name]})
	}
	return files
}

func (c *initCmd) path(f scaffold) string { return filepath.Join(c.Dir, filepath.FromSlash(f.name)) }

// refuseExisting names the files that are there already. What stands in the way
// otherwise shows when they are made.
func (c *initCmd) refuseExisting(files []scaffold) error {
	var there []string
	for _, f := range files {
		name := f.name
		if strings.HasPrefix(name, annotationsFolder) {
			name = annotationsFolder
		}
		if _, err := os.Lstat(c.path(f)); err == nil && !slices.Contains(there, name) {
			there = append(there, name)
		}
	}
	if len(there) > 0 {
		return fmt.Errorf("%s has these already: %s; init overwrites nothing, and nothing was made; "+
			"for the editor's files alone: stratix init --annotations %s", c.Dir, strings.Join(there, ", "), quoted(c.Dir))
	}
	return nil
}

// make writes a file that is not there yet.
func (c *initCmd) make(f scaffold) error {
	if err := os.MkdirAll(filepath.Dir(c.path(f)), 0o755); err != nil {
		return err
	}
	file, err := os.OpenFile(c.path(f), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return err
	}
	_, err = file.Write(f.content)
	if err = errors.Join(err, file.Close()); err != nil {
		_ = os.Remove(c.path(f))
	}
	return err
}

// orInit adds to an error of a command about a scripts folder how one is made, where
// there is none.
func orInit(dir string, err error) error {
	if _, missing := os.Stat(filepath.Join(dir, reload.Main)); err != nil && errors.Is(missing, fs.ErrNotExist) {
		return fmt.Errorf("%w; to make a scripts folder to begin with: stratix init %s", err, quoted(dir))
	}
	return err
}

// quoted is a path as a shell takes it.
func quoted(path string) string {
	if strings.ContainsAny(path, " \t'\"\\$&;()<>|*?[]#~`!") {
		return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
	}
	return path
}
