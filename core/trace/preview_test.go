package trace

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core/wire"
)

func TestAPreviewIsShortAndTellsNoSecrets(t *testing.T) {
	f := func(json string, most int, want string) {
		t.Helper()
		if got := string(preview(nil, []byte(json), most)); got != want {
			t.Errorf("%s: got %s, want %s", json, got, want)
		}
	}
	f(`{"a":1}`, 100, `{"a":1}`)
	f(`{"a":1}`, 3, `{"a…`)
	f(`{"a":1}`, 4, `{"a"…`)
	f(`"äöü"`, 4, `"ä…`)
	f(`"xyz"`, 3, `"xy…`)
	f(``, 10, ``)
	f(`{"token":"s3cret","b":2}`, 100, `{"token":…,"b":2}`)
	f(`{"accessToken" : "s3cret"}`, 100, `{"accessToken":…}`)
	f(`{"PASSWORD":12345,"b":2}`, 100, `{"PASSWORD":…,"b":2}`)
	f(`{"secrets":{"a":["}",1]},"b":2}`, 100, `{"secrets":…,"b":2}`)
	f(`{"cookie":"a\"b","b":2}`, 100, `{"cookie":…,"b":2}`)
	f(`[{"jwt":null},"token"]`, 100, `[{"jwt":…},"token"]`)
	f(`{"user":{"api_key":"k"}}`, 100, `{"user":{"api_key":…}}`)
	f(`{"token":"s3cret`, 100, `{"token":…`) // no JSON, and still no secret
}

func TestTheChangedMembersAreNamed(t *testing.T) {
	f := func(was, is, want string) {
		t.Helper()
		b := appendKeys(nil, []byte(was), []byte(is))
		if got := string(b[2:]); got != want || int(b[0]&0x7F)|int(b[1])<<7 != len(want) {
			t.Errorf("%s to %s: got %q, want %q", was, is, got, want)
		}
	}
	f(`{"a":1}`, `{"a":1,"b":2}`, "+b")
	f(`{"a":1,"b":2}`, `{"a":2}`, "~a -b")
	f(`{"a":{"x":1}}`, `{"a":{"x":2}}`, "~a")
	f(``, `{"a":"1"}`, "+a")
	f(`{"a":"1"}`, ``, "-a")
	f(`{}`, `{}`, "")
	f(`[1]`, `{"a":1}`, "")
	f(`1`, `2`, "")
	f(`{}`, `{"1":0,"2":0,"3":0,"4":0,"5":0,"6":0,"7":0,"8":0,"9":0}`, "+1 +2 +3 +4 +5 +6 +7 +8 …")
	f(`{}`, `{"`+strings.Repeat("k", 40)+`":0}`, "+"+strings.Repeat("k", 32)+"…")
	f(`{}`, `{"`+strings.Repeat("k", keysUntil)+`":0}`, "")
}

func FuzzPreview(f *testing.F) {
	f.Add(`{"token":"a","b":[1,"ä"]}`, 7)
	f.Fuzz(func(t *testing.T, json string, most int) {
		most = max(0, min(most, MaxPreview))
		got := preview(nil, []byte(json), most)
		if len(got)-len(":…")*strings.Count(string(got), mark) > most || wire.NewParser().Valid([]byte(json)) == nil && !utf8.Valid(got) {
			t.Errorf("%q, %d: %q", json, most, got)
		}
		appendKeys(nil, []byte(json), []byte(json))
	})
}
