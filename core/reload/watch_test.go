package reload

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// follower is a running Watch.
type follower struct {
	t        *testing.T
	dir      string
	applied  chan Snapshot
	problems chan error
}

// follow watches dir by events alone; change may say otherwise.
func follow(t *testing.T, dir string, last Snapshot, change func(*Folder)) *follower {
	t.Helper()
	f := &Folder{Dir: dir, Poll: time.Hour, Log: slog.New(slog.DiscardHandler)}
	if change != nil {
		change(f)
	}
	w := &follower{t: t, dir: dir, applied: make(chan Snapshot, 1000), problems: make(chan error, 1000)}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- f.Watch(ctx, last, func(s Snapshot) { w.applied <- s }, func(err error) { w.problems <- err })
	}()
	t.Cleanup(func() {
		cancel()
		if err := <-done; err != nil {
			t.Errorf("Watch ended with %v", err)
		}
	})
	return w
}

// next is the next snapshot that is applied.
func (w *follower) next() Snapshot {
	w.t.Helper()
	select {
	case s := <-w.applied:
		return s
	case err := <-w.problems:
		w.t.Fatalf("a problem instead of a change: %v", err)
	case <-time.After(20 * time.Second):
		w.t.Fatal("no change was applied")
	}
	return Snapshot{}
}

// until waits for a snapshot that holds this file with this content, or not at
// all if content is "": a save in several steps may be seen in between.
func (w *follower) until(name, content string) Snapshot {
	w.t.Helper()
	for {
		if s := w.next(); string(s.Files[name]) == content {
			return s
		}
	}
}

// wants expects that the very next snapshot has this main.lua.
func (w *follower) wants(main string) {
	w.t.Helper()
	if got := string(w.next().Files[Main]); got != main {
		w.t.Errorf("applied %q, want %q", got, main)
	}
}

// told expects a problem.
func (w *follower) told(text string) {
	w.t.Helper()
	select {
	case err := <-w.problems:
		if !strings.Contains(err.Error(), text) {
			w.t.Errorf("told %v, want %q", err, text)
		}
	case s := <-w.applied:
		w.t.Errorf("applied %s instead of telling %q", s.Files, text)
	case <-time.After(20 * time.Second):
		w.t.Fatalf("nobody told %q", text)
	}
}

func (w *follower) path(name string) string { return filepath.Join(w.dir, name) }

// replace saves by renaming over.
func (w *follower) replace(name, content string) {
	w.t.Helper()
	write(w.t, w.dir, map[string]string{"4913": "", "." + name + ".tmp": content})
	must(w.t, os.Remove(w.path("4913")))
	must(w.t, os.Rename(w.path("."+name+".tmp"), w.path(name)))
}

// started is a follower of a folder whose main.lua is "one", past its first look.
func started(t *testing.T, change func(*Folder)) *follower {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "routes")
	write(t, dir, map[string]string{Main: "one"})
	w := follow(t, dir, Snapshot{}, change)
	w.wants("one")
	return w
}

func TestSaves(t *testing.T) {
	w := started(t, nil)

	w.replace(Main, "renamed over")
	w.wants("renamed over")

	write(t, w.dir, map[string]string{Main: "written in place"})
	w.wants("written in place")

	// The original becomes the backup, as vim does.
	must(t, os.Rename(w.path(Main), w.path("main.lua~")))
	write(t, w.dir, map[string]string{Main: "written anew"})
	must(t, os.Remove(w.path("main.lua~")))
	w.wants("written anew")

	write(t, w.dir, map[string]string{"routes.json": "{}"})
	w.until("routes.json", "{}")
	must(t, os.Remove(w.path("routes.json")))
	if s := w.next(); names(s) != "main.lua" {
		t.Errorf("applied %s", names(s))
	}
}

