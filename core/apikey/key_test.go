package apikey

import (
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"
)

var made = time.Date(2026, 11, 24, 23, 0, 0, 0, time.UTC)

func newKey(t *testing.T, name string, scopes Scopes) (Key, string) {
	t.Helper()
	k, text, err := New(name, "api-"+name, scopes, made)
	if err != nil {
		t.Fatal(err)
	}
	return k, text
}

func TestAKeyIsFoundByItsTextAndNoOther(t *testing.T) {
	a, textA := newKey(t, "a", Read)
	b, textB := newKey(t, "b", Publish)
	s := Set{a, b}
	f := func(text, want string) {
		t.Helper()
		got := ""
		if k := s.Find([]byte(text)); k != nil {
			got = k.Name
		}
		if got != want {
			t.Errorf("%s: got %q, want %q", text, got, want)
		}
	}
	f(textA, "a")
	f(textB, "b")
	f("", "")
	f(textA+"x", "")
	f(textA[:len(textA)-1], "")
	f(strings.ToLower(textA), "")
	f(Prefix+strings.Repeat("A", len(textA)-len(Prefix)), "")
	f(string(a.Hash[:]), "")
	if len(textA) != textLength || !strings.HasPrefix(textA, Prefix) || textA == textB {
		t.Errorf("keys look like %s and %s", textA, textB)
	}
}

func TestAdminHasTheOtherScopesInIt(t *testing.T) {
	f := func(s, need Scopes, want bool) {
		t.Helper()
		if s.Has(need) != want {
			t.Errorf("%s for %s: got %v", s, need, !want)
		}
	}
	f(Read, Read, true)
	f(Publish, Read, false)
	f(Publish|Read, Publish, true)
	f(Admin, Publish, true)
	f(Publish|Read, Admin, false)
}

func TestWhatIsNoKeyIsNamedWithItsLine(t *testing.T) {
	k, _ := newKey(t, "a", Publish|Read)
	good := string(Set{k}.append(nil))
	f := func(text, want string) {
		t.Helper()
		if _, err := Parse([]byte(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: got %v, want %s", text, err, want)
		}
	}
	f("x", "line 1: ")
	f(good+"\n{}", "line 3: scope")
	f(good+good, "line 2: the name a is there twice")
	f(strings.Replace(good, "publish", "root", 1), `scope "root" is unknown`)
	f(strings.Replace(good, `"a"`, `"a b"`, 1), `name "a b" must be`)
	f(strings.Replace(good, `"sha256":"`, `"sha256":"0`, 1), "sha256 must be 64")
	f(strings.Replace(good, `"api-a"`, `""`, 1), "its sender is empty")
	f(strings.Replace(good, `{`, `{"more":1,`, 1), "unknown field")
	f(strings.TrimSpace(good)+good, "more than one object")
	got, err := Parse([]byte("# a comment\n\n" + good))
	if err != nil || len(got) != 1 || got[0] != k {
		t.Errorf("got %+v, %v, want %+v", got, err, k)
	}
}

func TestAFileOfKeysIsChangedWholeAndReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "keys")
	if _, err := Open(path); err == nil || !strings.Contains(err.Error(), "stratix key new") {
		t.Errorf("a missing file: %v", err)
	}
	a, textA := newKey(t, "a", Read)
	b, textB := newKey(t, "b", Admin)
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(Add(path, a))
	if err := Add(path, a); err == nil || !strings.Contains(err.Error(), "already") {
		t.Errorf("a name twice: %v", err)
	}
	f, err := Open(path)
	must(err)
	must(Add(path, b))
	if f.Find([]byte(textB)) != nil {
		t.Error("it is read before Reload")
	}
	used := f.Find([]byte(textA))
	if changed, err := f.Reload(); !changed || err != nil || f.Find([]byte(textB)) == nil || f.Len() != 2 {
		t.Errorf("a new key: %v, %v", changed, err)
	}
	if changed, err := f.Reload(); changed || err != nil {
		t.Errorf("nothing new: %v, %v", changed, err)
	}
	if !f.Holds(used) {
		t.Error("another key took this one")
	}
	must(Revoke(path, "a"))
	if err := Revoke(path, "a"); err == nil || !strings.Contains(err.Error(), "no key a") {
		t.Errorf("a name that is not there: %v", err)
	}
	must(os.WriteFile(path+".new", nil, 0o600))
	if err := Revoke(path, "b"); err == nil || !strings.Contains(err.Error(), "another command") {
		t.Errorf("two at once: %v", err)
	}
	must(os.Remove(path + ".new"))
	if _, err := f.Reload(); err != nil || f.Find([]byte(textA)) != nil || f.Find([]byte(textB)) == nil {
		t.Errorf("a revoked key is still good: %v", err)
	}
	if f.Holds(used) {
		t.Error("a revoked key is still held")
	}
	must(os.WriteFile(path, []byte("broken"), 0o600))
	if _, err := f.Reload(); err == nil || f.Find([]byte(textB)) == nil {
		t.Errorf("a broken file took the keys: %v", err)
	}
	must(os.Remove(path))
	if _, err := f.Reload(); err == nil || f.Find([]byte(textB)) == nil {
		t.Errorf("a file that is gone took the keys: %v", err)
	}
}

func TestKeysThatHaveChangedAreNamed(t *testing.T) {
	make := func(name string, scopes Scopes) Key {
		k, _, err := New(name, "sender", scopes, made)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	stays, goes, other := make("stays", Read), make("goes", Read), make("other", Read)
	again := make("again", Read)
	wider := other
	wider.Scopes = Admin
	added, revoked, changed := Set{stays, wider, make("new", Read), make("again", Read)}.Since(Set{goes, stays, other, again})
	if got := fmt.Sprint(added, revoked, changed); got != "[new] [goes] [other again]" {
		t.Errorf("got %s", got)
	}
	if added, revoked, changed := (Set{stays}).Since(Set{stays}); added != nil || revoked != nil || changed != nil {
		t.Errorf("got %v %v %v", added, revoked, changed)
	}
}

func TestAFileThatOthersMayReadIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes are of unix")
	}
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.WriteFile(path, nil, 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), "chmod 600") {
		t.Errorf("got %v", err)
	}
	if _, err := Load(os.DevNull); err == nil || !strings.Contains(err.Error(), "keys: "+os.DevNull+": it is not a regular file") {
		t.Error(err)
	}
}

func FuzzParse(f *testing.F) {
	k, _, _ := New("a", "b", Read, made)
	f.Add(Set{k}.append(nil))
	f.Add([]byte("{}\n#"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text)
		if err != nil {
			return
		}
		again, err := Parse(s.append(nil))
		if err != nil || len(again) != len(s) {
			t.Fatalf("%+v became %+v, %v", s, again, err)
		}
	})
}

func BenchmarkFind(b *testing.B) {
	var s Set
	var text string
	for range 20 {
		var k Key
		k, text, _ = New("a", "b", Read, made)
		s = append(s, k)
	}
	for b.Loop() {
		if s.Find([]byte(text)) == nil {
			b.Fatal("not found")
		}
	}
}
