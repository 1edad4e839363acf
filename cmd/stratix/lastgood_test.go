package main

import (
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestARestartWithBrokenScriptsServesTheLastGoodOnesAndSaysSo(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	here := func(c *serveCmd) { c.Data, c.Scripts = data, dir }
	save(t, filepath.Join(dir, "main.lua"), stampScript(7))
	r := runGateway(t, nil, here)
	r.stop()

	save(t, filepath.Join(dir, "main.lua"), "pipeline {")
	r = runGateway(t, nil, here)
	if log := r.log.String(); !strings.Contains(log, "level=ERROR") || !strings.Contains(log, "main.lua:1") ||
		!strings.Contains(log, "THE SCRIPTS FOLDER IS BROKEN") {
		t.Errorf("the log does not say it loudly:\n%s", log)
	}
	c, err := dialWS(r.Addr().String(), "c1")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if through, err := exchange(c, 1); err != nil || through != 7 {
		t.Fatalf("the message went through save %d, %v; want 7, the last good one", through, err)
	}

	if st := r.status(); !st.Scripts.LastGood || st.Scripts.Last.Result != "rejected" || len(st.Scripts.Last.Problems) == 0 {
		t.Errorf("the status does not say it: %+v", st.Scripts)
	}
	if v := r.metric("stratix_scripts_last_good"); v != "1" {
		t.Errorf("stratix_scripts_last_good is %s", v)
	}

	// Mending the folder makes it live again, on the same connection.
	save(t, filepath.Join(dir, "main.lua"), stampScript(8))
	r.waitFor("the mended script", func(st gateway.Status) bool {
		return st.Scripts.Last.Result == "live" && st.Scripts.Last.Trigger == "save"
	})
	if through, err := exchange(c, 2); err != nil || through != 8 {
		t.Fatalf("the message went through save %d, %v; want 8, the mended one", through, err)
	}
}

func TestBrokenScriptsWithoutALastGoodGenerationOfTheirOwnDoNotStart(t *testing.T) {
	data, dir := t.TempDir(), t.TempDir()
	save(t, filepath.Join(dir, "main.lua"), "pipeline {")
	f := func(want string) {
		t.Helper()
		c := serveCmd{Listen: "127.0.0.1:0", Admin: "off", Scripts: dir, Data: data, QueuePolicy: "reject", Transport: "auto"}
		opt, err := c.options(slog.New(slog.NewTextHandler(io.Discard, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := gateway.Open(opt); err == nil || !strings.Contains(err.Error(), want) {
			t.Fatalf("got %v, want an error with %s", err, want)
		}
	}
	f("main.lua:1")
	// What another folder left in the same data folder must not stand in for it:
	// its policy is another one.
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, func(c *serveCmd) { c.Data = data })
	r.stop()
	f("is of another folder")
}

func TestWhatWentWrongIsShownUntilItIsMended(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": stampScript(1)}, nil)
	main := filepath.Join(r.scripts, "main.lua")
	rejected := func(st gateway.Status) bool {
		return st.Scripts.Last.Result == "rejected" && st.Scripts.Generation == 1 && st.Ready
	}
	mended := func(st gateway.Status) bool { return st.Scripts.Last.Result == "unchanged" }

	f := func(what, problem string, spoil func()) {
		t.Helper()
		spoil()
		st := r.waitFor(what, rejected)
		if got := strings.Join(st.Scripts.Last.Problems, "\n"); !strings.Contains(got, problem) {
			t.Errorf("%s: the problem is %q, want %q in it", what, got, problem)
		}
		if v := r.metric("stratix_scripts_rejected"); v != "1" {
			t.Errorf("%s: stratix_scripts_rejected is %s", what, v)
		}
		save(t, main, stampScript(1))
		r.waitFor("the script that is live already", mended)
		if v := r.metric("stratix_scripts_rejected"); v != "0" {
			t.Errorf("%s, mended: stratix_scripts_rejected is %s", what, v)
		}
	}
	f("a broken save", "main.lua:1", func() { save(t, main, "pipeline {") })
	f("a deleted script", "main.lua is missing", func() {
		if err := os.Remove(main); err != nil {
			t.Fatal(err)
		}
	})
	f("a deleted folder", "no such file", func() {
		if err := os.RemoveAll(r.scripts); err != nil {
			t.Fatal(err)
		}
	})
}
