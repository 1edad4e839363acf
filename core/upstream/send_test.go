package upstream

import (
	"cmp"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestAPostThatFailsIsTriedAgainOrGivenUp(t *testing.T) {
	f := func(name string, values map[string]any, answers []int, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				n := 0
				u := start(t, settings(t, values), func(*http.Request) (*http.Response, error) {
					code := answers[min(n, len(answers)-1)]
					n++
					if code == 0 {
						return nil, errors.New("connection refused")
					}
					return says(code, "")
				})
				o := newOwner()
				u.Offer(o.post("a", "1"))
				equal(t, name, o.wait(1), want)
			})
		})
	}
	two := map[string]any{"retries": 2.0}
	f("taken", nil, []int{204}, "a delivered after 1")
	f("taken in the end", two, []int{500, 0, 200}, "a delivered after 3")
	f("never taken", two, []int{500, 502, 503}, "a lost after 3: it answered 503 Service Unavailable")
	f("no connection", two, []int{0}, "a lost after 3: the post failed: connection refused")
	f("rejected", two, []int{404}, "a lost after 1: it answered 404 Not Found")
	f("redirected", two, []int{302}, "a lost after 1: it answered 302 Found: redirects are not followed")
	f("timed out there", two, []int{408, 200}, "a delivered after 2")
	f("throttled", two, []int{429, 200}, "a delivered after 2")
	f("no retries", map[string]any{"retries": 0.0}, []int{500}, "a lost after 1: it answered 500 Internal Server Error")
}

func TestOneMessageThatIsNotWantedTakesNoOtherAlong(t *testing.T) {
	f := func(code int, unwanted, want string, most int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var taken, lost []string
			u := start(t, settings(t, map[string]any{"batch": 16.0, "linger": "10ms"}), func(r *http.Request) (*http.Response, error) {
				ids := idsIn(r)
				for _, id := range ids {
					if slices.Contains(strings.Fields(unwanted), id) {
						return says(code, "")
					}
				}
				taken = append(taken, ids...)
				return says(200, "")
			})
			o := newOwner()
			for i := range 40 {
				u.Offer(o.post("a", fmt.Sprint(i)))
			}
			for i, text := range o.wait(40) {
				if strings.Contains(text, "lost") {
					lost = append(lost, fmt.Sprint(i))
				}
			}
			if !slices.IsSortedFunc(taken, func(a, b string) int { return cmp.Or(len(a)-len(b), strings.Compare(a, b)) }) {
				t.Errorf("the order is %v", taken)
			}
			equal(t, fmt.Sprint(code, " ", unwanted), lost, strings.Fields(want)...)
			if st := u.stats(); st.Queued != 0 || st.Bytes != 0 || len(taken)+len(lost) != 40 {
				t.Errorf("%d taken and %d lost, %+v", len(taken), len(lost), st)
			}
			if got := u.lanes[0].most; got != most {
				t.Errorf("%d %s: the next batch has %d, want %d", code, unwanted, got, most)
			}
		})
	}
	f(422, "", "", 16)
	f(422, "0", "0", 16)
	f(400, "5", "5", 16)
	f(413, "15 16 17", "15 16 17", 16)
	f(400, "39", "39", 2)                                    // nothing came behind it
	f(404, "5", "0 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15", 16) // it is not for what is in it
}

func TestRetriesWaitLongerEachTimeUpToABound(t *testing.T) {
	s := settings(t, map[string]any{"backoff": "100ms", "max_backoff": "1s"})
	for tries, most := range map[int]time.Duration{1: 100 * time.Millisecond, 2: 200 * time.Millisecond, 4: 800 * time.Millisecond, 5: time.Second, 900: time.Second} {
		longest := time.Duration(0)
		for range 2000 {
			d := backoff(&s, tries)
			if d <= 0 || d > most {
				t.Fatalf("after %d tries: %v is not between 0 and %v", tries, d, most)
			}
			longest = max(longest, d)
		}
		if longest < most*9/10 {
			t.Errorf("after %d tries: at the most %v of %v", tries, longest, most)
		}
	}
}

