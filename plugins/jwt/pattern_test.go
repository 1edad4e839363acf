package jwt

import (
	"encoding/json"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestAPatternSaysWhoMayBeWho(t *testing.T) {
	f := func(pattern, claims, id string, want bool) {
		t.Helper()
		p, err := parsePattern(pattern)
		if err != nil {
			t.Fatal(err)
		}
		var c map[string]any
		if err := json.Unmarshal([]byte(claims), &c); err != nil {
			t.Fatal(err)
		}
		if n, ok := c["n"].(float64); ok {
			c["n"] = json.Number(json.RawMessage(mustJSON(t, n)))
		}
		if err := p.matches(id, c); (err == nil) != want {
			t.Errorf("%s with %s for %q: %v", pattern, claims, id, err)
		}
	}
	const alice = `{"sub":"alice","n":42,"org":{"a.b":"x"},"uuid":"0f-1e"}`
	f("{sub}", alice, "alice", true)
	f("{sub}", alice, "alic", false)
	f("{sub}", alice, "alice2", false)
	f("{sub}", alice, "", false)
	f("user-{sub}", alice, "user-alice", true)
	f("user-{sub}", alice, "User-alice", false)
	f("{n}", alice, "42", true)
	f(`{org.a\.b}`, alice, "x", true)
	f("{org}", alice, "x", false)
	f("{org.b}", alice, "x", false)
	f("{none}", alice, "none", false)
	f("{n.x}", alice, "42", false)

	f("user-{sub}-*", alice, "user-alice-phone", true)
	f("user-{sub}-*", alice, "user-alice-", false)
	f("user-{sub}-*", alice, "user-alice", false)
	f("user-{sub}-*", alice, "user-alice-a-b", false) // it could be that of alice-a
	f("user-{uuid}-*", alice, "user-0f-1e-b", true)
	f("user-{uuid}-*", alice, "user-0f-b", false)
	f("{sub}/*", alice, "alice/é", true)
	f("sensor-*", alice, "sensor-7", true)
	f("sensor-*", alice, "sensor-", false)
	f("*", alice, "anything-at all", true)

	f("{sub}.{n}", alice, "alice.42", true)
	f("{sub}.{n}", alice, "alice.43", false)
	f("{uuid}-{sub}", alice, "0f-1e-alice", false) // the uuid holds what separates it
	f("{sub}-{uuid}", alice, "alice-0f-1e", true)
	f("{n}", `{"n":1.5}`, "1.5", false)
	f("{n}", `{"n":-1}`, "-1", false)
	f("{sub}", `{"sub":""}`, "", false)
	f("{sub}", `{"sub":true}`, "true", false)
}

func TestARefusalSaysInWordsWhatTheClientIDMustBe(t *testing.T) {
	f := func(values map[string]any, want string) {
		t.Helper()
		values["key"], values["algorithms"] = secret, []any{"HS256"}
		s := opened(t, values, nil)
		var g core.Grant
		err := s.Admit(t.Context(), &core.Handshake{ClientID: "other", Token: sign(t, "HS256", "", secret, good(claims{"user": claims{"id": "u1"}})), Now: noon}, &g)
		if want = "wrong_client: the token is for another clientId than this one: it must be " + want; err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	f(map[string]any{}, "the token's sub")
	f(map[string]any{"client": "user.id"}, "the token's user.id")
	f(map[string]any{"client_pattern": "user-{sub}-*"}, `"user-", then the token's sub, then "-", then one or more characters other than "-"`)
	f(map[string]any{"client_pattern": "{sub}/{role}"}, `the token's sub, then "/", then the token's role`)
}

// Two subjects never come under one ClientID.
func FuzzPattern(f *testing.F) {
	for _, p := range []string{"user-{a}-*", "{a}", "{a}-{b}", "{a}--{b}-*"} {
		f.Add(p, "x", "y", "x-", "y", "x-y")
		f.Add(p, "x-y", "z", "x", "y-z", "user-x-y-z")
	}
	f.Fuzz(func(t *testing.T, text, a, b, c, d, id string) {
		p, err := parsePattern(text)
		if err != nil || a == c && b == d {
			return
		}
		used := map[string]bool{}
		for _, part := range p.parts {
			if len(part.claim) == 1 {
				used[part.claim[0]] = true
			}
		}
		if !(used["a"] && a != c || used["b"] && b != d) {
			return // for the pattern they are the same
		}
		if p.matches(id, map[string]any{"a": a, "b": b}) == nil && p.matches(id, map[string]any{"a": c, "b": d}) == nil {
			t.Errorf("%q lets both %q, %q and %q, %q be %q", text, a, b, c, d, id)
		}
	})
}
