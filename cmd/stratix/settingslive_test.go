package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// tuned is a gateway with a settings file.
type tuned struct {
	*running
	file string
}

// runTuned starts one with such a file, with args before it.
func runTuned(t *testing.T, main, settings string, args ...string) *tuned {
	t.Helper()
	scripts, file := t.TempDir(), filepath.Join(t.TempDir(), "settings")
	save(t, filepath.Join(scripts, "main.lua"), main)
	save(t, file, settings)
	c := parsed(t, append([]string{
		"--listen", "127.0.0.1:0", "--admin", "127.0.0.1:0", "--scripts", scripts, "--data", t.TempDir(), "--settings", file,
	}, args...)...)
	return &tuned{serveUntilEnd(t, &c.Serve, ""), file}
}

// says saves the file, and waits until the gateway has seen it.
func (s *tuned) says(text string) {
	s.t.Helper()
	before := s.looks()
	renameOver(s.t, s.file, text)
	s.waitFor("the settings to be looked at", func(gateway.Status) bool { return s.looks() != before })
}

// looks are the counters of changes and rejections.
func (s *tuned) looks() string {
	s.t.Helper()
	return s.metric(`stratix_settings_reloads_total{result="changed"}`) + " " + s.metric(`stratix_settings_reloads_total{result="rejected"}`)
}

// report is GET /v1/settings.
func (s *tuned) report() (r gateway.SettingsReport) {
	s.t.Helper()
	if err := json.Unmarshal([]byte(s.get("http://"+s.AdminAddr().String()+"/v1/settings")), &r); err != nil {
		s.t.Fatal(err)
	}
	return r
}

// value is a setting that is in force.
func (s *tuned) value(name string) string {
	for _, v := range s.report().Settings {
		if v.Name == name {
			return v.Value
		}
	}
	return "none"
}

const echo = "pipeline { function(msg) msg:to(msg:from()) end }"

