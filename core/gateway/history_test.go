package gateway

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/reload"
)

func snapOf(text string) reload.Snapshot {
	return reload.Snapshot{Files: map[string][]byte{"main.lua": []byte(text)}, Hash: sha256.Sum256([]byte(text))}
}

func mustOpen(t *testing.T, data, dir string) *history {
	t.Helper()
	h, err := openHistory(data, dir)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// live notes that a snapshot is live, and keeps it.
func (h *history) live(snap reload.Snapshot, number uint32) error {
	h.wentLive(snap, number)
	return h.keep()
}

// back notes why a snapshot is not live any more, and keeps that.
func (h *history) back(snap reload.Snapshot, why string) error {
	h.takenBack(snap, why)
	return h.keep()
}

func TestOfGenerationsOfOtherFoldersTheNewestAreKept(t *testing.T) {
	data := t.TempDir()
	const others = 25
	for n := range others {
		if err := mustOpen(t, data, fmt.Sprint("/other", n)).live(snapOf(fmt.Sprint(n)), 1); err != nil {
			t.Fatal(err)
		}
	}
	if err := mustOpen(t, data, "/scripts").live(snapOf("mine"), 1); err != nil {
		t.Fatal(err)
	}
	names, _ := filepath.Glob(filepath.Join(data, "generations", "*"))
	if len(names) != maxHistory+1 {
		t.Errorf("the folder holds %q", names)
	}
	f := func(n int, want bool) {
		t.Helper()
		if got := mustOpen(t, data, fmt.Sprint("/other", n)).good([32]byte{}) != nil; got != want {
			t.Errorf("generation %d of %d: kept is %v", n, others, got)
		}
	}
	f(others-1, true)
	f(others-maxHistory, true)
	f(others-maxHistory-1, false)
}

func TestWhatIsOnItsWayToTheDiskIsKnown(t *testing.T) {
	h := mustOpen(t, t.TempDir(), "/scripts")
	h.disk.Lock() // the disk is slow
	h.wentLive(snapOf("a"), 1)
	h.wentLive(snapOf("b"), 2)
	h.takenBack(snapOf("b"), "it failed")
	if p := h.good([32]byte{}); p == nil || p.number != 1 || len(h.list()) != 2 {
		t.Errorf("the last good one is %+v", p)
	}
	h.disk.Unlock()
	if err := h.keep(); err != nil {
		t.Fatal(err)
	}
	if all, err := readPasts(h.folder); err != nil || len(all) != 2 || all[0].Bad != "it failed" {
		t.Errorf("the disk has %+v, %v", all, err)
	}
}

func TestTenGenerationsAreKeptAndTheLastGoodOneAlways(t *testing.T) {
	data := t.TempDir()
	h := mustOpen(t, data, "/scripts")
	for n := 1; n <= 15; n++ {
		snap := snapOf(fmt.Sprint("v", n))
		if err := h.live(snap, uint32(n)); err != nil {
			t.Fatal(err)
		}
		if n > 2 {
			if err := h.back(snap, "it failed"); err != nil {
				t.Fatal(err)
			}
		}
	}
	for life := range 2 {
		if p := h.good([32]byte{}); p == nil || string(p.Files["main.lua"]) != "v2" {
			t.Fatalf("life %d: the last good one is %+v", life, p)
		}
		if n := len(h.list()); n != 11 {
			t.Errorf("life %d: %d are kept", life, n)
		}
		h = mustOpen(t, data, "/scripts")
	}
	if p := h.find(snapOf("v15").Hash); p == nil || p.Bad != "it failed" || p.number != 0 {
		t.Errorf("after a restart the newest is %+v", p)
	}
	names, _ := filepath.Glob(filepath.Join(data, "generations", "*"))
	if len(names) != 11 {
		t.Errorf("the folder holds %q", names)
	}
}

func TestWhatGoesLiveAgainIsGoodAgain(t *testing.T) {
	h := mustOpen(t, t.TempDir(), "/scripts")
	for n, text := range []string{"a", "b", "a"} {
		if err := h.live(snapOf(text), uint32(n+1)); err != nil {
			t.Fatal(err)
		}
		if err := h.back(snapOf("a"), "bad"); n == 0 && err != nil {
			t.Fatal(err)
		}
	}
	if p := h.good(snapOf("b").Hash); p != nil && string(p.Files["main.lua"]) != "a" {
		t.Errorf("got %+v", p)
	}
	if n := len(h.list()); n != 2 {
		t.Errorf("%d are kept of two contents", n)
	}
}

func TestAGenerationIsFoundByWhatAnOperatorSays(t *testing.T) {
	h := mustOpen(t, "", "/scripts")
	for n := range 3 {
		if err := h.live(snapOf(fmt.Sprint(n)), uint32(n+1)); err != nil {
			t.Fatal(err)
		}
	}
	f := func(name, want string) {
		t.Helper()
		p, err := h.named(name)
		switch {
		case err != nil && !strings.Contains(err.Error(), want):
			t.Errorf("%q: got %v, want %s", name, err, want)
		case err == nil && string(p.Files["main.lua"]) != want:
			t.Errorf("%q: got %q, want %q", name, p.Files["main.lua"], want)
		}
	}
	f("2", "1")
	f(fmt.Sprintf("%x", snapOf("2").Hash)[:6], "2")
	f(strings.ToUpper(fmt.Sprintf("%x", snapOf("0").Hash)), "0")
	f("7", "there is no generation")
	f("", "there is no generation")
	f("zz", "there is no generation")
}

func TestGenerationsOfAnotherFolderStandInForNothing(t *testing.T) {
	data := t.TempDir()
	if err := mustOpen(t, data, "/one").live(snapOf("x"), 1); err != nil {
		t.Fatal(err)
	}
	h := mustOpen(t, data, "/other")
	if h.good([32]byte{}) != nil || h.foreign != "/one" {
		t.Errorf("got %+v", h)
	}
}

func TestADamagedGenerationIsNamedAndTheOthersAreRead(t *testing.T) {
	data := t.TempDir()
	if err := mustOpen(t, data, "/scripts").live(snapOf("x"), 1); err != nil {
		t.Fatal(err)
	}
	bad := filepath.Join(data, "generations", "bad.json")
	if err := os.WriteFile(bad, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := openHistory(data, "/scripts")
	if err == nil || !strings.Contains(err.Error(), bad) || h.good([32]byte{}) == nil {
		t.Errorf("got %+v, %v", h, err)
	}
}

func TestTheNameOfADataFolderIsNoPattern(t *testing.T) {
	for _, name := range []string{"[prod]", "a[b", "*"} {
		data := filepath.Join(t.TempDir(), name)
		if err := mustOpen(t, data, "/scripts").live(snapOf("x"), 1); err != nil {
			t.Fatal(err)
		}
		if mustOpen(t, data, "/scripts").good([32]byte{}) == nil {
			t.Errorf("%s: nothing is read back", name)
		}
		if snap, err := LastGood(data); err != nil || snap.Hash != snapOf("x").Hash {
			t.Errorf("%s: the last good one is %v", name, err)
		}
	}
}

// A disk that is full for a moment must not make a restart serve what was taken back.
func TestWhatCouldNotBeKeptIsKeptLater(t *testing.T) {
	data := t.TempDir()
	h := mustOpen(t, data, "/scripts")
	if err := h.live(snapOf("bad"), 1); err != nil {
		t.Fatal(err)
	}
	in := h.path(h.all[0]) + ".tmp"
	if err := os.Mkdir(in, 0o700); err != nil { // in its way
		t.Fatal(err)
	}
	if err := h.back(snapOf("bad"), "it failed"); err == nil {
		t.Fatal("it was kept")
	}
	if err := os.Remove(in); err != nil {
		t.Fatal(err)
	}
	if err := h.live(snapOf("mended"), 2); err != nil {
		t.Fatal(err)
	}
	if p := mustOpen(t, data, "/scripts").find(snapOf("bad").Hash); p == nil || p.Bad != "it failed" {
		t.Errorf("the disk has %+v", p)
	}
}

func TestWhatWasNeverWrittenIsForgottenWithoutAnError(t *testing.T) {
	data := t.TempDir()
	h := mustOpen(t, data, "/scripts")
	folder := filepath.Join(data, "generations")
	if err := os.WriteFile(folder, nil, 0o600); err != nil { // a folder that takes nothing
		t.Fatal(err)
	}
	for n := range maxHistory {
		if err := h.live(snapOf(fmt.Sprint(n)), uint32(n+1)); err == nil {
			t.Fatal("it was kept")
		}
	}
	if err := os.Remove(folder); err != nil {
		t.Fatal(err)
	}
	for n := range 3 {
		if err := h.live(snapOf(fmt.Sprint("later", n)), 100); err != nil {
			t.Errorf("there is room again: %v", err)
		}
	}
}
