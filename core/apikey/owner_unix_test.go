//go:build unix

package apikey

import (
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// Who changes the keys is often root, and the gateway is not.
func TestTheFileStaysThatOfWhoReadsIt(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root gives files away")
	}
	const gateway = 64000
	path := filepath.Join(t.TempDir(), "keys")
	if err := os.Chown(filepath.Dir(path), gateway, gateway); err != nil {
		t.Fatal(err)
	}
	a, _ := newKey(t, "a", Read)
	b, _ := newKey(t, "b", Read)
	f := func(did string, err error, owner uint32) {
		t.Helper()
		info, wrong := os.Stat(path)
		if err != nil || wrong != nil {
			t.Fatal(err, wrong)
		}
		if got := info.Sys().(*syscall.Stat_t).Uid; got != owner || info.Mode().Perm() != 0o600 {
			t.Errorf("after %s it is of %d with mode %v, want %d and 0600", did, got, info.Mode(), owner)
		}
	}
	f("the first key", Add(path, a), gateway)
	f("another", Add(path, b), gateway)
	f("a revocation", Revoke(path, "a"), gateway)
	if err := os.Chown(path, gateway+1, gateway+1); err != nil {
		t.Fatal(err)
	}
	f("a change of its owner", Revoke(path, "b"), gateway+1)
}
