package load

import (
	"context"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"
)

const shipped = "-- pipeline { is not here\npipeline {\n  stage.prefix { file = \"routes.json\" },\n}\n"

// scratch is a scripts folder with a main.lua.
func scratch(t *testing.T, text string) string {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.lua"), []byte(text), 0o640); err != nil {
		t.Fatal(err)
	}
	return dir
}

var stamped = regexp.MustCompile(`"headers.` + saveHeader + `", "([0-9]+)"`)

// watched is the number of the save that is in a scripts folder.
func watched(dir string) string {
	text, _ := os.ReadFile(filepath.Join(dir, "main.lua"))
	if m := stamped.FindSubmatch(text); m != nil {
		return string(m[1])
	}
	return ""
}

// reloading is a short reload of five saves through a gateway that stamps its
// probes so.
func reloading(t *testing.T, stamp func(dir, client string) string) *run {
	dir := scratch(t, shipped)
	g := &gateway{stamp: func(client string) string { return stamp(dir, client) }}
	r := brief(g.serve(t), Reload)
	r.Scripts, r.Saves, r.probes = dir, 5, 4
	r.savePause, r.saveLimit = 5*time.Millisecond, time.Minute
	return r
}

func atOnce(dir, _ string) string { return watched(dir) }

func TestSavesThatGoLiveAreTimed(t *testing.T) {
	r := reloading(t, atOnce)
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	got := r.report.Results[0]
	if s := got.Saves; s.Live != 5 || s.Late != 0 || s.P50 <= 0 || s.P90 < s.P50 || s.Max < s.P90 {
		t.Errorf("%+v", *s)
	}
	if got.Totals.Handshakes != 8+4 || got.Latency == nil {
		t.Errorf("%+v", got)
	}
	untouched(t, r.Scripts)
}

// untouched expects the folder to be as scratch made it.
func untouched(t *testing.T, dir string) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, "main.lua"))
	if err != nil || string(text) != shipped {
		t.Errorf("main.lua: %q, %v", text, err)
	}
	if files, _ := os.ReadDir(dir); len(files) != 1 {
		t.Errorf("%v", files)
	}
}

func TestASaveIsAsLateAsItsLastProbe(t *testing.T) {
	const lag = 30 * time.Millisecond
	var mu sync.Mutex
	first := map[string]time.Time{} // when the gateway saw a save
	now := map[string]string{}      // what it stamps the probe that lags with
	r := reloading(t, func(dir, client string) string {
		n := watched(dir)
		if !strings.HasSuffix(client, "-000009") {
			return n
		}
		mu.Lock()
		defer mu.Unlock()
		if first[n].IsZero() {
			first[n] = time.Now()
		}
		if time.Since(first[n]) >= lag {
			now[client] = n
		}
		return now[client]
	})
	if err := r.all(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s := r.report.Results[0].Saves; s.Live != 5 || s.P50 < 30 {
		t.Errorf("%+v, want at least %v", *s, lag)
	}
}

func TestSavesThatGoWrongAreReported(t *testing.T) {
	f := func(name string, stamp func(dir, client string) string, wantFault, wantWhy string) {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := reloading(t, stamp)
			if wantWhy != "" {
				r.saveLimit = 2 * time.Second
			}
			err := r.all(t.Context())
			if len(r.report.Results) == 0 {
				t.Fatal(err)
			}
			got := r.report.Results[0]
			if err == nil || !strings.HasPrefix(got.Faults, wantFault) || !strings.HasPrefix(got.Why, wantWhy) {
				t.Errorf("faults: %q, why: %q, error: %v", got.Faults, got.Why, err)
			}
			untouched(t, r.Scripts)
		})
	}
	f("never live", func(string, string) string { return "" },
		"saves not live within 2s: 1", "save 1 reached 0 of 4 probes; is ")
	f("one shard is left out", func(dir, client string) string {
		if n := watched(dir); n != "3" || !strings.HasSuffix(client, "-000010") {
			return n
		}
		return "2"
	}, "saves not live within 2s: 1", "save 3 reached 3 of 4 probes")
	// instead stamps one probe with another number in the place of save 4.
	instead := func(number string) func(dir, client string) string {
		var once sync.Once
		return func(dir, client string) string {
			n := watched(dir)
			if n == "4" && strings.HasSuffix(client, "-000008") {
				once.Do(func() { n = number })
			}
			return n
		}
	}
	f("a save that is still to come", instead("5"), "frames not understood: 1", "")
	f("an older script", instead("1"), "messages through an older script after a newer one: 1", "")
}

