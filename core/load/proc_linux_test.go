package load

import (
	"os"
	"slices"
	"testing"
	"time"
)

func TestParseStat(t *testing.T) {
	f := func(text string, want time.Duration, ok bool) {
		t.Helper()
		got, err := parseStat(text)
		if got != want || (err == nil) != ok {
			t.Errorf("%q: %v, %v", text, got, err)
		}
	}
	f("12 (stratix) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0 20", 2*time.Second, true)
	f("12 (a ) b) S 1 2 3 4 5 6 7 8 9 10 1 2 0 0 20", 30*time.Millisecond, true)
	f("12 (a) S 1 2 3", 0, false)
	f("12 (a) S 1 2 3 4 5 6 7 8 9 10 x 2 0", 0, false)
	f("", 0, false)
}

func TestParseKilobytes(t *testing.T) {
	const text = "Name:\tx\nVmRSS:\t    1234 kB\nVmData:\t 1 pages\n"
	if got, err := parseKilobytes(text, "VmRSS:"); got != 1234*1024 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	for _, name := range []string{"VmSwap:", "VmData:"} {
		if _, err := parseKilobytes(text, name); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}

func TestListening(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 0100007F:1F90 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4711 1 0 100 0 0 10 0
   1: 0100007F:1F90 0200007F:C350 01 00000000:00000000 00:00000000 00000000     0        0 4712 1 0 20 4 30 10 -1
   2: 00000000:1F91 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 4713 1 0 100 0 0 10 0
`
	if got := listening(table, 8080); !slices.Equal(got, []string{"4711"}) {
		t.Errorf("%v", got)
	}
	if got := listening(table, 1); got != nil {
		t.Errorf("%v", got)
	}
}

func TestCalm(t *testing.T) {
	f := func(want bool, samples ...int64) {
		t.Helper()
		if got := calm(samples); got != want {
			t.Errorf("%v: %v", samples, got)
		}
	}
	f(true, 1<<20)
	f(true, 1<<20, 1<<20+4096, 1<<20)
	f(false, 1<<20, 2<<20, 1<<20)
}

func TestOwnProcess(t *testing.T) {
	pid := os.Getpid()
	if rss, err := resident(pid); err != nil || rss < 1<<20 {
		t.Errorf("resident %d, %v", rss, err)
	}
	if _, err := cpuTime(pid); err != nil {
		t.Error(err)
	}
	if m := machine(); m.Kernel == "" || m.Cores < 1 {
		t.Errorf("%+v", m)
	}
}
