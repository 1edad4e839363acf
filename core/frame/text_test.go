package frame

import (
	"testing"
	"unicode/utf8"
)

func TestWholeRunes(t *testing.T) {
	f := func(text string, n int, ok bool) {
		t.Helper()
		if gotN, gotOK := wholeRunes([]byte(text)); gotOK != ok || ok && gotN != n {
			t.Errorf("%q: got %d %v, want %d %v", text, gotN, gotOK, n, ok)
		}
	}
	f("", 0, true)
	f("abc", 3, true)
	f("a€", 4, true)
	f("a\xe2", 1, true)
	f("a\xe2\x82", 1, true)
	f("a\xf0\x9f\x98", 1, true)
	f("\xf4\x8f", 0, true)
	f("\xf4\x90", 0, false)     // above U+10FFFF
	f("\xed\xa0", 0, false)     // a surrogate
	f("\xe0\x80", 0, false)     // overlong
	f("\xc0", 0, false)         // never valid
	f("\x80", 0, false)         // no first byte
	f("€\x80\x80", 0, false)    // too many bytes
	f("\xf0\x9fa", 0, false)    // a rune broken off
	f("\xe2a\xe2", 0, false)    // the same before a good beginning
	f("\xe2\x82\xe2", 0, false) // two beginnings
}

// A text is valid exactly if every beginning of it could become one and nothing
// is left over at the end.
func FuzzWholeRunes(f *testing.F) {
	f.Add([]byte("aé€😀"))
	f.Add([]byte("\xed\xa0\x80"))
	f.Fuzz(func(t *testing.T, text []byte) {
		good, valid := true, 0
		for end := 1; end <= len(text) && good; end++ {
			n, ok := wholeRunes(text[valid:end])
			good, valid = ok, valid+n
		}
		if got := good && valid == len(text); got != utf8.Valid(text) {
			t.Errorf("%q: dripped %v, whole %v", text, got, utf8.Valid(text))
		}
	})
}