func TestRetryAfterIsHonoured(t *testing.T) {
	f := func(code int, header func() string, want time.Duration) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			var at []time.Time
			u := start(t, settings(t, map[string]any{"backoff": "1ms"}), func(*http.Request) (*http.Response, error) {
				if at = append(at, time.Now()); len(at) > 1 {
					return says(200, "")
				}
				return says(code, "", "Retry-After", header())
			})
			o := newOwner()
			u.Offer(o.post("a", "1"))
			o.wait(1)
			if got := at[1].Sub(at[0]).Truncate(100 * time.Millisecond); got != want {
				t.Errorf("%d %s: tried again after %v, want %v", code, header(), got, want)
			}
		})
	}
	text := func(s string) func() string { return func() string { return s } }
	f(429, text("7"), 7*time.Second)
	f(503, text("120"), 2*time.Minute)
	f(503, text("86400"), maxRetryAfter)
	f(503, func() string { return time.Now().UTC().Add(3 * time.Second).Format(http.TimeFormat) }, 3*time.Second)
	f(429, text("soon"), 0)
}

func TestTheBreakerLetsOnePostTryEachCooldown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var mu sync.Mutex // there are four workers
		broken := true
		var at []time.Duration
		u := start(t, settings(t, map[string]any{
			"breaker": 3.0, "cooldown": "10s", "retries": 100.0, "backoff": "1ms", "max_backoff": "1ms", "concurrency": 4.0, "batch": 1.0,
		}), func(*http.Request) (*http.Response, error) {
			mu.Lock()
			defer mu.Unlock()
			if broken {
				at = append(at, time.Since(began).Truncate(time.Second))
				return says(500, "")
			}
			return says(200, "")
		})
		o := newOwner()
		u.Offer(o.post("a", "1"))
		for i := range 20 {
			u.Offer(o.post(fmt.Sprint("c", i), "1"))
		}
		time.Sleep(31 * time.Second)
		if st := u.stats(); st.Breaker != "open" || st.Queued != 21 || st.State != "live" {
			t.Errorf("%+v", st)
		}
		mu.Lock()
		first := slices.IndexFunc(at, func(d time.Duration) bool { return d > 0 })
		if first < 3 || first > 6 { // those that were on their way when it opened
			t.Errorf("%d posts before it opened", first)
		}
		if got := fmt.Sprint(at[first:]); got != "[10s 20s 30s]" {
			t.Errorf("probes at %s", got)
		}
		broken = false
		mu.Unlock()
		for _, text := range o.wait(21) {
			if !strings.Contains(text, "delivered") {
				t.Error(text)
			}
		}
		if st := u.stats(); st.Breaker != "closed" || st.Queued != 0 || st.Bytes != 0 || st.Delivered != 21 {
			t.Errorf("%+v", st)
		}
		for _, text := range []string{`msg="an upstream fails`, "failures=3", `msg="an upstream answers again"`} {
			if !strings.Contains(u.log.String(), text) {
				t.Errorf("the log lacks %s:\n%s", text, u.log)
			}
		}
	})
}

func TestABreakerOfZeroNeverOpens(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := start(t, settings(t, map[string]any{"breaker": 0.0, "retries": 30.0, "backoff": "1ms", "max_backoff": "1ms"}), func(*http.Request) (*http.Response, error) {
			return says(500, "")
		})
		o := newOwner()
		u.Offer(o.post("a", "1"))
		equal(t, "it", o.wait(1), "a lost after 31: it answered 500 Internal Server Error")
	})
}

func TestBatchesAreFilledForAWhile(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var posts []string
		u := start(t, settings(t, map[string]any{"batch": 3.0, "linger": "20ms"}), func(r *http.Request) (*http.Response, error) {
			posts = append(posts, fmt.Sprint(time.Since(began).Milliseconds(), idsIn(r)))
			return says(200, "")
		})
		o := newOwner()
		for i := range 7 {
			u.Offer(o.post("a", fmt.Sprint(i)))
		}
		o.wait(7)
		time.Sleep(80 * time.Millisecond)
		u.Offer(o.post("a", "7"))
		time.Sleep(15 * time.Millisecond)
		u.Offer(o.post("a", "8"))
		o.wait(2)
		equal(t, "posts", posts, "0 [0 1 2]", "0 [3 4 5]", "20 [6]", "120 [7 8]")
	})
}

