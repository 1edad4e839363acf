package gateway

import (
	"encoding/json"
	"errors"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/server"
)

func TestAConsolesPeriodIsChecked(t *testing.T) {
	f := func(query string, want time.Duration, wrong string) {
		t.Helper()
		q, err := url.ParseQuery(query)
		if err != nil {
			t.Fatal(err)
		}
		got, err := periodOf(q)
		if got != want || (err == nil) != (wrong == "") || err != nil && !strings.Contains(err.Error(), wrong) {
			t.Errorf("%q: got %s, %v, want %s, %s", query, got, err, want, wrong)
		}
	}
	f("", time.Second, "")
	f("every=1s", time.Second, "")
	f("every=1m", time.Minute, "")
	f("every=2500ms", 2500*time.Millisecond, "")
	f("every=999ms", 0, "from 1s to 60s")
	f("every=61s", 0, "from 1s to 60s")
	f("every=5", 0, "from 1s to 60s")
	f("every=1s&every=2s", 0, "every is given 2 times")
	f("evry=1s", 0, `unknown parameter "evry"`)
}

func TestStagesAreNamedWithTheirPlaces(t *testing.T) {
	opened := []core.OpenStage{{Name: "prefix", Pos: "main.lua:3"}, {Name: "prefix", Pos: "main.lua:5"}, {Name: "upstreams", Pos: "main.lua:1"}}
	got := placesOf([]string{"main.lua:2", "prefix", "prefix.lua:9", "prefix#2", "main.lua:2#2"}, opened)
	want := []placed{{"lua main.lua:2", "main.lua:2"}, {"prefix", "main.lua:3"}, {"lua prefix.lua:9", "prefix.lua:9"},
		{"prefix#2", "main.lua:5"}, {"lua main.lua:2#2", "main.lua:2"}}
	for i := range want {
		if got[i] != want[i] {
			t.Errorf("stage %d is %v, want %v", i, got[i], want[i])
		}
	}
}

// viewer is a reader of a console. What is written to it waits in lives, which
// has no room.
type viewer struct {
	lives chan Live
	gone  chan struct{} // closed: writing to it fails
	ended chan struct{} // closed when the stream has returned
}

// view opens a console.
func (r *rig) view() *viewer {
	r.t.Helper()
	stream, err := r.console(url.Values{})
	if err != nil {
		r.t.Fatal(err)
	}
	v := &viewer{make(chan Live), make(chan struct{}), make(chan struct{})}
	go func() {
		defer close(v.ended)
		stream(func(lines []byte) error {
			var l Live
			if err := json.Unmarshal(lines, &l); err != nil {
				r.t.Errorf("%q: %v", lines, err)
			}
			select {
			case v.lives <- l:
				return nil
			case <-v.gone:
				return errors.New("the reader has gone")
			}
		})
	}()
	return v
}

// next is what comes next.
func (r *rig) next(v *viewer) Live {
	r.t.Helper()
	select {
	case l := <-v.lives:
		return l
	case <-v.ended:
		r.t.Fatal("the console has ended")
	case <-time.After(patience):
		r.t.Fatal("a console says nothing")
	}
	return Live{}
}

func TestAConsoleThatIsNotReadHoldsUpNothing(t *testing.T) {
	r := serve(t, made{Name: "first"}, nil)
	stuck, other := r.view(), r.view()
	for i, last := 0, int64(0); i < 2; i++ {
		l := r.next(other)
		if l.TS <= last || l.Readiness != isReady || l.Connections == nil || l.Generation.Number != 1 {
			t.Errorf("it says %+v", l)
		}
		last = l.TS
	}
	// Behind the one that waited comes one over all the time since.
	first := r.next(stuck)
	if second := r.next(stuck); second.Period < 0.9 || time.UnixMilli(second.TS).Sub(time.UnixMilli(first.TS)) < 900*time.Millisecond {
		t.Errorf("the slow reader gets %+v behind %+v", second, first)
	}
	close(stuck.gone)
	close(other.gone)
	<-stuck.ended
	<-other.ended
	if r.consoles.open+r.consoles.watching != 0 || r.consoles.last != nil {
		t.Error("the consoles are closed, and somebody watches")
	}
	if p, ok := r.shards.Pulse(20); !ok || p.Stages != nil {
		t.Errorf("the shards still note %v", p.Stages)
	}
}

func TestConsolesAreBounded(t *testing.T) {
	r := serve(t, made{Name: "first"}, nil)
	var all []*viewer
	for range maxConsoles {
		all = append(all, r.view())
	}
	if _, err := r.console(url.Values{}); !errors.Is(err, server.ErrBusy) {
		t.Errorf("one more gets %v", err)
	}
	close(all[0].gone)
	<-all[0].ended
	all[0] = r.view()
	r.stop()
	for _, v := range all { // they end by themselves, as soon as they are not held up
		close(v.gone)
		<-v.ended
	}
}

func TestAConsoleSaysThatTheGatewayRecoversAndThatItDrains(t *testing.T) {
	r := serve(t, made{Name: "first"}, nil)
	r.ready.Store(false)
	v := r.view()
	if l := r.next(v); l.Readiness != isRecovering || l.Rates != nil || l.Generation != nil || l.Uptime <= 0 {
		t.Errorf("while it recovers it says %+v", l)
	}
	r.ready.Store(true)
	for r.next(v).Readiness == isRecovering {
	}
	go r.stop()
	for last := (Live{}); ; {
		select {
		case last = <-v.lives:
			continue
		case <-v.ended:
		}
		if last.Readiness != isDraining || last.Rates == nil {
			t.Errorf("at last it says %+v", last)
		}
		break
	}
	r.stop()
}

func TestAConsoleTellsOfTrialsAndAttempts(t *testing.T) {
	r := serve(t, made{Name: "first"}, nil)
	v := r.view()
	f := func(what string, ok func(Live) bool) {
		t.Helper()
		for end := time.Now().Add(patience); ; {
			l := r.next(v)
			if ok(l) {
				return
			}
			if time.Now().After(end) {
				t.Fatalf("waited in vain for %s: it says %+v %+v", what, l.Generation, l.Gate)
			}
		}
	}
	f("the first", func(l Live) bool {
		return l.Generation.Number == 1 && l.Generation.State == "live" && l.Generation.LastGood == nil && l.Gate.Result == resultLive
	})
	if err := r.save(made{Name: "second"}); err != nil {
		t.Fatal(err)
	}
	f("a trial", func(l Live) bool {
		return l.Generation.State == "trial" && l.Generation.LastGood != nil && *l.Generation.LastGood == 1 && l.Gate.Generation == l.Generation.Number
	})
	if err := os.WriteFile(filepath.Join(r.opt().Scripts, reload.Main), []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if r.Reload("api") == nil {
		t.Fatal("what is broken goes live")
	}
	f("a rejection", func(l Live) bool { return l.Gate.Result == resultRejected && len(l.Gate.Problems) > 0 })
	close(v.gone)
}
