package server

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// crowdSize is how many strangers come; each end needs a descriptor in a process
// of its own.
const crowdSize = 10_000

// The environment of a test binary that is the strangers.
const crowdEnv = "STRATIX_TEST_CROWD"

func TestMain(m *testing.M) {
	if addr := os.Getenv(crowdEnv); addr != "" {
		beCrowd(addr, os.Getenv(crowdEnv+"_SAYS"))
		return
	}
	os.Exit(m.Run())
}

// beCrowd opens as many connections as it can, says text on each, and holds them
// until its input ends. It prints how many there were.
func beCrowd(addr, text string) {
	var all []net.Conn
	for n := range crowdSize {
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.IPv4(127, 0, byte(1+n/100), 1)}}
		if strings.Contains(os.Getenv("STRATIX_TEST_CROWD_FROM"), "one") {
			d.LocalAddr = nil
		}
		c, err := d.Dial("tcp", addr)
		if err != nil {
			continue
		}
		_, _ = io.WriteString(c, text)
		all = append(all, c)
	}
	fmt.Println(len(all))
	_, _ = io.Copy(io.Discard, os.Stdin)
	for _, c := range all {
		_ = c.Close()
	}
}

// startCrowd returns when the strangers are there; leave ends them.
func startCrowd(t *testing.T, addr, says, from string) (leave func()) {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$")
	cmd.Env = append(os.Environ(), crowdEnv+"="+addr, crowdEnv+"_SAYS="+says, crowdEnv+"_FROM="+from)
	cmd.Stderr = os.Stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	leave = func() { _, _ = in.Close(), cmd.Wait() }
	line, err := bufio.NewReader(out).ReadString('\n')
	if n, _ := strconv.Atoi(strings.TrimSpace(line)); err != nil || n < crowdSize*9/10 {
		leave()
		t.Fatalf("%q strangers came, %v", line, err)
	}
	return leave
}

// Ten thousand who have sent nothing, or a part of a request, cost little, and
// keep nobody out.
func TestTenThousandHalfOpenHandshakesLockNobodyOut(t *testing.T) {
	var limit syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_NOFILE, &limit); err != nil || limit.Cur < crowdSize+200 {
		t.Skipf("a process may have %d open files here, and this takes %d", limit.Cur, crowdSize+200)
	}
	f := func(what, says, from string, bytesEach int64) {
		g := start(t, func(o *Options) { o.HandshakeTimeout = 10 * time.Minute }) // nobody is cut off for being late
		before := resident()
		leave := startCrowd(t, g.publicAddr, says, from)
		defer leave()
		eventually(t, "all are there that may be", func() bool {
			return g.strangers.counts.total.Load() == maxHandshakes && g.Stats().Refused["made_way"] >= crowdSize*9/10-maxHandshakes
		})
		each := (resident() - before) / maxHandshakes
		t.Logf("%s: %d bytes each", what, each)
		if each > bytesEach && !raceEnabled {
			t.Errorf("%s: %d bytes each, at most %d are meant", what, each, bytesEach)
		}
		for n := range 200 {
			r, body := ask(t, g.publicAddr, handshake(fmt.Sprint("?clientId=c", n)))
			if r.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%s: a client got %s %s", what, r.Status, body)
			}
			closeDescriptor((<-g.clients).FD)
		}
		if st := g.Stats(); st.Refused["full"] != 0 {
			t.Errorf("%s: %d were refused", what, st.Refused["full"])
		}
		leave()
		eventually(t, "none is left", func() bool { return g.strangers.counts.total.Load() == 0 })
	}
	f("silent", "", "many", 24<<10)
	f("from one address", "", "one", 24<<10)
	f("in the middle of a header", "GET /ws?clientId=a HTTP/1.1\r\nHost: a\r\nX: ", "many", 48<<10)
}

// resident is the memory of this process; 0 where that cannot be asked.
func resident() int64 {
	text, _ := os.ReadFile("/proc/self/statm")
	fields := strings.Fields(string(text) + " 0 0")
	pages, _ := strconv.ParseInt(fields[1], 10, 64)
	return pages * int64(os.Getpagesize())
}
