// Package examples_test runs the tests of every example, sends it odd messages,
// boots it, and plays the transcript of its README against it.
package examples_test

import (
	"bufio"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// patience is how long a frame may take that must come.
const patience = 20 * time.Second

func TestExamples(t *testing.T) {
	stratix := build(t)
	folders, err := filepath.Glob("*/main.lua")
	if err != nil || len(folders) == 0 {
		t.Fatalf("no examples found: %v", err)
	}
	for _, main := range folders {
		dir := filepath.Dir(main)
		t.Run(dir, func(t *testing.T) {
			said := readReadme(t, dir)
			run(t, said.env, stratix, append([]string{"check", "--strict", dir}, said.scriptEnv()...)...)
			comparesCost(t, said.cost, tested(t, said, stratix, dir))
			takesOddMessages(t, said, stratix, dir)
			play(t, serve(t, said, stratix, dir), said)
		})
	}
}

func TestTheListNamesAllExamples(t *testing.T) {
	list, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	folders, _ := filepath.Glob("*/main.lua")
	for _, main := range folders {
		if dir := filepath.Dir(main); !strings.Contains(string(list), "["+"`"+dir+"`"+"]("+dir+")") {
			t.Errorf("examples/README.md does not name %s", dir)
		}
	}
}

func TestLuacheckAcceptsAllScripts(t *testing.T) {
	luacheck, err := exec.LookPath("luacheck")
	if err != nil {
		t.Skip("there is no luacheck, which would read the scripts: apt-get install lua-check")
	}
	run(t, nil, luacheck, "--no-color", "--codes", "--no-default-config", "--std", "lua51", "--max-line-length", "200",
		"--ignore", "111/test_.*", "131/test_.*", // tests are globals
		"212", // a hook takes what it does not need
		"--globals", "on_connect", "on_disconnect", "on_policy", "on_tick", "--read-globals", "pipeline", "stage", "stratix", "log", "json",
		"--", ".", "../scripts/routes", "../cmd/stratix/scaffold", "../lua/stdlib")
}

func TestTheShippedScriptsPassTheirTests(t *testing.T) {
	stratix := build(t)
	run(t, nil, stratix, "check", "--strict", "../scripts/routes")
	tested(t, readme{}, stratix, "../scripts/routes")
	takesOddMessages(t, readme{}, stratix, "../scripts/routes")
	made := filepath.Join(t.TempDir(), "made")
	run(t, nil, stratix, "init", made)
	takesOddMessages(t, readme{}, stratix, made)
}

// run runs a command that must succeed, and returns what it printed.
func run(t *testing.T, env []string, name string, args ...string) string {
	t.Helper()
	cmd := exec.Command(name, args...)
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return string(out)
}

// tested runs the tests of a scripts folder, all of them, and returns how many
// instructions a message took at the most.
func tested(t *testing.T, said readme, stratix, dir string, flags ...string) int {
	t.Helper()
	out := run(t, said.env, stratix, slices.Concat([]string{"test", dir}, said.scriptEnv(), flags)...)
	if !strings.Contains(out, " 0 skipped") {
		t.Errorf("there are no tests, or some are skipped:\n%s", out)
	}
	most := regexp.MustCompile(`a message took at most ([0-9]+) of`).FindStringSubmatch(out)
	if most == nil {
		return 0
	}
	n, _ := strconv.Atoi(most[1])
	return n
}

// comparesCost holds a README to what was measured. A tenth is for changes of the
// engine that nobody notices.
func comparesCost(t *testing.T, said, measured int) {
	t.Helper()
	if difference := said - measured; difference < -measured/10 || difference > measured/10 {
		t.Errorf("the README says that a message took at most %d Lua instructions in the tests; it took %d", said, measured)
	}
}

// takesOddMessages runs the tests of testdata in place of the folder's own: whatever
// clients send, no script fails.
func takesOddMessages(t *testing.T, said readme, stratix, dir string) {
	t.Helper()
	odd, err := os.ReadFile("testdata/odd_test.lua")
	if err != nil {
		t.Fatal(err)
	}
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(to, "main_test.lua"), odd, 0o600); err != nil {
		t.Fatal(err)
	}
	tested(t, said, stratix, to, "--test-budget", "100000000")
}

// build makes the real binary.
func build(t *testing.T) string {
	t.Helper()
	stratix := filepath.Join(t.TempDir(), "stratix")
	if out, err := exec.Command("go", "build", "-o", stratix, "../cmd/stratix").CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	return stratix
}

// serve starts a gateway with the scripts in dir and returns its address. It is
// ended, and has to end well, when the test does.
func serve(t *testing.T, said readme, stratix, dir string) string {
	t.Helper()
	cmd := exec.Command(stratix, append([]string{
		"serve", "--listen", "127.0.0.1:0", "--admin", "off",
		"--scripts", dir, "--data", t.TempDir(), "--log-format", "json",
	}, said.flags...)...)
	cmd.Env = append(os.Environ(), said.env...)
	log, err := cmd.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	var read []string
	t.Cleanup(func() {
		_ = cmd.Process.Signal(syscall.SIGTERM)
		for lines.Scan() {
			read = append(read, lines.Text())
		}
		err := cmd.Wait()
		if err != nil {
			t.Errorf("the gateway ended with: %v", err)
		}
		if t.Failed() {
			t.Logf("its log:\n%s", strings.Join(read, "\n"))
		}
	})
	for lines.Scan() {
		read = append(read, lines.Text())
		var record struct{ Msg, Listen string }
		if json.Unmarshal(lines.Bytes(), &record) == nil && record.Msg == "stratix is ready" {
			awaitReady(t, record.Listen)
			return record.Listen
		}
	}
	t.Fatal("the gateway did not start")
	return ""
}

// awaitReady asks until the gateway takes clients.
func awaitReady(t *testing.T, address string) {
	t.Helper()
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		resp, err := http.Get("http://" + address + "/readyz")
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		if resp.StatusCode == http.StatusOK {
			return
		}
	}
	t.Fatal("the gateway does not become ready")
}