func TestSavesThatChangeNothing(t *testing.T) {
	w := started(t, nil)
	now := time.Now()
	must(t, os.Chtimes(w.path(Main), now, now))
	must(t, os.Chmod(w.path(Main), 0o600))
	write(t, w.dir, map[string]string{Main: "one", "notes.md": "x", ".main.lua.swp": "x"})
	w.replace(Main, "one")
	w.replace(Main, "two")
	w.wants("two")
}

func TestManyFilesAtOnce(t *testing.T) {
	w := started(t, nil)
	files := map[string]string{}
	for i := range 300 {
		files[fmt.Sprintf("lib/part%d/file%d.lua", i%10, i)] = "x"
	}
	write(t, w.dir, files)
	write(t, w.dir, map[string]string{Main: "two"})
	if s := w.until(Main, "two"); len(s.Files) != 301 {
		t.Errorf("applied %d files", len(s.Files))
	}
}

func TestSubfolders(t *testing.T) {
	w := started(t, nil)
	write(t, w.dir, map[string]string{"lib/deep/a.lua": "1"})
	w.until("lib/deep/a.lua", "1")
	write(t, w.dir, map[string]string{"lib/deep/a.lua": "2"})
	w.until("lib/deep/a.lua", "2")

	must(t, os.Rename(w.path("lib"), w.path("lob")))
	if s := w.until("lob/deep/a.lua", "2"); len(s.Files) != 2 {
		t.Errorf("applied %s", s.Files)
	}
	write(t, w.dir, map[string]string{"lob/deep/a.lua": "3"})
	w.until("lob/deep/a.lua", "3")

	// Renamed, with another one under its old name at once.
	must(t, os.Rename(w.path("lob"), w.path("abc")))
	write(t, w.dir, map[string]string{"lob/deep/b.lua": "4"})
	w.until("lob/deep/b.lua", "4")
	write(t, w.dir, map[string]string{"abc/deep/a.lua": "5"})
	w.until("abc/deep/a.lua", "5")
	write(t, w.dir, map[string]string{"lob/deep/b.lua": "6"})
	w.until("lob/deep/b.lua", "6")

	// Deleted, and back again.
	must(t, os.RemoveAll(w.path("lob")))
	w.until("lob/deep/b.lua", "")
	write(t, w.dir, map[string]string{"lob/deep/b.lua": "7"})
	w.until("lob/deep/b.lua", "7")
	write(t, w.dir, map[string]string{"lob/deep/b.lua": "8"})
	w.until("lob/deep/b.lua", "8")
}

// Kubernetes writes a new folder and swaps one link.
func TestKubernetesSwap(t *testing.T) {
	dir := t.TempDir()
	swap := func(version string) {
		write(t, dir, map[string]string{"..v" + version + "/main.lua": version, "..v" + version + "/lib/a.lua": version})
		must(t, os.Symlink("..v"+version, filepath.Join(dir, "..data_tmp")))
		must(t, os.Rename(filepath.Join(dir, "..data_tmp"), filepath.Join(dir, "..data")))
	}
	swap("1")
	must(t, os.Symlink("..data/main.lua", filepath.Join(dir, "main.lua")))
	must(t, os.Symlink("..data/lib", filepath.Join(dir, "lib")))
	w := follow(t, dir, mustRead(t, dir), nil)
	for _, version := range []string{"2", "3", "4"} {
		swap(version)
		s := w.next()
		if string(s.Files[Main]) != version || string(s.Files["lib/a.lua"]) != version {
			t.Errorf("version %s: applied %q", version, s.Files)
		}
	}
	write(t, dir, map[string]string{"..data/lib/a.lua": "in place"})
	if s := w.next(); string(s.Files["lib/a.lua"]) != "in place" {
		t.Errorf("applied %q", s.Files)
	}
}

