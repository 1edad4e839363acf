package upstream

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

// settings are those of a script that gives these keys.
func settings(t testing.TB, values map[string]any) Settings {
	t.Helper()
	all := map[string]any{"url": "http://orders.test/hook", "linger": "0s", "concurrency": 1.0}
	maps.Copy(all, values)
	s, err := Read(core.Config{What: "upstream", Values: all})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// owner gets posts back and remembers them.
type owner struct {
	mu   sync.Mutex
	back []*core.Post
	came chan struct{} // gets a token for each post
}

func newOwner() *owner { return &owner{came: make(chan struct{}, 1<<16)} }

func (o *owner) TakeBack(p *core.Post) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for p != nil {
		next := p.Next
		p.Next = nil
		o.back = append(o.back, p)
		o.came <- struct{}{}
		p = next
	}
}

// wait waits for n posts and says what came of each.
func (o *owner) wait(n int) []string {
	for range n {
		<-o.came
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	var all []string
	for _, p := range o.back {
		word := [...]string{"delivered", "lost", "expired"}[p.Outcome]
		text := fmt.Sprintf("%s %s after %d", p.From, word, p.Tries)
		if p.Reason != "" {
			text += ": " + p.Reason
		}
		for _, r := range p.Replies {
			text += " reply " + string(r)
		}
		all = append(all, text)
	}
	o.back = nil
	return all
}

func (o *owner) post(from, id string) *core.Post {
	quoted := fmt.Sprintf("%q", id)
	return &core.Post{
		Owner: o, From: from, ID: []byte(quoted),
		Body: []byte(fmt.Sprintf(`{"from":%q,"messageId":%s,"data":1}`, from, quoted)),
	}
}

// service answers posts without a network.
type service func(*http.Request) (*http.Response, error)

func (f service) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// says is a response.
func says(code int, body string, headers ...string) (*http.Response, error) {
	h := http.Header{}
	for i := 0; i < len(headers); i += 2 {
		h.Set(headers[i], headers[i+1])
	}
	return &http.Response{StatusCode: code, Header: h, Body: io.NopCloser(strings.NewReader(body))}, nil
}

// idsIn are the messageIds in the body of a post.
func idsIn(r *http.Request) []string {
	var posted []struct{ From, MessageID string }
	if err := json.NewDecoder(r.Body).Decode(&posted); err != nil {
		return []string{err.Error()}
	}
	var ids []string
	for _, p := range posted {
		ids = append(ids, p.MessageID)
	}
	return ids
}

// running is an upstream in use, in a registry of its own.
type running struct {
	*Upstream
	registry *Registry
	set      *Set
	log      *lines
}

// lines keeps a log for the test to read.
type lines struct {
	mu sync.Mutex
	b  strings.Builder
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *lines) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}

// start runs an upstream with these settings; a nil service is the network.
func start(t testing.TB, s Settings, to service) *running {
	t.Helper()
	log := &lines{}
	r := NewRegistry(slog.New(slog.NewTextHandler(log, nil)))
	if to != nil {
		r.transport = to
	}
	set := r.NewSet([]Desc{{Name: "orders", Settings: s, Secret: "hush"}})
	if err := set.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ended, cancel := context.WithCancel(context.Background())
		cancel()
		r.Close(ended)
	})
	return &running{set.handles[0].live.Load(), r, set, log}
}

func (r *running) stats() Stats { return r.registry.Stats()[0] }

func equal(t testing.TB, what string, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("%s:\n got %s\nwant %s", what, strings.Join(got, "\n     "), strings.Join(want, "\n     "))
	}
}
