package reload

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
)

// write makes files and the folders they are in.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func mustRead(t *testing.T, dir string) Snapshot {
	t.Helper()
	s, err := Read(dir)
	must(t, err)
	return s
}

func names(s Snapshot) string { return strings.Join(slices.Sorted(maps.Keys(s.Files)), " ") }

func TestWanted(t *testing.T) {
	f := func(name string, want bool) {
		t.Helper()
		if got := wanted(name); got != want {
			t.Errorf("wanted(%q) = %v", name, got)
		}
	}
	f("main.lua", true)
	f("main_test.lua", true)
	f("routes.json", true)
	f("words.txt", true)
	f("a b.lua", true)
	f("README.md", false)
	f("main", false)
	f("lua", false)
	f(".lua", false)
	f(".main.lua", false)
	f("main.lua~", false)
	f(".main.lua.swp", false)
	f("main.lua.swp", false)
	f(".#main.lua", false)
	f("#main.lua#", false)
	f("4913", false)
	f("main.lua.tmp", false)
	f("main.lua___jb_tmp___", false)
}

func TestRead(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"main.lua": "main", "lib/words.lua": "words", "lib/deep/a.txt": "a", "routes.json": "{}",
		".git/config.lua": "no", "lib/.cache/b.lua": "no", "README.md": "no", "main.lua~": "no", ".#main.lua": "no",
	})
	must(t, os.Mkdir(filepath.Join(dir, "folder.lua"), 0o755))
	s := mustRead(t, dir)
	if got, want := names(s), "lib/deep/a.txt lib/words.lua main.lua routes.json"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
	if string(s.Files["lib/words.lua"]) != "words" || s.Dir != dir {
		t.Errorf("read %q of %s", s.Files["lib/words.lua"], s.Dir)
	}
}

func TestReadFollowsLinks(t *testing.T) {
	top := t.TempDir()
	dir := filepath.Join(top, "routes")
	write(t, dir, map[string]string{"..2024/main.lua": "one", "..2024/lib/a.lua": "a"})
	write(t, top, map[string]string{"shared.json": "{}"})
	for link, to := range map[string]string{
		"..data": "..2024", "main.lua": "..data/main.lua", "lib": "..data/lib",
		"shared.json": "../shared.json", "nowhere.lua": "none.lua", "loop": ".", "self": "../routes",
	} {
		must(t, os.Symlink(to, filepath.Join(dir, link)))
	}
	s := mustRead(t, dir)
	if got, want := names(s), "lib/a.lua main.lua shared.json"; got != want {
		t.Errorf("read %s, want %s", got, want)
	}
}

func TestHash(t *testing.T) {
	f := func(a, b map[string]string, same bool) {
		t.Helper()
		one, two := t.TempDir(), t.TempDir()
		write(t, one, a)
		write(t, two, b)
		if got := mustRead(t, one).Hash == mustRead(t, two).Hash; got != same {
			t.Errorf("%v and %v have the same hash: %v", a, b, got)
		}
	}
	f(nil, nil, true)
	f(map[string]string{"a.lua": "x"}, map[string]string{"a.lua": "x", "b.md": "y"}, true)
	f(map[string]string{"a.lua": "x"}, map[string]string{"a.lua": "y"}, false)
	f(map[string]string{"a.lua": "x"}, map[string]string{"b.lua": "x"}, false)
	f(map[string]string{"a.lua": ""}, nil, false)
	f(map[string]string{"a.lua": "b.luax"}, map[string]string{"a.lua": "", "b.lua": "x"}, false)
}

func TestReadErrors(t *testing.T) {
	f := func(prepare func(dir string), want string) {
		t.Helper()
		dir := t.TempDir()
		prepare(dir)
		_, err := Read(dir)
		if err == nil || strings.Contains(err.Error(), "stat ") || !strings.Contains(err.Error(), want) {
			t.Errorf("got %v, want %q", err, want)
		}
	}
	f(func(dir string) { must(t, os.Remove(dir)) }, "no such file")
	f(func(dir string) {
		must(t, os.Remove(dir))
		write(t, filepath.Dir(dir), map[string]string{filepath.Base(dir): "a file"})
	}, "not a directory")
	f(func(dir string) {
		for i := range MaxFiles + 1 {
			write(t, dir, map[string]string{"f" + strconv.Itoa(10000+i) + ".lua": ""})
		}
	}, "f11000.lua: there are more than 1000 files")
	f(func(dir string) {
		for i := range MaxFiles {
			must(t, os.Mkdir(filepath.Join(dir, "d"+strconv.Itoa(10000+i)), 0o755))
		}
	}, "d10999: there are more than 1000 folders")
	f(func(dir string) {
		half := strings.Repeat("x", MaxContent/2)
		write(t, dir, map[string]string{"a.txt": half, "b.txt": half, "sub/c.txt": "x"})
	}, "sub/c.txt: the files hold more than 16777216 bytes")
}

func TestReadTakesNoMixtureOfTwoStates(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.lua": "old", "b.lua": "old"})
	pass := 0
	s, err := read(dir, func([]string) {
		if pass++; pass == 1 {
			write(t, dir, map[string]string{"a.lua": "new", "b.lua": "new"})
		}
	})
	must(t, err)
	if string(s.Files["a.lua"]) != "new" || string(s.Files["b.lua"]) != "new" {
		t.Errorf("read %q", s.Files)
	}
}

func TestReadSeesNewFoldersTwice(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{"a.lua": ""})
	var last []string
	pass := 0
	_, err := read(dir, func(folders []string) {
		last = folders
		if pass++; pass == 1 {
			must(t, os.Mkdir(filepath.Join(dir, "new"), 0o755))
		}
	})
	must(t, err)
	resolved, err := filepath.EvalSymlinks(dir)
	must(t, err)
	if want := []string{resolved, filepath.Join(resolved, "new")}; !slices.Equal(last, want) {
		t.Errorf("the folders are %q, want %q", last, want)
	}
}

func TestReadGivesUpOnARestlessFolder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		n := 0
		_, err := read(dir, func([]string) {
			n++
			write(t, dir, map[string]string{"a.lua": strconv.Itoa(n)})
		})
		if err == nil || !strings.Contains(err.Error(), "keeps changing") {
			t.Errorf("got %v", err)
		}
	})
}