func TestTheFolderIsALink(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"releases/1/main.lua": "1", "releases/2/main.lua": "2"})
	point := func(to string) {
		must(t, os.Symlink("releases/"+to, filepath.Join(top, "next")))
		must(t, os.Rename(filepath.Join(top, "next"), filepath.Join(top, "current")))
	}
	point("1")
	w := follow(t, filepath.Join(top, "current"), Snapshot{}, nil)
	w.wants("1")
	point("2")
	w.wants("2")
	write(t, top, map[string]string{"releases/1/main.lua": "not followed any more"})
	write(t, top, map[string]string{"releases/2/main.lua": "followed"})
	w.wants("followed")
}

func TestALinkedFileOutside(t *testing.T) {
	top := t.TempDir()
	write(t, top, map[string]string{"routes/main.lua": "main", "shared/words.txt": "1"})
	must(t, os.Symlink("../shared/words.txt", filepath.Join(top, "routes/words.txt")))
	w := follow(t, filepath.Join(top, "routes"), Snapshot{}, nil)
	w.wants("main")
	write(t, top, map[string]string{"shared/words.txt": "2"})
	if s := w.next(); string(s.Files["words.txt"]) != "2" {
		t.Errorf("applied %q", s.Files)
	}
}

func TestTheFolderGoesAndComesBack(t *testing.T) {
	w := started(t, nil)
	for _, content := range []string{"two", "three"} {
		must(t, os.RemoveAll(w.dir))
		w.told("no such file")
		write(t, w.dir, map[string]string{Main: content})
		w.wants(content)
	}
	write(t, w.dir, map[string]string{Main: "four"})
	w.wants("four")

	must(t, os.Rename(w.dir, w.dir+".away"))
	w.told("no such file")
	write(t, w.dir+".away", map[string]string{Main: "five"})
	must(t, os.Rename(w.dir+".away", w.dir))
	w.wants("five")
	w.replace(Main, "six")
	w.wants("six")
}

func TestMainGoesAndComesBack(t *testing.T) {
	w := started(t, nil)
	must(t, os.Remove(w.path(Main)))
	w.told("main.lua is missing")
	write(t, w.dir, map[string]string{"other.lua": "does not end it"})
	write(t, w.dir, map[string]string{Main: "two"})
	w.wants("two")
}

func TestStartsWithWhatChangedBefore(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{Main: "one"})
	last := mustRead(t, dir)
	write(t, dir, map[string]string{Main: "two"})
	w := follow(t, dir, last, nil)
	w.wants("two")
}

func TestStartsWithoutAFolder(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "routes")
	w := follow(t, dir, Snapshot{}, nil)
	w.told("no such file")
	must(t, os.Mkdir(dir, 0o755))
	w.told("main.lua is missing")
	write(t, dir, map[string]string{Main: "one"})
	w.wants("one")
}

// polled runs inside synctest: time goes on only when everybody waits.
func polled(t *testing.T, test func(t *testing.T, w *follower)) {
	synctest.Test(t, func(t *testing.T) {
		w := started(t, func(f *Folder) { f.blind, f.Poll = true, 0 })
		synctest.Wait()
		test(t, w)
	})
}

func TestPollingSeesChanges(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		began := time.Now()
		write(t, w.dir, map[string]string{Main: "two"})
		w.wants("two")
		if d := time.Since(began); d > 3*time.Second {
			t.Errorf("it took %s", d)
		}
	})
}

func TestPollingAppliesAContentOnce(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.applied); n != 0 {
			t.Errorf("%d snapshots were applied", n)
		}
	})
}

func TestAnEmptyMainIsBelievedAfterAWhile(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		write(t, w.dir, map[string]string{Main: ""})
		time.Sleep(3*time.Second + 100*time.Millisecond)
		synctest.Wait()
		if len(w.applied) != 0 {
			t.Error("the empty file was applied at once")
		}
		time.Sleep(200 * time.Millisecond)
		synctest.Wait()
		if len(w.applied) != 1 {
			t.Fatal("the empty file was not applied at all")
		}
		w.wants("")
	})
}

