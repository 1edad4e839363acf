package main

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestLossesAreSaidTheLargestFirst(t *testing.T) {
	f := func(l losses, want string) {
		t.Helper()
		if got := l.text(); got != want {
			t.Errorf("got %q, want %q", got, want)
		}
	}
	const nothing = "nothing since the start"
	f(losses{}, nothing)
	f(losses{gaps: map[string]uint64{"conflated": 9, "expired": 0}, givenUp: []givenUp{{"orders", 0, true}}}, nothing)
	f(losses{gaps: map[string]uint64{"lost": 1, "expired": 4, "overflow": 1}}, "SINCE THE START: 4 expired, 1 lost, 1 overflow")
	f(losses{letters: 2, givenUp: []givenUp{{"bills", 1, false}, {"orders", 3, true}}},
		"SINCE THE START: 3 given up for upstream orders (sent on as dead letters), 2 dead letter(s) that reached nobody, 1 given up for upstream bills")
}

func TestWhatIsLostOnTheWayToAServiceIsTold(t *testing.T) {
	s := newService(t)
	s.faulty = 400 // given up at once
	t.Setenv("HOOK_KEY", hookKey)
	r := rest{running: runPosting(t, s, `dead_letter = "client:nobody"`)}
	c := r.console(t)
	a := mustDial(t, r.running, "a")
	saying(t, a, 1, order(1))
	c.until("the loss", func(l gateway.Live) bool {
		return l.LettersLost == 1 && len(l.Upstreams) == 1 && l.Upstreams[0].Lost == 1 && l.Upstreams[0].Letters
	})
	st := r.status()
	if st.LettersLost != 1 || !st.Upstreams[0].Letters {
		t.Errorf("the status says %d, %+v", st.LettersLost, st.Upstreams)
	}
	var page strings.Builder
	if err := writeStatus(&page, &st, st.Started); err != nil {
		t.Fatal(err)
	}
	want := "lost          SINCE THE START: 1 dead letter(s) that reached nobody, 1 given up for upstream orders (sent on as dead letters)\n"
	if !strings.Contains(page.String(), want) {
		t.Errorf("the page lacks %q:\n%s", want, page.String())
	}
}

func TestMessagesThatScriptsRejectAreCounted(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": `pipeline { function(msg) return msg:reject("no", "not wanted") end }`}, nil)}
	c := r.console(t)
	saying(t, dialed(t, r, "a"), 3, `{"type":0,"to":"b","data":1}`)
	c.until("three rejected", func(l gateway.Live) bool { return l.Ended["rejected"] == 3 && l.Ended["dropped"] == 0 })
}