func TestMessagesLostDuringSavesAreReported(t *testing.T) {
	r := reloading(t, atOnce)
	g := &gateway{stamp: func(string) string { return watched(r.Scripts) }}
	g.misdeed = func(n int64) misdeed {
		if n == 20 {
			return losesDelivery
		}
		return none
	}
	r.URL = g.serve(t).url
	if err := r.all(t.Context()); err == nil || r.report.Results[0].Faults != "deliveries lost: 1" {
		t.Errorf("%v", err)
	}
}

func TestACanceledReloadPutsTheScriptBack(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	r := reloading(t, func(dir, _ string) string {
		if watched(dir) == "2" {
			cancel()
			return "1"
		}
		return watched(dir)
	})
	if err := r.all(ctx); err == nil || !strings.Contains(err.Error(), "canceled") {
		t.Error(err)
	}
	untouched(t, r.Scripts)
}

func TestScriptsThatCannotBeSaved(t *testing.T) {
	f := func(dir, want string) {
		t.Helper()
		if _, err := openScript(dir); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, want %q", err, want)
		}
	}
	f(filepath.Join(t.TempDir(), "none"), "no such file")
	f(t.TempDir(), "main.lua: no such file")
	f(scratch(t, "-- pipeline {\n"), "no line of")

	twice := scratch(t, shipped)
	s, err := openScript(twice)
	if err != nil {
		t.Fatal(err)
	}
	f(twice, "left of a run that was killed")
	if err := s.putBack(); err != nil {
		t.Fatal(err)
	}
	untouched(t, twice)
}

func TestASaveAddsOneStage(t *testing.T) {
	dir := scratch(t, shipped)
	s, err := openScript(dir)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.write(17); err != nil {
		t.Fatal(err)
	}
	if err := s.replace(); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(dir, "main.lua"))
	want := "-- pipeline { is not here\npipeline {\n  function(msg)\n" +
		`    if msg:header("bench-probe") then msg:set("headers.bench-save", "17") end` +
		"\n  end,\n  stage.prefix { file = \"routes.json\" },\n}\n"
	if err != nil || string(text) != want {
		t.Errorf("%s, %v", text, err)
	}
	if err := s.putBack(); err != nil {
		t.Fatal(err)
	}
	untouched(t, dir)
}

func TestSaveNumber(t *testing.T) {
	f := func(text string, want uint32, ok bool) {
		t.Helper()
		if n, got := saveNumber([]byte(text)); n != want || got != ok {
			t.Errorf("%s: %d, %v", text, n, got)
		}
	}
	f(`{"type":0,"data":"@"}`, 0, true)
	f(`{"type":0,"headers":{"bench-probe":"1","bench-save":"17"}}`, 17, true)
	f(`{"headers":{"bench-save":"017"}}`, 17, true)
	f(`{"headers":{"bench-save":"999999999"}}`, 999_999_999, true)
	f(`{"headers":{"bench-save":"9999999999"}}`, 0, false)
	f(`{"headers":{"bench-save":""}}`, 0, false)
	f(`{"headers":{"bench-save":"-1"}}`, 0, false)
	f(`{"headers":{"bench-save":"17`, 0, false)
}

func TestFigure(t *testing.T) {
	f := func(want Saves, ms ...int) {
		t.Helper()
		var took []time.Duration
		for _, n := range ms {
			took = append(took, time.Duration(n)*time.Millisecond)
		}
		var got Saves
		if got.figure(took); got != want {
			t.Errorf("%v: %+v", ms, got)
		}
	}
	f(Saves{})
	f(Saves{Live: 1, P50: 7, P90: 7, Max: 7}, 7)
	f(Saves{Live: 10, P50: 5, P90: 9, Max: 10}, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1)
}

func TestUnder(t *testing.T) {
	f := func(began, lived, due int64, want bool) {
		t.Helper()
		var s saves
		s.began.Store(began)
		s.lived.Store(lived)
		if got := s.under(time.Duration(due)); got != want {
			t.Errorf("began %d, lived %d, due %d: %v", began, lived, due, got)
		}
	}
	f(0, 0, 5, false)   // before the first save
	f(10, 0, 5, false)  // due before it
	f(10, 0, 15, true)  // it is not live yet
	f(10, 20, 15, true) // it went live after
	f(10, 20, 25, false)
	f(30, 20, 25, false) // between two saves
	f(30, 20, 35, true)
}