func TestABatchOfManyBytesIsSeveralPosts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var posts []string
		u := start(t, settings(t, map[string]any{"linger": "1ms"}), func(r *http.Request) (*http.Response, error) {
			if r.ContentLength > maxPost+2 {
				t.Errorf("a post of %d bytes", r.ContentLength)
			}
			posts = append(posts, fmt.Sprint(len(idsIn(r))))
			return says(200, "")
		})
		o := newOwner()
		for i := range 5 {
			p := o.post("a", fmt.Sprint(i))
			p.Body = fmt.Appendf(nil, `{"messageId":"%d","data":"%s"}`, i, strings.Repeat("x", 400<<10))
			u.Offer(p)
		}
		o.wait(5)
		equal(t, "posts", posts, "2", "2", "1")
	})
}

func TestOneSendersMessagesKeepTheirOrder(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		got := map[string][]string{}
		n := 0
		u := start(t, settings(t, map[string]any{"batch": 4.0, "backoff": "1ms", "retries": 50.0, "breaker": 0.0}), func(r *http.Request) (*http.Response, error) {
			if n++; n%3 != 0 {
				return says(503, "")
			}
			for _, id := range idsIn(r) {
				from, _, _ := strings.Cut(id, "-")
				got[from] = append(got[from], id)
			}
			return says(200, "")
		})
		o := newOwner()
		const each = 50
		for i := range each {
			for _, from := range []string{"a", "b", "c"} {
				u.Offer(o.post(from, fmt.Sprintf("%s-%02d", from, i)))
			}
		}
		o.wait(3 * each)
		for from, ids := range got {
			if len(ids) != each || !slices.IsSorted(ids) {
				t.Errorf("%s: %v", from, ids)
			}
		}
	})
}

func TestWhatFindsNoRoomIsRefused(t *testing.T) {
	f := func(values map[string]any, taken int) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			block := make(chan struct{})
			u := start(t, settings(t, values), func(*http.Request) (*http.Response, error) {
				<-block
				return says(200, "")
			})
			o := newOwner()
			n := 0
			for i := range 1000 {
				if p := o.post("a", fmt.Sprint(i)); u.Offer(withData(p, 900)) {
					n++
				}
			}
			if n != taken {
				t.Errorf("%v: %d were taken, want %d", values, n, taken)
			}
			if st := u.stats(); st.Refused != uint64(1000-n) || st.Queued != int64(n) {
				t.Errorf("%v: %+v", values, st)
			}
			close(block)
			o.wait(n)
			if st := u.stats(); st.Queued != 0 || st.Bytes != 0 {
				t.Errorf("%v: afterwards %+v", values, st)
			}
			if !u.Offer(o.post("a", "x")) {
				t.Error("there is room again, and nothing finds it")
			}
			o.wait(1)
		})
	}
	f(map[string]any{"queue": 7.0}, 7)
	f(map[string]any{"queue_bytes": "64KiB"}, 64<<10/(900+3+postCost))
}

// withData gives p a body of so many bytes and an ID of 3.
func withData(p *core.Post, size int) *core.Post {
	p.ID = []byte(`"x"`)
	p.Body = []byte(`{"data":"` + strings.Repeat("x", size-len(`{"data":""}`)) + `"}`)
	return p
}

func TestWhatWaitsForTooLongExpires(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		u := start(t, settings(t, map[string]any{"retries": 100.0, "breaker": 1.0, "cooldown": "1m", "batch": 10.0, "linger": "1ms"}), func(*http.Request) (*http.Response, error) {
			return says(500, "")
		})
		o := newOwner()
		short := o.post("a", "1")
		short.Expires = time.Now().Add(30 * time.Second).UnixMilli()
		u.Offer(short)
		u.Offer(o.post("b", "2"))
		equal(t, "the first", o.wait(1), "a expired after 1: it waited for longer than its ttl")
		if st := u.stats(); st.Expired != 1 || st.Queued != 1 {
			t.Errorf("%+v", st)
		}
	})
}
