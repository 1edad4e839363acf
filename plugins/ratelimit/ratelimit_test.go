package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

type values = map[string]any

// message is one of a client from an address, so many milliseconds from the start.
func message(id, remote string, millis int64) *core.Message {
	m := coretest.Message(id, `{"room":"lobby","n":1}`)
	m.From.Remote, _ = netip.ParseAddr(remote)
	m.Time = start + millis
	return m
}

// say runs m and says in a word what came of it.
func say(t testing.TB, s core.Stage, m *core.Message) string {
	t.Helper()
	switch v := coretest.RunStage(t, s, m); {
	case v == core.Hold:
		return fmt.Sprint("+", m.Held().Until-start)
	case v == core.Drop && m.Effects.Disconnect:
		return fmt.Sprint("!", m.Effects.RetryAfter)
	case v == core.Drop:
		return fmt.Sprint("-", m.Effects.RetryAfter)
	}
	return "+"
}

func TestWhoSharesABucket(t *testing.T) {
	const one, other, six, same64, other64 = "192.0.2.1", "192.0.2.2", "2001:db8:0:1::1", "2001:db8:0:1:ffff::9", "2001:db8:0:2::1"
	f := func(v values, want string, messages ...*core.Message) {
		t.Helper()
		v["rate"], v["burst"] = 1.0, 1.0
		s := coretest.Open(t, "ratelimit", v, nil)
		var got []string
		for _, m := range messages {
			got = append(got, say(t, s, m))
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	m := message
	f(values{}, "+ + -1000", m("a", one, 0), m("b", one, 0), m("a", other, 0))
	f(values{"per": "address"}, "+ -1000 +", m("a", one, 0), m("b", one, 0), m("a", other, 0))
	f(values{"per": "address"}, "+ -1000 +", m("a", six, 0), m("b", same64, 0), m("a", other64, 0))
	f(values{"per": "address"}, "+ -1000", m("a", one, 0), m("b", "::ffff:"+one, 0))
	f(values{"per": "address"}, "+ +", m("a", "", 0), m("a", "", 0)) // a unix socket
	f(values{"per": "address"}, "+ + -1000", m("a", "0.0.0.0", 0), m("a", "::", 0), m("a", "::1", 0))
	f(values{"per": "prefix", "prefix": "desk-"}, "+ -1000 + +", m("desk-1", one, 0), m("desk-2", other, 0), m("client-1", one, 0), m("client-1", one, 0))
	f(values{"per": "prefix", "prefix": []any{"desk-", "desk-ny-", "x"}}, "+ + -1000 -1000 +",
		m("desk-1", one, 0), m("desk-ny-1", one, 0), m("desk-ny-2", one, 0), m("desk-2", one, 0), m("x", one, 0))
	f(values{"per": "prefix", "prefix_length": 3.0}, "+ -1000 + -1000", m("abc1", one, 0), m("abc2", one, 0), m("ab", one, 0), m("ab", one, 0))
}

func TestAKeyIsWhatItMeans(t *testing.T) {
	key := func(sender, data, headers, to, limitKey string) *core.Message {
		m := message(sender, "192.0.2.1", 0)
		m.Data, m.Headers, m.To = []byte(data), []byte(headers), []byte(to)
		if limitKey != "" {
			m.LimitKey = []byte(limitKey)
		}
		return m
	}
	f := func(path string, first, second *core.Message, same bool) {
		t.Helper()
		v := values{"rate": 1.0, "burst": 1.0, "per": "key"}
		if path != "" {
			v["key"] = path
		}
		s := coretest.Open(t, "ratelimit", v, nil)
		if got := say(t, s, first); got != "+" {
			t.Errorf("%s: the first: %s", path, got)
		}
		want := "+"
		if same {
			want = "-1000"
		}
		if got := say(t, s, second); got != want {
			t.Errorf("%s: %s %s after %s: %s, want %s", path, second.From.ID, second.Data, first.Data, got, want)
		}
	}
	data := func(sender, data string) *core.Message { return key(sender, data, "", "", "") }
	const same, apart = true, false
	f("data.room", data("a", `{"room":"A"}`), data("b", `{"room":"A"}`), same)
	f("data.room", data("a", `{"room":"A"}`), data("b", `{"room":"\u0041"}`), same)
	f("data.room", data("a", `{"room":"A"}`), data("a", `{"room":"B"}`), apart)
	f("data.room", data("a", `{"room":1}`), data("b", `{"room":1.0e0}`), same)
	f("data.room", data("a", `{"room":0}`), data("b", `{"room":-0}`), same)
	f("data.room", data("a", `{"room":1}`), data("b", `{"room":"1"}`), apart)
	f("data.room", data("a", `{"room":true}`), data("b", `{"room":false}`), apart)
	f("data.room", data("a", `{"room":true}`), data("b", `{"room":"true"}`), apart)
	f("data.a.1", data("a", `{"a":[1,"x"]}`), data("b", `{"a":[2,"x"]}`), same)
	f("data", data("a", `"A"`), data("b", ` "A"`), same)
	f("headers.kind", key("a", "1", `{"kind":"q"}`, "", ""), key("b", "1", `{"kind":"q"}`, "", ""), same)
	f("to", key("a", "1", "", `"z"`, ""), key("b", "1", "", `"z"`, ""), same)
	f("to.group", key("a", "1", "", `{"group":"g"}`, ""), key("b", "1", "", `{"group":"g"}`, ""), same)

	// Without a key it is the sender's: nobody gets around the limit.
	for _, without := range []string{`{}`, `{"room":null}`, `{"room":{}}`, `{"room":[ ]}`, `"{\"room\":1}"`, `7`} {
		f("data.room", data("a", without), data("a", `{"room":{"x":1}}`), same)
		f("data.room", data("a", without), data("b", without), apart)
		f("data.room", data("a", without), data("b", `{"room":"a"}`), apart)
	}
	f("headers.kind", key("a", "1", "", "", ""), key("a", "2", "", "", ""), same)

	// What a script says counts where there is no path.
	f("data.room", key("a", `{"room":"A"}`, "", "", "k"), key("b", `{"room":"B"}`, "", "", "k"), apart)
	f("", key("a", `1`, "", "", "k"), key("b", `2`, "", "", "k"), same)
	f("", key("a", `1`, "", "", "k"), key("a", `2`, "", "", "l"), apart)
	f("", key("a", `1`, "", "", ""), key("a", `1`, "", "", ""), apart) // it has said nothing
}

func TestWhatHappensWithoutAToken(t *testing.T) {
	f := func(v values, want string) {
		t.Helper()
		v["rate"], v["burst"] = 10.0, 2.0
		s := coretest.Open(t, "ratelimit", v, nil)
		var got []string
		for _, millis := range []int64{0, 0, 0, 0, 0, 150} {
			m := message("a", "192.0.2.1", millis)
			got = append(got, say(t, s, m))
			if m.Effects.Code != "" && m.Effects.Code != "rate_limited" {
				t.Errorf("the code is %s", m.Effects.Code)
			}
		}
		if got := strings.Join(got, " "); got != want {
			t.Errorf("%v: got %s, want %s", v, got, want)
		}
	}
	f(values{}, "+ + -100 -100 -100 +")
	f(values{"over": "disconnect"}, "+ + !100 !100 !100 +")
	f(values{"over": "delay"}, "+ + +100 +200 +300 +400")
	f(values{"over": "delay", "max_delay": "250ms"}, "+ + +100 +200 -300 +300")
	f(values{"over": "delay", "max_delay": "50ms"}, "+ + -100 -100 -100 +")
	f(values{"over": "delay", "max_delayed": 1.0}, "+ + +100 -200 -200 -50")
	f(values{"over": "delay", "max_delayed_bytes": 62.0}, "+ + +100 +200 -300 -150") // 31 bytes each
}

func TestADelayedMessageGivesItsPlaceBack(t *testing.T) {
	s := coretest.Open(t, "ratelimit", values{"rate": 10.0, "burst": 1.0, "over": "delay", "max_delayed": 1.0}, nil)
	say(t, s, message("a", "", 0))
	for i := range int64(5) {
		m := message("a", "", i*100)
		if got := say(t, s, m); got != fmt.Sprint("+", i*100+100) {
			t.Fatalf("the delayed message %d: %s", i, got)
		}
		m.EndDelay()
	}
}

// A save with another rate: the buckets are those that there were.
func TestBucketsOutliveGenerations(t *testing.T) {
	f := func(per string) {
		t.Helper()
		env := coretest.Env(t, nil)
		m := func(millis int64) *core.Message {
			m := message("desk-1", "192.0.2.1", millis)
			m.LimitKey = []byte("k")
			return m
		}
		v := func(rate, burst float64) values {
			v := values{"rate": rate, "burst": burst, "per": per}
			if per == "prefix" {
				v["prefix"] = "desk-"
			}
			return v
		}
		first := coretest.OpenIn(t, env, "ratelimit", v(1, 3))
		for range 3 {
			say(t, first, m(0))
		}
		second := coretest.OpenIn(t, env, "ratelimit", v(10, 3))
		other := v(10, 3)
		other["name"] = "other"
		got := []string{say(t, first, m(0)), say(t, second, m(0)), say(t, second, m(100)), say(t, first, m(100)),
			say(t, coretest.OpenIn(t, env, "ratelimit", other), m(100))}
		if got := strings.Join(got, " "); got != "-1000 -100 + -1000 +" {
			t.Errorf("%s: %s", per, got)
		}
	}
	for _, per := range pers {
		f(per)
	}
}

func TestALimitThatNobodyUsesIsForgotten(t *testing.T) {
	env := coretest.Env(t, nil)
	ls := limitsOf(env)
	v := values{"rate": 1.0, "burst": 1.0, "name": "x"}
	f := func(want string, change func()) {
		t.Helper()
		change()
		got := ""
		if l := ls.byName["x"]; l != nil {
			got = fmt.Sprint(l.users)
		}
		if got != want {
			t.Errorf("%q use it, want %q", got, want)
		}
	}
	p, _ := core.Lookup("ratelimit")
	openOne := func() *stage {
		s, err := p.Open(core.Config{Stage: "ratelimit", Values: v}, env)
		if err != nil {
			t.Fatal(err)
		}
		return s.(*stage)
	}
	ctx := context.Background()
	var a, b *stage
	f("0", func() { a = openOne() })
	f("1", func() { _ = a.Start(ctx) })
	f("1", func() { b = openOne() })
	f("2", func() { _ = b.Start(ctx) })
	f("1", func() { _ = a.Stop(ctx) })
	f("1", func() { a = openOne() })
	f("", func() { _ = b.Stop(ctx) })
	f("1", func() { _ = a.Start(ctx) }) // opened before the last one stopped
	if a.limit != b.limit {
		t.Error("the stages of one name have two limits")
	}
}

func TestAnAddressIsAdmittedAtItsRate(t *testing.T) {
	s := coretest.Open(t, "ratelimit", values{"connect_rate": 0.5, "connect_burst": 2.0}, nil).(core.Admitter)
	f := func(remote string, millis int64, want string) {
		t.Helper()
		h := core.Handshake{ClientID: "a", Now: time.UnixMilli(start + millis)}
		h.Remote, _ = netip.ParseAddr(remote)
		got := "in"
		if err := s.Admit(t.Context(), &h, new(core.Grant)); err != nil {
			var d *core.Denial
			if !errors.As(err, &d) || d.Status != 429 || d.Code != "rate_limited" {
				t.Fatalf("refused with %v", err)
			}
			got = d.RetryAfter.String()
		}
		if got != want {
			t.Errorf("%s at %d: %s, want %s", remote, millis, got, want)
		}
	}
	f("192.0.2.1", 0, "in")
	f("192.0.2.1", 0, "in")
	f("192.0.2.1", 0, "2s")
	f("192.0.2.2", 0, "in")
	f("192.0.2.1", 1500, "500ms")
	f("192.0.2.1", 2000, "in")
	f("2001:db8::1", 0, "in")
	f("2001:db8::2", 0, "in")
	f("2001:db8::3", 0, "2s")
	for range 5 {
		f("", 0, "in") // a unix socket
	}
	// It lets every message pass.
	for range 5 {
		if got := say(t, s.(core.Stage), message("a", "192.0.2.1", 0)); got != "+" {
			t.Error(got)
		}
	}
	// And one with a rate only lets in whoever comes.
	open := coretest.Open(t, "ratelimit", values{"rate": 1.0}, nil).(core.Admitter)
	for range 5 {
		if err := open.Admit(t.Context(), &core.Handshake{Remote: netip.MustParseAddr("192.0.2.1")}, new(core.Grant)); err != nil {
			t.Error(err)
		}
	}
}
