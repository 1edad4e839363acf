package core_test

import (
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestNearest(t *testing.T) {
	f := func(word, want string, known ...string) {
		t.Helper()
		if got := core.Nearest(word, known); got != want {
			t.Errorf("nearest to %q in %q: got %q, want %q", word, known, got, want)
		}
	}
	f("fil", "file", "file", "routes", "override")
	f("flie", "file", "file", "routes")
	f("fiel", "file", "routes", "file")
	f("File", "file", "file")
	f("files", "file", "file")
	f("ovreride", "override", "file", "override")
	f("overide", "override", "file", "override")
	f("rountes", "routes", "file", "routes")
	f("ratelimt", "ratelimit", "ratelimit", "prefix")
	f("préfix", "prefix", "prefix")

	f("zebra", "", "file", "routes")
	f("x", "", "a", "ab")
	f("X", "x", "a", "x")
	f("ab", "", "cd")
	f("word", "")
	f("", "", "a", "")
	f("abcd", "", "badc") // two swaps in four letters are too many

	f("cat", "bat", "rat", "bat") // equally close: the order of known does not matter
	f("cat", "bat", "bat", "rat")
	f("file", "file", "fila", "file", "fil")
}
