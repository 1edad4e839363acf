package upstream

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestAnUpstreamOutlivesGenerationsByItsNameAndSettings(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := settings(t, nil)
		u := start(t, s, func(*http.Request) (*http.Response, error) { return says(200, "") })
		next := func(s Settings) *Set {
			set := u.registry.NewSet([]Desc{{Name: "orders", Settings: s, Secret: "hush"}})
			if err := set.Start(t.Context()); err != nil {
				t.Fatal(err)
			}
			return set
		}
		same := next(s)
		if same.handles[0].live.Load() != u.Upstream {
			t.Error("a save with the same settings has another upstream")
		}
		_ = u.set.Stop(t.Context())
		synctest.Wait()
		o := newOwner()
		if !u.Offer(o.post("a", "1")) {
			t.Error("the upstream has ended with its first generation")
		}
		o.wait(1)
		s.Batch = 7
		other := next(s)
		_ = same.Stop(t.Context())
		synctest.Wait()
		if u.Offer(o.post("a", "1")) {
			t.Error("the upstream takes posts that no generation names")
		}
		if !other.handles[0].Offer(o.post("a", "1")) {
			t.Error("the new one takes nothing")
		}
		o.wait(1)
		if st := u.stats(); st.Delivered != 2 || st.State != "live" {
			t.Errorf("%+v", st)
		}
	})
}

func TestWhatIsRemovedIsDrainedForAWhile(t *testing.T) {
	f := func(name string, answersAfter time.Duration, outcome string, within time.Duration) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				began := time.Now()
				u := start(t, settings(t, map[string]any{"retries": 1000.0, "max_backoff": "1s", "breaker": 0.0}), func(*http.Request) (*http.Response, error) {
					if time.Since(began) < answersAfter {
						return says(500, "")
					}
					return says(200, "")
				})
				o := newOwner()
				for i := range 300 {
					u.Offer(o.post("a", fmt.Sprint(i)))
				}
				_ = u.set.Stop(t.Context())
				if st := u.stats(); st.State != "draining" || st.Queued != 300 {
					t.Errorf("%+v", st)
				}
				for _, got := range o.wait(300) {
					if !strings.Contains(got, outcome) {
						t.Fatal(got)
					}
				}
				if took := time.Since(began); took > within {
					t.Errorf("it took %v", took)
				}
				synctest.Wait()
				if st := u.stats(); st.State != "gone" || st.Queued != 0 {
					t.Errorf("%+v", st)
				}
			})
		})
	}
	f("it answers", 5*time.Second, "delivered", 10*time.Second)
	f("it does not", time.Hour, ": the scripts do not name the upstream any more", drainTime+time.Second)
}

func TestARemovedUpstreamThatComesBackKeepsWhatWaits(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var broken atomic.Bool
		broken.Store(true)
		s := settings(t, map[string]any{"retries": 1000.0, "max_backoff": "1s"})
		u := start(t, s, func(*http.Request) (*http.Response, error) {
			if broken.Load() {
				return says(500, "")
			}
			return says(200, "")
		})
		o := newOwner()
		u.Offer(o.post("a", "1"))
		_ = u.set.Stop(t.Context())
		time.Sleep(drainTime / 2)
		again := u.registry.NewSet([]Desc{{Name: "orders", Settings: s, Secret: "hush"}})
		_ = again.Start(t.Context())
		time.Sleep(drainTime)
		broken.Store(false)
		if got := o.wait(1)[0]; !strings.HasPrefix(got, "a delivered") {
			t.Error(got)
		}
	})
}

func TestAShutdownPostsWhatWaitsAndThenGivesUp(t *testing.T) {
	f := func(name string, slow time.Duration, lost int, outcome string) {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				u := start(t, settings(t, map[string]any{"linger": "10s", "batch": 1000.0}), func(r *http.Request) (*http.Response, error) {
					select {
					case <-time.After(slow):
						return says(200, "")
					case <-r.Context().Done():
						return nil, r.Context().Err()
					}
				})
				o := newOwner()
				for i := range 50 {
					u.Offer(o.post("a", fmt.Sprint(i)))
				}
				synctest.Wait()
				began := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
				defer cancel()
				if got := u.registry.Close(ctx); got != lost {
					t.Errorf("%d were given up, want %d", got, lost)
				}
				if took := time.Since(began); took > 3*time.Second {
					t.Errorf("it took %v", took)
				}
				for _, got := range o.wait(50) {
					if !strings.Contains(got, outcome) {
						t.Fatal(got)
					}
				}
				if u.Offer(o.post("a", "x")) {
					t.Error("a closed upstream takes posts")
				}
				_ = u.set.Stop(t.Context())
			})
		})
	}
	f("in time", 100*time.Millisecond, 0, "delivered")
	f("not in time", 4*time.Second, 50, "lost after 1: the gateway has shut down")
}

