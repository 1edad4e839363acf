package main

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// smallDisk mounts a file system of 12 MiB, which is less than a segment.
func smallDisk(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=12m"); err != nil {
		t.Skipf("this test needs a small file system, and may not mount one: %v", err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	return dir
}

func TestARealDiskThatIsFullToItsEndRecoversByItself(t *testing.T) {
	data := smallDisk(t)
	r := runGateway(t, map[string]string{"main.lua": keeping}, func(c *serveCmd) { c.Data = data })
	defer r.stop()
	addr := r.Addr().String()
	a, err := dialWS(addr, "a")
	if err != nil {
		t.Fatal(err)
	}
	payload := strings.Repeat("y", 30_000)
	send := func(n int, to string) (stored bool) {
		t.Helper()
		if err := a.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":%q,"data":%q}`, n, to, payload)); err != nil {
			t.Fatal(err)
		}
		text, err := a.next()
		if err != nil {
			t.Fatal(err)
		}
		if !strings.Contains(text, `"stored":"disk"`) && !strings.Contains(text, "storage_full") {
			t.Fatalf("a is told %s", text)
		}
		return strings.Contains(text, `"stored":"disk"`)
	}
	n := 0
	for n = 1; send(n, "b"); n++ {
		if n > 1000 {
			t.Fatal("12 MiB are never full")
		}
	}
	b, err := dialWS(addr, "b")
	if err != nil {
		t.Fatal(err)
	}
	for i := 1; i < n; i++ {
		if text, err := b.next(); err != nil || !strings.Contains(text, fmt.Sprintf(`"m%d"`, i)) {
			t.Fatalf("b waits for message %d of %d, and gets %.100s %v", i, n-1, text, err)
		}
	}
	b.conn.Close()
	// Nobody does anything but to go on sending.
	for end := time.Now().Add(patience); ; time.Sleep(20 * time.Millisecond) {
		n++
		if send(n, "c") {
			break
		}
		if time.Now().After(end) {
			t.Fatalf("the disk stays full: %s\n%s", r.metric("stratix_log_full"), r.log.String())
		}
	}
}
