package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// stampScript marks each message in its first and in its last stage with the
// number of the save, and sends it back.
func stampScript(n int) string {
	return fmt.Sprintf(`
pipeline {
  function(msg) msg:set("data.first", %d) end,
  stage.prefix { routes = { ["c"] = "sender" } },
  function(msg) msg:set("data.last", %d) end,
}
`, n, n)
}

// brokenScripts are ways in which a save does not load.
var brokenScripts = []string{
	"pipeline {",
	"pipeline { function(msg) msgg:drop() end }",
	"error('on load')",
	"pipeline { stage.prefixx {} }",
	"while true do end",
	"",
}

// answer is what the test reads of a frame.
type answer struct {
	Type      int    `json:"type"`
	MessageID string `json:"messageId"`
	Status    string `json:"status"`
	Data      struct {
		N     int `json:"n"`
		First int `json:"first"`
		Last  int `json:"last"`
	} `json:"data"`
}

func TestReloadUnderLoadAnswersEveryMessageOnceAndMixesNoGenerations(t *testing.T) {
	clients, saves := 2000, 200
	if testing.Short() || raceEnabled {
		clients, saves = 300, 40
	}
	r := runGateway(t, map[string]string{"main.lua": stampScript(0)}, nil)

	var stop atomic.Bool
	var answered, highest atomic.Int64
	var wait sync.WaitGroup
	failures := make(chan error, clients)
	for i := range clients {
		wait.Go(func() {
			c, err := dialWS(r.Addr().String(), fmt.Sprintf("c%d", i))
			if err != nil {
				failures <- err
				return
			}
			defer c.conn.Close()
			before := 0
			for n := 0; !stop.Load(); n++ {
				last, err := exchange(c, n)
				if err == nil && last < before {
					err = fmt.Errorf("message %d of client %d went through save %d after one went through %d", n, i, last, before)
				}
				if err != nil {
					failures <- fmt.Errorf("client %d: %w", i, err)
					return
				}
				before = last
				answered.Add(1)
				for h := highest.Load(); int64(last) > h && !highest.CompareAndSwap(h, int64(last)); h = highest.Load() {
				}
			}
		})
	}

	main := filepath.Join(r.scripts, "main.lua")
	live := 1 // generations that have gone live, the first included
	for n := 1; n <= saves; n++ {
		good := stampScript(n)
		switch n % 4 {
		case 0:
			save(t, main, brokenScripts[n/4%len(brokenScripts)])
			r.waitFor("the broken save to be rejected", func(st gateway.Status) bool {
				return st.Scripts.Last.Result == "rejected" && st.Scripts.Generation != 0
			})
			save(t, main, good)
		case 1:
			save(t, main, good)
		case 2:
			renameOver(t, main, good)
		case 3:
			if err := os.Remove(main); err != nil {
				t.Fatal(err)
			}
			save(t, main, good)
		}
		r.waitFor(fmt.Sprintf("save %d to go live", n), func(st gateway.Status) bool {
			return st.Scripts.Last.Result == "live" && strings.Contains(st.Scripts.Hash, hashOf(t, main))
		})
		live++
		if len(failures) > 0 {
			break
		}
	}
	stop.Store(true)
	wait.Wait()
	close(failures)
	for err := range failures {
		t.Error(err)
	}
	if h := highest.Load(); h < int64(saves)-1 {
		t.Errorf("no message went through a later save than %d of %d", h, saves)
	}
	if got := r.metric(`stratix_reloads_total{result="live"}`); got != fmt.Sprint(live) {
		t.Errorf("%s generations went live, want %d", got, live)
	}
	t.Logf("%d clients, %d messages, %d saves", clients, answered.Load(), saves)
}

// exchange sends message n and reads its delivery and its acknowledgement,
// each exactly once. It returns the save that the message went through.
func exchange(c *wsClient, n int) (int, error) {
	id := fmt.Sprintf("m%d", n)
	if err := c.send(fmt.Sprintf(`{"type":0,"messageId":%q,"data":{"n":%d}}`, id, n)); err != nil {
		return 0, err
	}
	through := -1
	for range 2 {
		text, err := c.next()
		if err != nil {
			return 0, fmt.Errorf("waiting for the answers to %s: %w", id, err)
		}
		var a answer
		if err := json.Unmarshal([]byte(text), &a); err != nil {
			return 0, fmt.Errorf("%s: %w", text, err)
		}
		switch {
		case a.MessageID != id || a.Type > 1:
			return 0, fmt.Errorf("after sending %s: got %s", id, text)
		case a.Type == 0 && (a.Data.N != n || a.Data.First != a.Data.Last):
			return 0, fmt.Errorf("mixed: %s", text)
		case a.Type == 0 && through >= 0:
			return 0, fmt.Errorf("delivered twice: %s", text)
		case a.Type == 0:
			through = a.Data.Last
		case a.Status != "delivered" || through < 0:
			return 0, fmt.Errorf("acknowledged before it was delivered: %s", text)
		}
	}
	return through, nil
}
