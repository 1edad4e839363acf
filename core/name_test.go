package core_test

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestCheckName(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		if got := core.CheckName(name, core.MaxClientID); got != want {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
	f("client-123", "")
	f("a", "")
	f("with space", "")
	f(`"quoted"`, "")
	f("Zoë", "")
	f("日本", "")
	f("😀", "")
	f(strings.Repeat("x", 128), "")

	f("", "is empty")
	f(strings.Repeat("x", 129), "is longer than 128 bytes")
	f(strings.Repeat("é", 65), "is longer than 128 bytes")

	const unprintable = "holds characters that are not printable"
	f("\x00", unprintable)
	f("tab\t", unprintable)
	f("line\n", unprintable)
	f("del\x7f", unprintable)
	f("c1\u0085", unprintable)
	f("wide\u00a0space", unprintable)
	f("zero\u200bwidth", unprintable)
	f("right\u202eto left", unprintable)
	f("bom\ufeff", unprintable)
	f("cut\xe2\x82", unprintable)
	f("bad\xff", unprintable)
	f("surrogate\xed\xa0\x80", unprintable)
}
