package wire

import (
	"fmt"
	"strings"
	"testing"
)

// objectOf is an object of n different keys.
func objectOf(n int) string {
	var s strings.Builder
	for i := range n {
		fmt.Fprintf(&s, `,"k%d":0`, i)
	}
	return "{" + s.String()[1:] + "}"
}

func TestDuplicateKeysAreFoundInObjectsOfAnySize(t *testing.T) {
	p := NewParser()
	f := func(in, want string) {
		t.Helper()
		got := ""
		if fault := p.Valid([]byte(in)); fault != nil {
			got = fault.Text
		}
		if !strings.HasPrefix(got, want) || (want == "") != (got == "") {
			t.Errorf("Valid(%.60s...) = %q, want %q", in, got, want)
		}
	}
	with := func(object, member string) string { return object[:len(object)-1] + "," + member + "}" }
	for _, n := range []int{1, fewKeys - 1, fewKeys, fewKeys + 1, 100, 10000} {
		object := objectOf(n)
		last := fmt.Sprintf("k%d", n-1)
		f(object, "")
		f(with(object, `"other":`+object), "")
		f(with(object, `"k0":1`), `duplicate key "k0"`)
		f(with(object, `"\u006b0":1`), `duplicate key "k0"`)
		f(with(object, `"`+last+`":1`), `duplicate key "`+last+`"`)
		f(`{"k0":`+object+`,"k1":`+object+`}`, "")
		f(`[`+object+`,`+object+`,`+object+`]`, "")
		f(`{"a":`+object+`,"b":`+object+`,"a":0}`, `duplicate key "a"`)
	}
	// Objects that have many keys, each inside the one before.
	deep := `0`
	for range 60 {
		deep = with(objectOf(20), `"in":`+deep+`,"z":0`)
	}
	f(deep, "")
	f(strings.Replace(deep, `"z":0},"z":0}`, `"z":0},"k19":0}`, 1), `duplicate key "k19"`)
}

func TestKeysThatLookAlikeAreNotDuplicates(t *testing.T) {
	p := NewParser()
	f := func(keys ...string) {
		t.Helper()
		in := `{"` + strings.Join(keys, `":0,"`) + `":0}`
		if fault := p.Valid([]byte(in)); fault != nil {
			t.Errorf("Valid(%s): %v", in, *fault)
		}
	}
	f("", "a", `\u0000`, `a\u0000`, `a\u0000\u0000`, "A", "aa")
	f("12345678", "123456789", "1234567", "123456780", "1234567890")
	f("12345678A12345678", "12345678B12345678", "12345678C12345678")
	f(`\\u0061`, "a", `\\`, `\"`, "/")
	f("\u00e9", "e\u0301")
}

func TestParserGivesHugeScratchBack(t *testing.T) {
	p := NewParser()
	if fault := p.Valid([]byte(objectOf(keptSlots))); fault != nil {
		t.Fatal(*fault)
	}
	if fault := p.Valid([]byte(`{"` + strings.Repeat(`\n`, 2*keptText) + `":1}`)); fault != nil {
		t.Fatal(*fault)
	}
	if len(p.set.slots) > keptSlots || cap(p.text) > keptText {
		t.Errorf("kept %d slots and %d bytes of text", len(p.set.slots), cap(p.text))
	}
}