func TestNamesThatComeAndGoAreForgotten(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := start(t, settings(t, nil), func(*http.Request) (*http.Response, error) { return says(200, "") })
		for i := range 10 * Max {
			set := u.registry.NewSet([]Desc{{Name: fmt.Sprint("n", i), Settings: settings(t, nil)}})
			_ = set.Start(t.Context())
			_ = set.Stop(t.Context())
			synctest.Wait()
		}
		all := u.registry.Stats()
		if len(all) > 4*Max {
			t.Errorf("%d names are remembered", len(all))
		}
		for _, st := range all {
			if (st.Name == "orders") != (st.State == "live") {
				t.Errorf("%+v", st)
			}
		}
	})
}

func TestASecretThatIsNotSetKeepsAGenerationFromStarting(t *testing.T) {
	r := NewRegistry(slog.New(slog.DiscardHandler))
	set := r.NewSet([]Desc{{Name: "orders", Settings: settings(t, map[string]any{"secret_env": "KEY"})}})
	if err := set.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "KEY is not set") {
		t.Errorf("got %v", err)
	}
	if set.Upstreams()[0].Queue.Offer(&core.Post{}) {
		t.Error("what was not started takes posts")
	}
	_ = set.Stop(t.Context())
}

func TestSettingsAreChecked(t *testing.T) {
	f := func(values map[string]any, want ...string) {
		t.Helper()
		_, err := Read(core.Config{What: `upstream "x"`, Pos: "main.lua:1", Values: values})
		got := ""
		if err != nil {
			got = err.Error()
		}
		for i := range want {
			want[i] = `main.lua:1: upstream "x": ` + want[i]
		}
		if got != strings.Join(want, "\n") {
			t.Errorf("%v:\n got %s\nwant %s", values, got, strings.Join(want, "\n     "))
		}
	}
	with := func(key string, value any) map[string]any { return map[string]any{"url": "https://a.test", key: value} }
	url := func(u string) map[string]any { return map[string]any{"url": u} }
	f(url("https://a.test/hook?x=1"))
	f(url("http://[::1]:80/"))
	f(map[string]any{}, `the key "url" is missing: expected a string`)
	f(with("timeot", "5s"), `unknown key "timeot"; did you mean "timeout"?`)
	f(url("ftp://a"), "url: it does not begin with http:// or https://")
	f(url("http://"), "url: it names no host")
	f(url("http://u:secret@a/"), "url: it holds a name or a password: put credentials into headers")
	f(url("http://a/#x"), "url: it has a fragment (#), which is never sent")
	f(url("http://a\x7f:secret"), "url: it cannot be read as a URL")
	f(url("http://169.254.169.254/latest"), "url: 169.254.169.254 is a link-local address, where clouds serve credentials; allow_link_local = true allows it")
	f(map[string]any{"url": "http://169.254.169.254/latest", "allow_link_local": true})
	f(with("batch", 0.0), "batch: 0 is not between 1 and 1000")
	f(with("timeout", "6m"), "timeout: 6m0s is not between 10ms and 5m0s")
	f(with("backoff", "31s"), "max_backoff: 30s is not between 31s and 1h0m0s")
	f(with("queue_bytes", "1KiB"), "queue_bytes: it is not between 64KiB and 1GiB")
	f(with("events", []any{"connect", "tick"}), `events: unknown event "tick": there are connect and disconnect`)
	f(with("dead_letter", "ops"), `dead_letter: "ops" is none of client:ID, group:NAME and prefix:BEGINNING`)
	f(with("dead_letter", "group:"), `dead_letter: the group "" is empty`)
	f(with("dead_letter", "group:ops"))
	f(with("headers", map[string]any{"Authorization": "Bearer \n"}), "headers: the value of Authorization holds control characters")
	f(with("headers", map[string]any{"Host": "x"}), "headers: Host is set by the gateway itself")
	f(with("headers", map[string]any{"stratix-signature": "x"}), "headers: stratix-signature is set by the gateway itself")
	f(with("headers", map[string]any{"a b": "x"}), `headers: "a b" cannot be the name of a header`)
}

// BenchmarkOffer is the hand-over alone: posts come back and are offered again.
func BenchmarkOffer(b *testing.B) {
	u := start(b, settings(b, map[string]any{"concurrency": 4.0, "queue": 1_000_000.0, "queue_bytes": "1GiB", "batch": 1000.0}), func(*http.Request) (*http.Response, error) {
		return says(200, "")
	})
	o := &circle{came: make(chan struct{}, 1)}
	var mine *core.Post
	for i := range 16 << 10 {
		p := newOwner().post(fmt.Sprint("client-", i%500), "1")
		p.Owner, p.Next = o, mine
		mine = p
	}
	b.ReportAllocs()
	for b.Loop() {
		for mine == nil {
			if mine = o.back.Swap(nil); mine == nil {
				b.StopTimer()
				<-o.came
				b.StartTimer()
			}
		}
		p := mine
		mine = p.Next
		if !u.Offer(p) {
			b.Fatal("it was refused")
		}
	}
}

// circle gives posts back to be offered again.
type circle struct {
	back atomic.Pointer[core.Post]
	came chan struct{}
}

func (c *circle) TakeBack(first *core.Post) {
	last := first
	for last.Next != nil {
		last = last.Next
	}
	for {
		old := c.back.Load()
		last.Next = old
		if c.back.CompareAndSwap(old, first) {
			break
		}
	}
	select {
	case c.came <- struct{}{}:
	default:
	}
}