func TestASaveInTwoStepsIsAppliedOnce(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		write(t, w.dir, map[string]string{Main: ""})
		time.Sleep(3*time.Second + 100*time.Millisecond)
		write(t, w.dir, map[string]string{Main: "two"})
		began := time.Now()
		w.wants("two")
		if d := time.Since(began); d > 30*time.Millisecond {
			t.Errorf("it took %s after the second step", d)
		}
	})
}

func TestSavesWaitWhileTheFolderIsOnHold(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		hold := filepath.Join(w.dir, Hold)
		write(t, w.dir, map[string]string{Hold: "", Main: "half"})
		time.Sleep(MaxHold / 2)
		must(t, os.Remove(w.path(Main)))
		time.Sleep(MaxHold/2 - time.Minute)
		synctest.Wait()
		if a, p := len(w.applied), len(w.problems); a+p != 0 {
			t.Errorf("on hold %d snapshots were applied and %d problems told", a, p)
		}
		write(t, w.dir, map[string]string{Main: "whole"})
		must(t, os.Remove(hold))
		w.wants("whole")

		// One that was forgotten is not minded for ever, and the next one is.
		write(t, w.dir, map[string]string{Hold: "", Main: "late"})
		began := time.Now()
		time.Sleep(MaxHold + time.Minute)
		w.wants("late")
		write(t, w.dir, map[string]string{Main: "later"})
		w.wants("later")
		if d := time.Since(began); d < MaxHold {
			t.Errorf("it was minded for %v", d)
		}
		must(t, os.Remove(hold))
		time.Sleep(time.Minute)
		write(t, w.dir, map[string]string{Hold: "", Main: "again"})
		time.Sleep(MaxHold / 2)
		synctest.Wait()
		if len(w.applied) != 0 {
			t.Error("a second hold is not minded")
		}
	})
}

func TestTheEndOfAHoldIsSeenAtOnce(t *testing.T) {
	w := started(t, nil) // it polls once an hour
	write(t, w.dir, map[string]string{Hold: ""})
	write(t, w.dir, map[string]string{"a.txt": "1"})
	write(t, w.dir, map[string]string{"b.txt": "1"})
	must(t, os.Remove(w.path(Hold)))
	if s := w.next(); names(s) != "a.txt b.txt main.lua" {
		t.Errorf("applied %s", names(s))
	}
}

func TestAProblemThatComesBackIsToldAgainAndItsEndIsAppliedEachTime(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		for range 2 {
			must(t, os.Rename(w.dir, w.dir+".away"))
			time.Sleep(time.Minute)
			must(t, os.Rename(w.dir+".away", w.dir))
			time.Sleep(time.Minute)
		}
		synctest.Wait()
		if p, a := len(w.problems), len(w.applied); p != 2 || a != 2 {
			t.Errorf("%d problems were told and %d snapshots applied", p, a)
		}
	})
}

func TestAProblemIsToldOnce(t *testing.T) {
	polled(t, func(t *testing.T, w *follower) {
		must(t, os.RemoveAll(w.dir))
		time.Sleep(time.Minute)
		synctest.Wait()
		if n := len(w.problems); n != 1 {
			t.Errorf("%d problems were told", n)
		}
		w.told("no such file")
	})
}

// A folder that is never quiet is read all the same.
func TestConstantEventsDoNotPostponeForever(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write(t, dir, map[string]string{Main: "one"})
		applied := make(chan Snapshot, 10)
		w := &watch{dir: dir, debounce: 20 * time.Millisecond, apply: func(s Snapshot) { applied <- s }, problem: func(error) {}}
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		hints := make(chan struct{})
		go w.run(ctx, time.Hour, hints)
		<-applied
		write(t, dir, map[string]string{Main: "two"})
		for end := time.Now().Add(250 * time.Millisecond); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
			hints <- struct{}{}
		}
		synctest.Wait()
		if len(applied) != 1 {
			t.Errorf("%d snapshots were applied", len(applied))
		}
	})
}
