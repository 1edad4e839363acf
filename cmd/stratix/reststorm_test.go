package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/tidwall/gjson"
)

// flaky is a service that takes some posts and refuses others, in every way.
func flaky(w http.ResponseWriter, _ *http.Request) {
	if code := []int{200, 200, 400, 429, 500}[rand.IntN(5)]; code != 200 {
		w.WriteHeader(code)
		return
	}
	fmt.Fprint(w, `{"replies":[{"from":"api0","messageId":"api0-1","data":1}]}`)
}

// Publishers that try again what has no answer, under delays, saves, a failing
// upstream, and operators that look at everything and change it.
func TestWhatIsPublishedComesOnceAndInItsOrderWhateverElseGoesOn(t *testing.T) {
	service := httptest.NewServer(http.HandlerFunc(flaky))
	defer service.Close()
	main := func(n int) string {
		return fmt.Sprintf(`upstream "flaky" {
  url = %q, backoff = "1ms", max_backoff = "5ms", retries = 2, breaker = 3, cooldown = "10ms", concurrency = %d,
  dead_letter = "group:ops", events = { "connect" },
}
pipeline {
  stage.ratelimit { rate = %d, burst = 50, over = "delay", max_delay = "30s" },
  function(msg) if msg:get("data.up") then msg:to_own() msg:to_upstream("flaky") end end,
  stage.disk { sync = "commit" }, stage.ring { messages = 100000, bytes = "16MiB" },
}`, service.URL, 1+n%2, 300+n%3)
	}
	r := rest{running: runGateway(t, map[string]string{"main.lua": main(0)}, func(c *serveCmd) { c.Shards, c.ExplainRate, c.ExplainBytes = 2, 1, 1<<20 })}
	inbox, err := dialReliable(r.Addr().String(), "inbox")
	if err != nil {
		t.Fatal(err)
	}
	inbox.conn.Close()

	stop := make(chan struct{})
	var noise, senders sync.WaitGroup
	again := func(f func(n int)) {
		noise.Go(func() {
			for n := 0; ; n++ {
				select {
				case <-stop:
					return
				default:
					f(n)
				}
			}
		})
	}
	again(func(n int) {
		save(t, filepath.Join(r.scripts, "main.lua"), main(n))
		r.call("POST", "/v1/reload?gate=load", "")
	})
	again(func(int) {
		for _, path := range []string{
			"/v1/clients?limit=2", "/v1/groups", "/v1/clients/inbox/pending?data=1&limit=1000", "/v1/clients/guest", "/v1/routes", "/v1/status", "/metrics", "/v1/messages/api0-3",
		} {
			r.call("GET", path, "")
		}
	})
	again(func(n int) {
		c, err := dialReliable(r.Addr().String(), "guest")
		if err != nil {
			return
		}
		defer c.conn.Close()
		r.call("PUT", "/v1/clients/guest/groups/ops", "")
		if c.send(fmt.Sprintf(`{"type":0,"messageId":"c%d","to":"guest","data":{"up":1}}`, n)) == nil {
			_, _ = c.next()
		}
		if n%2 == 0 {
			r.call("DELETE", "/v1/clients/guest", "")
		}
	})

	const count, each = 4, 80
	for i := range count {
		senders.Go(func() {
			for n := 0; n < each; {
				n += r.publishSome(fmt.Sprint("api", i), n, min(each, n+1+rand.IntN(4)))
			}
		})
	}
	senders.Wait()
	close(stop)
	noise.Wait()

	inbox, err = dialReliable(r.Addr().String(), "inbox")
	if err != nil {
		t.Fatal(err)
	}
	next := [count]int{}
	for range count * each {
		text, err := inbox.next()
		if err != nil {
			t.Fatal(err, next)
		}
		var i, n int
		if _, err := fmt.Sscanf(gjson.Get(text, "messageId").Str, "api%d-%d", &i, &n); err != nil || next[i] != n {
			t.Fatalf("got %s, want the next of %v", text, next)
		}
		next[i]++
	}
}

// publishSome publishes the messages from first on, and returns how many of them
// were taken before the first that was not.
func (r rest) publishSome(from string, first, end int) (taken int) {
	var all []string
	for n := first; n < end; n++ {
		up := []string{"", `"up":1,`}[rand.IntN(2)]
		all = append(all, fmt.Sprintf(`{"to":["inbox","guest"],"messageId":"%s-%d","data":{%s"n":%d}}`, from, n, up, n))
	}
	wait := []string{
		"accepted&timeout=2ms", "disk&timeout=20ms", "delivered&timeout=50ms", // which the inbox never makes true
		"accepted&timeout=30s", "disk&timeout=30s",
	}[rand.IntN(5)]
	status, text := r.publish("?from="+from+"&wait="+wait, `{"messages":[`+strings.Join(all, ",")+`]}`)
	for _, one := range gjson.Get(text, "results").Array() {
		if one.Get("stored").Str == "" {
			if code := one.Get("code").Str; code != "timeout" {
				r.t.Errorf("got %s", one.Raw)
			}
			break
		}
		taken++
	}
	if taken == 0 && status/100 != 2 && status != 503 {
		r.t.Errorf("got %d %s", status, text)
	}
	return taken
}
