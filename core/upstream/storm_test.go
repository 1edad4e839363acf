package upstream

import (
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Several shards post at once to a service that fails as it likes: every post comes
// back to its own shard, once, and each sender's are taken in their order.
func TestAStormOfPostsComesBackOnceAndInOrder(t *testing.T) {
	var mu sync.Mutex
	seen := map[string]int{}
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		defer mu.Unlock()
		switch rand.IntN(4) {
		case 0:
			w.WriteHeader(503)
			return
		case 1:
			panic(http.ErrAbortHandler)
		}
		posts := idsIn(r)
		for i := range posts {
			from, text := posts[i][:2], posts[i][2:]
			if n, _ := strconv.Atoi(text); n != seen[from] {
				t.Errorf("%s: %s came, want %d", from, text, seen[from])
			}
			seen[from]++
		}
	}))
	defer server.Close()
	u := start(t, settings(t, map[string]any{
		"url": server.URL, "concurrency": 4.0, "batch": 16.0, "linger": "1ms", "retries": 1000.0, "backoff": "1ms", "max_backoff": "2ms", "breaker": 2.0, "cooldown": "10ms",
	}), nil)
	const shards, each = 4, 500
	var wait sync.WaitGroup
	for shard := range shards {
		o := newOwner()
		wait.Go(func() {
			for i := range each {
				for sender := range 2 {
					from := fmt.Sprintf("%d%d", shard, sender)
					if !u.Offer(o.post(from, from+strconv.Itoa(i))) {
						t.Error("a post was refused")
					}
				}
				if i%50 == 0 {
					time.Sleep(time.Millisecond) // so that workers go to sleep in between
				}
			}
			for _, got := range o.wait(2 * each) {
				if got[0] != byte('0'+shard) {
					t.Errorf("shard %d got back %s", shard, got)
				}
			}
			if len(o.came) > 0 {
				t.Errorf("%d posts came back twice", len(o.came))
			}
		})
	}
	wait.Wait()
	if st := u.stats(); st.Queued != 0 || st.Bytes != 0 || st.Delivered != shards*2*each || st.Lost != 0 {
		t.Errorf("%+v", st)
	}
}

// FuzzRetryAfter holds the reader of that header to any text.
func FuzzRetryAfter(f *testing.F) {
	for _, seed := range []string{"", "0", "7", "-1", "99999999999999999999", "Wed, 21 Oct 2065 07:28:00 GMT", "Wed, 21 Oct 1015 07:28:00 GMT", "soon"} {
		f.Add(seed)
	}
	now := time.Unix(1_800_000_000, 0)
	f.Fuzz(func(t *testing.T, text string) {
		if d := retryAfter(text, now); d < 0 || d > maxRetryAfter {
			t.Errorf("%q: %v", text, d)
		}
	})
}

// BenchmarkPosting is the whole way over loopback, with a service in the same
// process: batches of up to 100 messages of about 130 bytes.
func BenchmarkPosting(b *testing.B) {
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
	}))
	defer server.Close()
	u := start(b, settings(b, map[string]any{"url": server.URL, "concurrency": 4.0, "queue": 1_000_000.0, "queue_bytes": "1GiB"}), nil)
	o := &circle{came: make(chan struct{}, 1)}
	var mine *core.Post
	for i := range 4000 {
		p := withData(newOwner().post(fmt.Sprint("client-", i%500), "1"), 130)
		p.Owner, p.Next = o, mine
		mine = p
	}
	b.ReportAllocs()
	for b.Loop() {
		for mine == nil {
			if mine = o.back.Swap(nil); mine == nil {
				<-o.came
			}
		}
		p := mine
		mine = p.Next
		if !u.Offer(p) {
			b.Fatal("it was refused")
		}
	}
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "messages/s")
}
