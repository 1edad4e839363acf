package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/google/pprof/profile"
	"github.com/stratix-gateway/stratix/core/gateway"
)

const profiledScript = `local function spin(n)
  local sum = 0
  for i = 1, n do
    sum = sum + i
  end
  return sum
end

function on_policy(conn, action, kind, name)
  spin(50)
  return true
end

pipeline {
  function(msg)
    spin(300)
    msg:get("data.n")
  end,
}
`

// talkTo keeps a few clients sending to each other until the end of the test.
func talkTo(t *testing.T, r *running) (messages *atomic.Int64) {
	t.Helper()
	messages = new(atomic.Int64)
	var stop atomic.Bool
	var wait sync.WaitGroup
	var conns []*wsClient
	t.Cleanup(func() {
		stop.Store(true)
		wait.Wait()
		for _, c := range conns {
			_ = c.conn.Close()
		}
	})
	for i := range 4 {
		c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
		if err != nil {
			t.Fatal(err)
		}
		conns = append(conns, c)
		wait.Go(func() {
			for n := 0; !stop.Load(); n++ {
				if err := c.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":["c%d"],"data":{"n":%d}}`, n, i, n)); err != nil {
					t.Error(err)
					return
				}
				for range 2 { // the message and its acknowledgement
					if _, err := c.next(); err != nil {
						t.Error(err)
						return
					}
				}
				messages.Add(1)
			}
		})
	}
	return messages
}

// profileOf runs stratix profile.
func profileOf(t *testing.T, r *running, format string) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "profile")
	c := profileCmd{adminFlag: adminFlag{Admin: r.AdminAddr().String()}, Seconds: 1, Format: format, Out: file}
	if err := c.Run(); err != nil {
		t.Fatal(err)
	}
	b, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return file, string(b)
}

func TestProfileNamesTheLinesThatWork(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": profiledScript}, func(c *serveCmd) { c.Shards = 2 })
	talkTo(t, r)

	_, table := profileOf(t, r, "table")
	for _, want := range []string{
		`(?m)^1[0-9.]*s on 2 shard\(s\), generation 1: about [0-9]+ Lua instructions \([0-9]+ samples, one for each 997\)$`,
		`(?m)^ *[3-9][0-9]\.[0-9]%  [ 0-9.]+%  +[0-9]+  main.lua:[34]$`,
		`(?m)^ *9[0-9]\.[0-9]%  [ 0-9.]+%  +[0-9]+  main.lua:1 spin$`,
		`(?m)^ *[78][0-9]\.[0-9]%  +[0-9]+  main.lua:15$`,
		`(?m)^ *[12][0-9]\.[0-9]%  +[0-9]+  on_policy$`,
	} {
		if !regexp.MustCompile(want).MatchString(table) {
			t.Errorf("the table has no line like %s:\n%s", want, table)
		}
	}

	_, folded := profileOf(t, r, "folded")
	for _, want := range []string{
		`(?m)^main.lua:15;main.lua:15 \(main.lua:16\);spin \(main.lua:[34]\) [0-9]+$`,
		`(?m)^on_policy;on_policy \(main.lua:10\);spin \(main.lua:[34]\) [0-9]+$`,
	} {
		if !regexp.MustCompile(want).MatchString(folded) {
			t.Errorf("the stacks have no line like %s:\n%s", want, folded)
		}
	}
}

func TestProfileGoesOnOverASave(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": profiledScript}, nil)
	messages := talkTo(t, r)
	saved := make(chan struct{})
	go func() {
		defer close(saved)
		for before := messages.Load(); messages.Load() < before+20; {
		}
		save(t, filepath.Join(r.scripts, "main.lua"), "-- another line\n"+profiledScript)
	}()
	file, _ := profileOf(t, r, "pprof")
	<-saved
	r.waitFor("the save", func(st gateway.Status) bool { return st.Scripts.Generation == 2 })
	f, err := os.Open(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	p, err := profile.Parse(f)
	if err != nil {
		t.Fatal(err)
	}
	generations, stages := map[int64]bool{}, map[string]bool{}
	for _, s := range p.Sample {
		generations[s.NumLabel["generation"][0]] = true
		stages[s.Label["stage"][0]] = true
	}
	if !generations[1] || !generations[2] || !stages["main.lua:15"] || !stages["main.lua:16"] || !stages["on_policy"] {
		t.Errorf("the profile has the generations %v and the stages %v", generations, stages)
	}
}

func TestGoToolPprofOpensAProfile(t *testing.T) {
	goTool, err := exec.LookPath("go")
	if err != nil {
		t.Skip("there is no go command, whose pprof would read the profile")
	}
	r := runGateway(t, map[string]string{"main.lua": profiledScript}, nil)
	talkTo(t, r)
	file, _ := profileOf(t, r, "pprof")
	f := func(want string, args ...string) {
		t.Helper()
		out, err := exec.Command(goTool, append(append([]string{"tool", "pprof"}, args...), file)...).CombinedOutput()
		if err != nil {
			t.Fatalf("go tool pprof %s: %v\n%s", args, err, out)
		}
		if !regexp.MustCompile(want).Match(out) {
			t.Errorf("go tool pprof %s has no line like %s:\n%s", args, want, out)
		}
	}
	f(`(?m)^Type: instructions$`, "-top")
	f(`(?m) 9[0-9.]+%  +spin$`, "-top")
	f(`(?m)main.lua:[34]$`, "-top", "-lines")
	f(`(?m) on_policy$`, "-tags")
	f(`(?m) 4: +sum = sum \+ i|    sum = sum \+ i$`, "-list", "spin")
}
