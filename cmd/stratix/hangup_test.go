package main

import (
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// The real process, and the signal as systemctl reload sends it.
func TestSIGHUPReadsTheSettingsAgain(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "settings")
	save(t, filepath.Join(dir, "routes", "main.lua"), "pipeline {}")
	save(t, file, "max-connections = 5\n")
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	if err := free.Close(); err != nil {
		t.Fatal(err)
	}
	log := &journal{}
	cmd := exec.Command(os.Args[0])
	cmd.Args = []string{"stratix", "serve", "--listen", addr, "--admin", "off", "--scripts", filepath.Join(dir, "routes"), "--data", filepath.Join(dir, "data"), "--settings", file}
	cmd.Stderr = log
	cmd.Env = append(os.Environ(), "GORACE=atexit_sleep_ms=10")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		if err := cmd.Wait(); err != nil {
			t.Errorf("it ended with %v:\n%s", err, log)
		}
	})
	await := func(what string, ok func() bool) {
		t.Helper()
		for end := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s:\n%s", what, log)
			}
		}
	}
	hangup := func(want string) {
		t.Helper()
		if err := cmd.Process.Signal(syscall.SIGHUP); err != nil {
			t.Fatal(err)
		}
		await(want, func() bool { return strings.Contains(log.String(), want) })
	}
	await("the gateway", func() bool {
		resp, err := http.Get("http://" + addr + "/readyz")
		if err != nil {
			return false
		}
		resp.Body.Close()
		return resp.StatusCode == http.StatusOK
	})
	c, err := dialWS(addr, "a")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	hangup("msg=reloaded trigger=signal scripts=unchanged certificate=none stages_with_files=0 keys=none settings=unchanged")
	save(t, file, "max-connections = 6\nlog-format = json\n")
	hangup(`1 waiting for a restart"`)
	if text := log.String(); !strings.Contains(text, "max-connections 5 -> 6 applies now; log-format text -> json needs a restart") {
		t.Errorf("the changes are not listed:\n%s", text)
	}
	save(t, file, "max-conections = 6\n")
	hangup("settings=rejected")
	if text := log.String(); !strings.Contains(text, file+`:1: unknown setting`) {
		t.Errorf("the problem is not named:\n%s", text)
	}
	if err := nothingElse(c); err != nil {
		t.Errorf("the client that was there: %v", err)
	}
}
