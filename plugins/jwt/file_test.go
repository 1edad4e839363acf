package jwt

import (
	"bytes"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

func TestAKeyFileIsReadAgainWhenItChanges(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	one, two := publicPEM(t, "RSA"), publicPEM(t, "RSA2")
	byOne, byTwo := sign(t, "RS256", "", "RSA", good(nil)), sign(t, "RS256", "", "RSA2", good(nil))
	synctest.Test(t, func(t *testing.T) {
		write(one)
		s := opened(t, map[string]any{"key_file": name, "algorithms": []any{"RS256"}}, nil)
		f := func(what, first, second string) {
			t.Helper()
			time.Sleep(2 * time.Second)
			synctest.Wait()
			a, _ := ask(t, s, "alice", byOne)
			b, _ := ask(t, s, "alice", byTwo)
			if a != first || b != second {
				t.Errorf("%s: %s and %s, want %s and %s", what, a, b, first, second)
			}
			if unusable := strings.HasPrefix(what, "when") || what == "with nonsense"; (s.Failing() == name) != unusable {
				t.Errorf("%s: it says %q", what, s.Failing())
			}
		}
		f("at first", "ok", "bad_token")
		write(two)
		f("after a change", "bad_token", "ok")
		write("nonsense")
		f("with nonsense", "bad_token", "ok")
		write(strings.Repeat("x", 1<<20+1))
		f("when it is huge", "bad_token", "ok")
		if err := os.Remove(name); err != nil {
			t.Fatal(err)
		}
		f("when it is gone", "bad_token", "ok")
		write(one + two)
		f("with both", "ok", "ok")
	})
}

func TestAKeyFileThatCannotBeUsedKeepsTheStageFromStarting(t *testing.T) {
	dir := t.TempDir()
	f := func(name, text, want string) {
		t.Helper()
		name = filepath.Join(dir, name)
		if text != "" {
			if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		// A check opens it and looks at no file.
		s, err := open(core.Config{Values: map[string]any{"key_file": name, "algorithms": []any{"RS256"}}}, coretest.Env(t, nil))
		if err != nil {
			t.Fatal(err)
		}
		err = s.(*stage).Start(t.Context())
		if err == nil || !strings.Contains(err.Error(), want) || strings.Count(err.Error(), name) != 1 {
			t.Errorf("%s: %v, want %q", name, err, want)
		}
		if err := s.(*stage).Stop(t.Context()); err != nil {
			t.Error(err)
		}
	}
	f("none.pem", "", "no such file")
	f("secret.txt", secret, "no key fits RS256: there is a secret")
	f(".", "", "not a regular file")
}

func TestAKeyFileThatOthersMayReadOrWriteIsRefused(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes say nothing there")
	}
	dir := t.TempDir()
	f := func(text, algorithm string, mode os.FileMode, refused, warned string) {
		t.Helper()
		name := filepath.Join(dir, "key")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chmod(name, mode); err != nil {
			t.Fatal(err)
		}
		var log bytes.Buffer
		env := coretest.Env(t, nil)
		env.Log = slog.New(slog.NewTextHandler(&log, nil))
		opened, err := open(core.Config{Values: map[string]any{"key_file": name, "algorithms": []any{algorithm}}}, env)
		if err != nil {
			t.Fatal(err)
		}
		s := opened.(*stage)
		err = s.Start(t.Context())
		if err == nil {
			s.Refresh() // says nothing anew
		}
		if err := s.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if got := fmt.Sprint(err); refused == "" && err != nil || !strings.Contains(got, refused) || refused != "" && !strings.Contains(got, "chmod 600") {
			t.Errorf("%04o: %v, want %q", mode, err, refused)
		}
		if got := log.String(); (got == "") != (warned == "") || !strings.Contains(got, warned) || strings.Count(got, "level=WARN") > 1 || strings.Contains(got, secret) {
			t.Errorf("%04o: the log says %q, want %q", mode, got, warned)
		}
	}
	f(secret, "HS256", 0o600, "", "")
	f(secret, "HS256", 0o400, "", "")
	f(secret, "HS256", 0o604, "others may read it", "")
	f(secret, "HS256", 0o644, "others may read it", "")
	f(secret, "HS256", 0o602, "others may write it", "")
	f(secret, "HS256", 0o640, "", "others may read it")
	f(secret, "HS256", 0o660, "", "others may write it")
	public := publicPEM(t, "RSA")
	f(public, "RS256", 0o644, "", "")
	f(public, "RS256", 0o664, "", "others may write it")
	f(public, "RS256", 0o666, "others may write it", "")
}

func TestARefreshLooksAtTheKeyFileAtOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "key.pem")
	one, two := publicPEM(t, "RSA"), publicPEM(t, "RSA2")
	byTwo := sign(t, "RS256", "", "RSA2", good(nil))
	synctest.Test(t, func(t *testing.T) {
		if err := os.WriteFile(name, []byte(one), 0o600); err != nil {
			t.Fatal(err)
		}
		s := opened(t, map[string]any{"key_file": name, "algorithms": []any{"RS256"}}, nil)
		if err := os.WriteFile(name, []byte(two), 0o600); err != nil {
			t.Fatal(err)
		}
		s.Refresh()
		s.Refresh()
		synctest.Wait() // no time passes
		if got, _ := ask(t, s, "alice", byTwo); got != "ok" {
			t.Errorf("a token by the new key: %s", got)
		}
	})
}
