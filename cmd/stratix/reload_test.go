package main

import (
	"encoding/json"
	"errors"
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
	// talk sends messages from one client to another, or to itself, until the end.
	talk := func(sender, recipient string) error {
		from, err := dialWS(r.Addr().String(), sender)
		if err != nil {
			return err
		}
		defer from.conn.Close()
		to := from
		if recipient != sender {
			if to, err = dialWS(r.Addr().String(), recipient); err != nil {
				return err
			}
			defer to.conn.Close()
		}
		before := 0
		for n := 0; !stop.Load(); n++ {
			last, err := exchangeWith(from, to, recipient, n)
			if err != nil {
				return err
			}
			if last < before {
				return fmt.Errorf("message %d went through save %d after one went through %d", n, last, before)
			}
			before = last
			answered.Add(1)
			for h := highest.Load(); int64(last) > h && !highest.CompareAndSwap(h, int64(last)); h = highest.Load() {
			}
		}
		return errors.Join(nothingElse(from), nothingElse(to))
	}
	start := func(sender, recipient int) {
		wait.Go(func() {
			if err := talk(fmt.Sprintf("c%d", sender), fmt.Sprintf("c%d", recipient)); err != nil {
				failures <- fmt.Errorf("client %d to client %d: %w", sender, recipient, err)
			}
		})
	}
	// Half of the clients talk to themselves, the others in pairs.
	for i := 0; i < clients; i += 4 {
		start(i, i+1)
		start(i+2, i+2)
		start(i+3, i+3)
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

// exchange sends message n from a client to itself; see exchangeWith.
func exchange(c *wsClient, n int) (int, error) { return exchangeWith(c, c, "", n) }

// exchangeWith sends message n and reads its delivery and then its
// acknowledgement, each exactly once: whatever else came is what the next
// exchange, or nothingElse, reads. Without a recipient the script decides where
// it goes. It returns the save that the message went through.
func exchangeWith(from, to *wsClient, recipient string, n int) (int, error) {
	id, address := fmt.Sprintf("m%d", n), ""
	if recipient != "" {
		address = fmt.Sprintf(`"to":%q,`, recipient)
	}
	if err := from.send(fmt.Sprintf(`{"type":0,"messageId":%q,%s"data":{"n":%d}}`, id, address, n)); err != nil {
		return 0, err
	}
	read := func(c *wsClient, what string) (a answer, err error) {
		text, err := c.next()
		if err == nil {
			err = json.Unmarshal([]byte(text), &a)
		}
		if err != nil {
			return a, fmt.Errorf("waiting for the %s of %s: %w", what, id, err)
		}
		if a.MessageID != id || a.Type > 1 {
			return a, fmt.Errorf("waiting for the %s of %s: got %s", what, id, text)
		}
		return a, nil
	}
	delivery, err := read(to, "delivery")
	switch {
	case err != nil:
		return 0, err
	case delivery.Type != 0:
		return 0, fmt.Errorf("%s: acknowledged before it was delivered", id)
	case delivery.Data.N != n || delivery.Data.First != delivery.Data.Last:
		return 0, fmt.Errorf("%s: mixed: %+v", id, delivery)
	}
	ack, err := read(from, "acknowledgement")
	switch {
	case err != nil:
		return 0, err
	case ack.Type != 1:
		return 0, fmt.Errorf("%s: delivered twice", id)
	case ack.Status != "delivered":
		return 0, fmt.Errorf("%s: acknowledged as %q", id, ack.Status)
	}
	return delivery.Data.Last, nil
}

// nothingElse makes sure that the gateway has sent c nothing but what was read.
func nothingElse(c *wsClient) error {
	if err := c.send(`{"type":4}`); err != nil {
		return err
	}
	text, err := c.next()
	if err == nil && !strings.HasPrefix(text, `{"type":5`) {
		err = fmt.Errorf("after the end: got %s", text)
	}
	return err
}

func TestWarningsOfASaveAreLogged(t *testing.T) {
	r := runGateway(t, map[string]string{"main.lua": "pipeline {}"}, nil)
	save(t, filepath.Join(r.scripts, "main.lua"), "pipeline {}\nlocal a\n"+strings.Repeat("do local b end\n", 30))
	r.waitFor("the warnings", func(gateway.Status) bool { return strings.Contains(r.log.String(), "warnings=31") })
	log := r.log.String()
	if !strings.Contains(log, `warning="main.lua:2: the local 'a' is never used [unused-local]"`) {
		t.Error("the warning is not in the log")
	}
	if n := strings.Count(log, " warning="); n != 20 {
		t.Errorf("%d of 31 warnings are in the log", n)
	}
}
