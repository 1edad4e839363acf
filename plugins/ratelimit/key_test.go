package ratelimit

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"unicode/utf16"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core/coretest"
)

// A text is one key however it is escaped, and no text is another's key.
func FuzzKeysByTheirMeaning(f *testing.F) {
	for _, s := range []string{"", "lobby", `a"b\c`, "\u2028 \U0001f600 \x00\x7f", "<&>"} {
		f.Add(s, s+"x")
	}
	s := coretest.Open(f, "ratelimit", values{"rate": 1.0, "per": "key", "key": "data.room"}, nil).(*stage)
	hash := func(room string) uint64 {
		m := coretest.Message("a", `{"x":{"room":0},"room":`+room+`}`)
		return s.hashOf(m)
	}
	f.Fuzz(func(t *testing.T, text, other string) {
		if !utf8.ValidString(text) || !utf8.ValidString(other) {
			t.Skip("no client can send that")
		}
		plain, _ := json.Marshal(text)
		var escaped strings.Builder
		for _, unit := range utf16.Encode([]rune(text)) {
			fmt.Fprintf(&escaped, `\u%04x`, unit)
		}
		if hash(string(plain)) != hash(`"`+escaped.String()+`"`) {
			t.Errorf("%q is two keys", text)
		}
		second, _ := json.Marshal(other)
		if text != other && hash(string(plain)) == hash(string(second)) {
			t.Errorf("%q and %q are one key", text, other)
		}
	})
}

// Whatever a script names and a client sends, somebody is counted, and always the
// same one.
func FuzzPaths(f *testing.F) {
	f.Add("data.room", `{"room":"A"}`)
	f.Add("data.a.0.b", `{"a":[{"b":1e400}]}`)
	f.Add("data", `"\ud800"`)
	f.Add("headers.x", `[]`)
	f.Add("to.group", `{"group":null}`)
	f.Fuzz(func(t *testing.T, path, text string) {
		p, err := parsePath(path)
		if err != nil || !json.Valid([]byte(text)) {
			t.Skip()
		}
		s := coretest.Open(t, "ratelimit", values{"rate": 1.0, "per": "key", "key": path}, nil).(*stage)
		m := coretest.Message("a", text)
		m.Headers, m.To = m.Data, m.Data
		first := s.hashOf(m)
		if first == 0 || s.hashOf(m) != first {
			t.Errorf("%v in %s counts for %d, then for %d", p, text, first, s.hashOf(m))
		}
	})
}