// echoed sends a message with so many bytes of data and reads it back with its
// acknowledgement.
func echoed(c *wsClient, bytes int) error {
	if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"m","data":%q}`, strings.Repeat("x", bytes))); err != nil {
		return err
	}
	for range 2 {
		text, err := c.next()
		if err == nil && strings.HasPrefix(text, `{"type":2`) {
			err = errors.New(text)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func TestAChangedLimitActsOnTheNextMessageAndOnNobodyElse(t *testing.T) {
	s := runTuned(t, echo, "max-message = 8KiB\n")
	addr := s.Addr().String()
	var clients []*wsClient
	for i := range 10 {
		c, err := dialWS(addr, fmt.Sprint("c", i))
		if err != nil {
			t.Fatal(err)
		}
		defer c.conn.Close()
		clients = append(clients, c)
	}
	if err := echoed(clients[0], 6000); err != nil {
		t.Fatal(err)
	}
	s.says("max-message = 4KiB\nqueue-bytes = 64KiB\nidle-timeout = 3s\nping-every = 1s\nwindow = 7\n")
	if log := s.log.String(); !strings.Contains(log, "max-message 8KiB -> 4KiB applies now") {
		t.Errorf("the log does not say what changes:\n%s", log)
	}
	for i, c := range clients {
		if err := echoed(c, 3000); err != nil {
			t.Errorf("client %d, who is within the new bound: %v", i, err)
		}
	}
	if err := clients[0].send(fmt.Sprintf(`{"type":0,"data":%q}`, strings.Repeat("x", 6000))); err != nil {
		t.Fatal(err)
	}
	if code, err := clients[0].closeCode(); err != nil || code != 1009 {
		t.Errorf("a message beyond the new bound is answered with %d, %v", code, err)
	}
	if got := s.status().Connections; got != 9 {
		t.Errorf("%d clients are left of 9", got)
	}
	s.says("max-message = 16KiB\n")
	if err := echoed(clients[1], 10000); err != nil {
		t.Errorf("a message within the greater bound: %v", err)
	}
	if got := s.value("window"); got != "512" {
		t.Errorf("a setting that left the file is %s, not its default", got)
	}
}

func TestABrokenSettingsFileChangesNothing(t *testing.T) {
	s := runTuned(t, echo, "max-connections = 5\n")
	f := func(text, want string) {
		t.Helper()
		s.says(text)
		st := s.status().Settings
		if !strings.HasPrefix(st.Problem, s.file+want) || s.metric("stratix_settings_rejected") != "1" {
			t.Errorf("%q: the status says %+v, want %s", text, st, want)
		}
		if got := s.value("max-connections"); got != "5" {
			t.Errorf("%q: max-connections is %s", text, got)
		}
		if r := s.report(); !strings.Contains(r.Problem, want) {
			t.Errorf("%q: the report says %q", text, r.Problem)
		}
		if !strings.Contains(s.log.String(), s.file+want) {
			t.Errorf("%q: the log does not say %s", text, want)
		}
	}
	f("max-connections = 7\nwindo = 3\n", ":2: unknown setting")
	f("max-connections = 7\nmax-connections = 8\n", ":2: max-connections is set in line 1 already")
	f("max-connections = 7\n\nidle-timeout = 1s\n", ":3: --idle-timeout must be longer")
	f("max-connections = 7\nidle-timeout = 75ms\n", ":2: --idle-timeout must be at least 1s: 75ms was given")
	f("max-connections = 7\ntrusted-proxies = nobody\n", ":2: --trusted-proxies")
	f("max-connections = 7\ntls-cert = a\ntls-key = b\n", ":2: --tls-cert: certificate")
	if err := s.ReloadEverything("api"); err == nil || !strings.Contains(err.Error(), ":2: --tls-cert") {
		t.Errorf("a reload says %v", err)
	}
	renameOver(t, s.file, "max-connections = 5\n")
	s.waitFor("the settings to be mended", func(st gateway.Status) bool { return st.Settings.Problem == "" })
	if !strings.Contains(s.log.String(), "settings are mended") || s.metric("stratix_settings_rejected") != "0" {
		t.Errorf("nobody says that the file is mended:\n%s", s.log)
	}
}

func TestWhatNeedsARestartIsListedUntilFileAndProcessAgree(t *testing.T) {
	s := runTuned(t, echo, "max-connections = 5\nlog-format = text\n")
	s.says("max-connections = 6\nlog-format = json\nrecord-bytes = 1MiB\n")
	if log := s.log.String(); !strings.Contains(log, "max-connections 5 -> 6 applies now") || !strings.Contains(log, "log-format text -> json needs a restart") {
		t.Errorf("the log does not list the changes:\n%s", log)
	}
	waiting := func(want string) {
		t.Helper()
		var got []string
		for _, c := range s.status().Settings.Waiting {
			got = append(got, c.Name+" "+c.From+" "+c.To)
		}
		if text := strings.Join(got, ", "); text != want {
			t.Errorf("waiting are %q, want %q", text, want)
		}
		if n := s.metric("stratix_settings_waiting"); n != fmt.Sprint(len(got)) {
			t.Errorf("the metric says %s of %d", n, len(got))
		}
	}
	waiting("record-bytes 2MiB 1MiB, log-format text json")
	if s.value("log-format") != "text" || s.value("max-connections") != "6" {
		t.Error("what needs a restart was applied, or what does not was not")
	}
	s.says("max-connections = 7\nlog-format = json\nrecord-bytes = 1MiB\n")
	waiting("record-bytes 2MiB 1MiB, log-format text json")
	s.says("max-connections = 7\nlog-format = broken\n")
	waiting("record-bytes 2MiB 1MiB, log-format text json")
	renameOver(t, s.file, "max-connections = 7\nlog-format = json\nrecord-bytes = 1MiB\n") // as before
	s.waitFor("the settings to be mended", func(st gateway.Status) bool { return st.Settings.Problem == "" })
	if log := s.log.String(); strings.Contains(log, "says what is in force") ||
		!strings.Contains(log, "settings are mended, and some still wait: record-bytes 2MiB -> 1MiB needs a restart; log-format text -> json needs a restart") {
		t.Errorf("the log does not say what still waits:\n%s", log)
	}
	s.says("max-connections = 7\nlog-format = json\n")
	waiting("log-format text json")
	s.says("max-connections = 7\n")
	waiting("")
}

func TestNewHandshakesMeetTheNewOriginsAndLimits(t *testing.T) {
	s := runTuned(t, echo, "max-connections = 2\n")
	addr := s.Addr().String()
	page := "Origin: https://app.example.com\r\n"
	if c, err := dialAs(addr, "a", page); err == nil {
		_ = c.conn.Close()
		t.Fatal("a foreign page is let in")
	}
	s.says("max-connections = 2\norigins = https://app.example.com\n")
	a, err := dialAs(addr, "a", page)
	if err != nil {
		t.Fatal(err)
	}
	defer a.conn.Close()
	b, err := dialWS(addr, "b")
	if err != nil {
		t.Fatal(err)
	}
	defer b.conn.Close()
	s.says("max-connections = 1\n")
	if c, err := dialWS(addr, "c"); err == nil {
		_ = c.conn.Close()
		t.Error("one more than the new bound is let in")
	}
	for _, c := range []*wsClient{a, b} { // also the page whose origin is gone, and one too many
		if err := echoed(c, 10); err != nil {
			t.Errorf("who was there: %v", err)
		}
	}
	s.says("max-connections = 4\nmax-per-address = 1\n")
	c, err := dialWS(addr, "c") // those from before are not counted
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if d, err := dialWS(addr, "d"); err == nil || !strings.Contains(err.Error(), "429") {
		t.Errorf("two from one address: %v, %v", d, err)
	}
}

func TestMetricsLeaveTheClientsAddressWhenTheyAreToldTo(t *testing.T) {
	s := runTuned(t, echo, "")
	status := func(addr, path string) int {
		t.Helper()
		answer, err := http.Get("http://" + addr + path)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close()
		return answer.StatusCode
	}
	f := func(metrics int) {
		t.Helper()
		public, admin := s.Addr().String(), s.AdminAddr().String()
		if got := status(public, "/metrics"); got != metrics {
			t.Errorf("/metrics on the clients' address: %d, want %d", got, metrics)
		}
		for _, where := range [][2]string{{public, "/healthz"}, {public, "/readyz"}, {admin, "/metrics"}} {
			if got := status(where[0], where[1]); got != http.StatusOK {
				t.Errorf("%s%s: %d", where[0], where[1], got)
			}
		}
	}
	f(http.StatusOK)
	save(t, s.file, "public-metrics = no\n")
	s.waitFor("the setting to apply", func(gateway.Status) bool { return s.value("public-metrics") == "false" })
	f(http.StatusNotFound)
	save(t, s.file, "public-metrics = yes\n")
	s.waitFor("the setting to apply", func(gateway.Status) bool { return s.value("public-metrics") == "true" })
	f(http.StatusOK)
	c := parsed(t, "--no-public-metrics")
	if c.Serve.PublicMetrics {
		t.Error("--no-public-metrics does nothing")
	}
}

func TestAChangedBudgetIsThatOfTheNextMessage(t *testing.T) {
	s := runTuned(t, "pipeline { function(msg) for i = 1, 20000 do local x = i end msg:to(msg:from()) end }", "")
	c, err := dialWS(s.Addr().String(), "a")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if err := echoed(c, 1); err != nil {
		t.Fatal(err)
	}
	s.says("budget = 1000\n")
	if err := c.send(`{"type":0,"messageId":"m","data":1}`); err != nil {
		t.Fatal(err)
	}
	if text, err := c.next(); err != nil || !strings.Contains(text, "instruction budget") {
		t.Errorf("beyond the new budget: %s, %v", text, err)
	}
	// A generation that was made before has the budget that holds when it goes live.
	save(t, filepath.Join(s.scripts, "main.lua"), "pipeline { function(msg) for i = 1, 20001 do local x = i end msg:to(msg:from()) end }")
	s.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	s.says("budget = 200000\n")
	if err := echoed(c, 1); err != nil {
		t.Errorf("within the greater budget: %v", err)
	}
}

func TestFlagsOverruleTheFile(t *testing.T) {
	s := runTuned(t, echo, "max-connections = 5\n", "--max-connections=9")
	renameOver(t, s.file, "max-connections = 6\nwindow = 3\n")
	s.waitFor("the window", func(gateway.Status) bool { return s.value("window") == "3" })
	for _, v := range s.report().Settings {
		if v.Name == "max-connections" && (v.Value != "9" || v.Source != "flag" || v.File != "6") {
			t.Errorf("got %+v", v)
		}
	}
	if strings.Contains(s.log.String(), "max-connections 9") {
		t.Error("what is overruled is logged as a change")
	}
}

func TestAReloadReadsEverything(t *testing.T) {
	s := runTuned(t, echo, "window = 5\n")
	save(t, s.file, "window = 6\n")
	resp, err := http.Post("http://"+s.AdminAddr().String()+"/v1/reload", "", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 || s.value("window") != "6" {
		t.Errorf("after a reload with %d the window is %s", resp.StatusCode, s.value("window"))
	}
	if !strings.Contains(s.log.String(), `msg=reloaded trigger=api scripts=unchanged certificate=none stages_with_files=0 keys=none settings=`) {
		t.Errorf("the log does not sum up the reload:\n%s", s.log)
	}
}

func TestLogLevelAndSummaryChange(t *testing.T) {
	s := runTuned(t, echo, "summary = 0s\nlog-level = info\n")
	s.says("summary = 1s\n")
	for end := time.Now().Add(patience); !strings.Contains(s.log.String(), "msg=summary"); time.Sleep(time.Millisecond) {
		if time.Now().After(end) {
			t.Fatal("there is no summary")
		}
	}
	s.says("summary = 0s\nlog-level = error\n")
	const change = "settings changed"
	before := strings.Count(s.log.String(), change)
	s.says("window = 5\nlog-level = error\n")
	if got := strings.Count(s.log.String(), change); got != before {
		t.Error("what is of level info is logged at level error")
	}
}

func TestAReloadSaysWhatHasComeOfEach(t *testing.T) {
	dir := t.TempDir()
	cert, key := selfSigned(t, dir)
	secret := filepath.Join(dir, "secret.txt")
	if err := os.WriteFile(secret, []byte(strings.Repeat("s", 64)), 0o600); err != nil {
		t.Fatal(err)
	}
	main := fmt.Sprintf(`pipeline { stage.jwt { key_file = %q, algorithms = {"HS256"}, required = false } }`, secret)
	s := runTuned(t, main, "window = 5\n", "--tls-cert", cert, "--tls-key", key)
	reloads := func(want string, ok bool) {
		t.Helper()
		if err := s.ReloadEverything("signal"); (err == nil) != ok {
			t.Errorf("got %v", err)
		}
		if !strings.Contains(s.log.String(), want) {
			t.Errorf("the log does not have %s:\n%s", want, s.log)
		}
	}
	reloads(`scripts=unchanged certificate=unchanged stages_with_files=1 keys=none settings=unchanged`, true)
	selfSigned(t, dir)
	save(t, filepath.Join(s.scripts, "main.lua"), strings.Replace(main, "pipeline", "-- new\npipeline", 1))
	reloads(`certificate="renewed, until 2`, true)
	save(t, key, "nonsense")
	reloads(`scripts=unchanged certificate=rejected stages_with_files=1 keys=none settings=unchanged`, false)
	reloads(`scripts=unchanged certificate=rejected stages_with_files=1 keys=none settings=unchanged`, false)
}

func TestTheSettingsOfTheDeployExampleAreGood(t *testing.T) {
	c := parsed(t, "--settings", "../../examples/deploy/settings")
	if c.Serve.MaxConnections != 100_000 || c.Serve.Admin != "unix:/run/stratix/admin.sock" {
		t.Errorf("got %+v", c.Serve)
	}
}
