package main

import (
	"fmt"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/tidwall/gjson"
)

func TestAttackStorm(t *testing.T) {
	var posted atomic.Int64
	service := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		posted.Add(1)
		switch rand.IntN(5) {
		case 0:
			w.WriteHeader(500)
		case 1:
			w.WriteHeader(400)
		case 2:
			w.WriteHeader(429)
		case 3:
			fmt.Fprint(w, `{"replies":[{"from":"api0","messageId":"x","data":1}]}`)
		}
	}))
	defer service.Close()
	main := func(n int) string {
		return fmt.Sprintf(`upstream "svc" { url = %q, backoff = "1ms", max_backoff = "5ms", retries = 2, breaker = 3, cooldown = "10ms", dead_letter = "group:ops", concurrency = %d, events = {"connect"} }
pipeline { stage.ratelimit { rate = %d, burst = 50, over = "delay", max_delay = "1s" },
 function(msg) if msg:get("data.up") then msg:to_own() msg:to_upstream("svc") end end,
 stage.disk { sync = "commit" }, stage.ring { messages = 100000, bytes = "16MiB" } }`, service.URL, 1+n%2, 300+n%3)
	}
	r := rest{running: runGateway(t, map[string]string{"main.lua": main(0)}, func(c *serveCmd) { c.Shards = 2; c.ExplainRate = 1; c.ExplainBytes = 1 << 20 })}
	first, err := dialReliable(r.Addr().String(), "inbox")
	if err != nil {
		t.Fatal(err)
	}
	first.conn.Close()
	stop := make(chan struct{})
	var noise, done sync.WaitGroup
	loop := func(f func(n int)) {
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
	loop(func(n int) { save(t, filepath.Join(r.scripts, "main.lua"), main(n)); r.call("POST", "/v1/reload?gate=load", ""); time.Sleep(20 * time.Millisecond) })
	loop(func(n int) {
		for _, p := range []string{"/v1/clients?limit=2", "/v1/groups", "/v1/clients/inbox/pending?data=1&limit=1000", "/v1/clients/churn", "/v1/routes", "/v1/status", "/metrics", "/v1/messages/api0-3"} {
			r.call("GET", p, "")
		}
		time.Sleep(5 * time.Millisecond)
	})
	loop(func(n int) {
		c, err := dialReliable(r.Addr().String(), "churn")
		if err != nil {
			return
		}
		r.call("PUT", "/v1/clients/churn/groups/ops", "")
		_ = c.send(fmt.Sprintf(`{"type":0,"messageId":"c%d","to":"churn","data":{"up":1}}`, n))
		_, _ = c.next()
		if n%2 == 0 {
			r.call("DELETE", "/v1/clients/churn", "")
		} else {
			c.conn.Close()
		}
	})
	const senders, each = 4, 150
	for i := range senders {
		done.Go(func() {
			from := fmt.Sprint("api", i)
			for n := 0; n < each; {
				k := 1 + rand.IntN(4)
				var several []string
				for j := range k {
					if n+j < each {
						up := ""
						if rand.IntN(3) == 0 {
							up = `"up":1,`
						}
						several = append(several, fmt.Sprintf(`{"to":["inbox","churn"],"messageId":"%s-%d","data":{%s"n":%d}}`, from, n+j, up, n+j))
					}
				}
				wait := []string{"accepted", "disk", "delivered"}[rand.IntN(3)]
				status, text := r.publish(fmt.Sprintf("?from=%s&wait=%s&timeout=%dms", from, wait, 1+rand.IntN(60)), `{"messages":[`+strings.Join(several, ",")+`]}`)
				if status/100 != 2 {
					if status != 503 {
						t.Errorf("%d %s", status, text)
					}
					continue
				}
				for _, res := range gjson.Get(text, "results").Array() {
					if res.Get("stored").Str == "" {
						if c := res.Get("code").Str; c != "timeout" && c != "rate_limited" {
							t.Errorf("%s", res.Raw)
						}
						break
					}
					n++
				}
			}
		})
	}
	done.Wait()
	close(stop)
	noise.Wait()
	c, err := dialReliable(r.Addr().String(), "inbox")
	if err != nil {
		t.Fatal(err)
	}
	next := [senders]int{}
	for range senders * each {
		text, err := c.next()
		if err != nil {
			t.Fatal(err, next)
		}
		var i, n int
		id := gjson.Get(text, "messageId").Str
		if _, err := fmt.Sscanf(id, "api%d-%d", &i, &n); err != nil || next[i] != n {
			t.Fatalf("got %s, want %v: %v", text, next, err)
		}
		next[i]++
		_ = c.send(fmt.Sprintf(`{"type":1,"seq":%d}`, gjson.Get(text, "seq").Int()))
	}
	t.Log("posted", posted.Load())
	r.stop()
	if strings.Contains(r.log.String(), "panic") {
		t.Error(r.log)
	}
}
