package wire

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestParseTargets(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		targets, _, fault := ParseTargets([]byte(in), nil, nil)
		var got []string
		for _, x := range targets {
			got = append(got, x.Kind.String()+" "+x.Name)
		}
		s := strings.Join(got, "|")
		if fault != nil {
			s = fault.Code + ": " + fault.Text
		}
		if s != want {
			t.Errorf("ParseTargets(%.80s)\n got %s\nwant %s", in, s, want)
		}
	}
	long := strings.Repeat("x", 129)
	shape := `bad_message: to must be a ClientID, a list of them, {"prefix":"..."} or {"group":"..."}`
	f(`"client-456"`, "client client-456")
	f(`"a\u002db"`, "client a-b")
	f(`"`+strings.Repeat(`\u0041`, 128)+`"`, "client "+strings.Repeat("A", 128))
	f(`["a"]`, "client a")
	f(`[ "a" , "\u0062","a" ]`, "client a|client b|client a")
	f(`{"prefix":"desk-"}`, "prefix desk-")
	f(`{ "gro\u0075p" : "r\u006fom:1" }`, "group room:1")
	f(`[`+strings.Repeat(`"a",`, 1023)+`"a"]`, strings.TrimSuffix(strings.Repeat("client a|", 1024), "|"))
	f(`[`+strings.Repeat(`"a",`, 1024)+`"a"]`, "bad_message: to names more than 1024 targets")
	f(`""`, "bad_message: to is empty")
	f(`"`+long+`"`, "bad_message: to is longer than 128 bytes")
	f(`"`+strings.Repeat(`\n`, 5000)+`"`, "bad_message: to is longer than 128 bytes")
	f(`"a\u0000"`, "bad_message: to holds characters that are not printable")
	f(`["a","b",""]`, "bad_message: to[2] is empty")
	f(`{"prefix":""}`, "bad_message: to.prefix is empty")
	f(`{"group":"`+long+`"}`, "bad_message: to.group is longer than 128 bytes")
	for _, in := range []string{``, `7`, `null`, `true`, `[]`, `[1]`, `["a",["b"]]`, `["a",null]`, `{}`, `{"id":"a"}`, `{"":"a"}`, `{"prefix":1}`,
		`{"prefix":"a","group":"b"}`, `{"` + strings.Repeat(`\n`, 99) + `":"a"}`} {
		f(in, shape)
	}
}

func TestParseNames(t *testing.T) {
	f := func(in, want string) {
		t.Helper()
		names, _, fault := ParseNames([]byte(in), nil, nil)
		s := strings.Join(names, "|")
		if fault != nil {
			s = fault.Code + ": " + fault.Text
		}
		if s != want {
			t.Errorf("ParseNames(%.80s)\n got %s\nwant %s", in, s, want)
		}
	}
	f(`["room:1"]`, "room:1")
	f(`[ "room:1","r\u006fom:2" , "\ud83d\ude00" ]`, "room:1|room:2|😀")
	f(`[`+strings.Repeat(`"a",`, 255)+`"a"]`, strings.TrimSuffix(strings.Repeat("a|", 256), "|"))
	f(`[`+strings.Repeat(`"a",`, 256)+`"a"]`, "bad_message: groups has more than 256 names")
	f(`["a",""]`, "bad_message: groups[1] is empty")
	f(`["`+strings.Repeat("x", 129)+`"]`, "bad_message: groups[0] is longer than 128 bytes")
	for _, in := range []string{``, `[]`, `"a"`, `{}`, `[1]`, `["a",{}]`, `["a",`, `["a"`, `["a`} {
		f(in, "bad_message: groups must be an array of strings that is not empty")
	}
}

func TestParsedNamesAppend(t *testing.T) {
	targets := []core.Target{{Kind: core.ToSender}}
	scratch := make([]byte, 0, 4)
	targets, scratch, _ = ParseTargets([]byte(`["\u0061bc","\u0064ef","\u0067hi"]`), targets, scratch)
	targets, scratch, _ = ParseTargets([]byte(`"\u006akl"`), targets, scratch)
	want := []string{"", "abc", "def", "ghi", "jkl"}
	for i, x := range targets {
		if x.Name != want[i] {
			t.Errorf("target %d is %q, want %q", i, x.Name, want[i])
		}
	}
	if len(targets) != len(want) || string(scratch) != "abcdefghijkl" {
		t.Errorf("%d targets, scratch %q", len(targets), scratch)
	}
}
