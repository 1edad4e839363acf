package arena

import (
	"fmt"
	"os"
	"testing"
)

// resident returns the process's memory in use, in bytes.
func resident(t *testing.T) int {
	t.Helper()
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		t.Fatal(err)
	}
	var total, pages int
	if _, err := fmt.Sscan(string(text), &total, &pages); err != nil {
		t.Fatal(err)
	}
	return pages * os.Getpagesize()
}

// The bounds leave room for what the runtime and the tests do besides.
func TestPagesGoBackToTheSystem(t *testing.T) {
	const payload, size = 64 << 20, 200
	a := New(unlimited())
	defer a.Close()
	refs := make([]Ref, payload/size)
	clear(refs)
	before := resident(t)
	for i := range refs {
		refs[i] = mustAlloc(t, a, size)
		clear(a.Bytes(refs[i]))
	}
	full := resident(t) - before
	t.Logf("%d bytes are resident for %d, %.1f %% more", full, payload, 100*float64(full)/payload-100)
	if full > payload*115/100 {
		t.Errorf("%d bytes are resident for %d", full, payload)
	}
	for _, ref := range refs[:len(refs)-1] {
		a.Free(ref)
	}
	if left := resident(t) - before; left > payload/8 {
		t.Errorf("%d bytes are still resident", left)
	}
}
