package server

import (
	"bytes"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// lines is a log that is read while it is written.
type lines struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (l *lines) Write(b []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(b)
}

// taken is what was written since the last call, without the times.
func (l *lines) taken() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	defer l.text.Reset()
	return l.text.String()
}

func (l *lines) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelInfo, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}}))
}

func TestTheLogSaysWhichOperatorDidWhat(t *testing.T) {
	asked, log := "", &lines{}
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys, o.Tokens, o.Log = testRing, tokens, log.logger() })
	f := func(method, path, key, want string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+key+"\r\n"+isJSON+"Content-Length: 2\r\n\r\n{}")
		got := log.taken()
		if want != "" {
			want = fmt.Sprintf("level=INFO msg=\"an operator used the API\" did=\"%s %s", method, want)
		}
		if !strings.HasPrefix(got, want) || (got == "") != (want == "") || strings.Count(got, "\n") > 1 || want != "" && !strings.Contains(got, " remote=127.0.0.1:") {
			t.Errorf("%s %s: %d %s, the log says %q, want %q", method, path, r.StatusCode, body, got, want)
		}
	}
	f("DELETE", "/v1/clients/a%20b?reason=spam", "admin", `/v1/clients/a b" reason=spam by=admin with=key remote=`)
	f("DELETE", "/v1/clients/a", "jwt-admin", `/v1/clients/a" by=ops with=token remote=`)
	f("PUT", "/v1/clients/a/groups/g", "admin", `/v1/clients/a/groups/g" by=admin`)
	f("DELETE", "/v1/clients/a/groups/g", "admin", `/v1/clients/a/groups/g" by=admin`)
	f("POST", "/v1/rollback?to=3", "admin", `/v1/rollback" to=3 by=admin`)
	f("POST", "/v1/reload?gate=off", "admin", `/v1/reload" gate=off by=admin`)
	f("GET", "/v1/clients/a/pending?data=1", "admin", `/v1/clients/a/pending" data=1 by=admin`)
	f("GET", "/v1/generations/live", "admin", `/v1/generations/live" by=admin`)
	f("GET", "/v1/traffic", "admin", `/v1/traffic" by=admin`)
	f("GET", "/v1/profile?seconds=0", "admin", `/v1/profile" seconds=0 by=admin`)
	f("GET", "/v1/clients/a/pending?data=0", "admin", "")
	f("GET", "/v1/clients/a/pending", "read", "")
	f("GET", "/v1/status", "read", "")
	f("POST", "/v1/publish", "pub", "")
}

func TestWithoutKeysItIsAnOperatorAndOnASocketTheMachineItself(t *testing.T) {
	asked, log := "", &lines{}
	g := start(t, func(o *Options) { api(&asked)(o); o.Log = log.logger() })
	if r, body := ask(t, g.adminAddr, "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); r.StatusCode != 200 {
		t.Fatal(body)
	}
	if got := log.taken(); !strings.Contains(got, ` by=operator with=nothing remote=127.0.0.1:`) || !strings.Contains(got, "status=200") {
		t.Errorf("the log says %q", got)
	}
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = g.ServeAdmin(ln) }()
	if r, body := ask(t, path, "POST /v1/reload HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n"); r.StatusCode != 200 {
		t.Fatal(body)
	}
	if got := log.taken(); !strings.Contains(got, " by=operator with=nothing remote=unix status=200\n") {
		t.Errorf("the log says %q", got)
	}
}

func TestRefusedRequestsOfTheAPIAreWarnedOfOnceAMinute(t *testing.T) {
	asked, log := "", &lines{}
	g := start(t, func(o *Options) {
		api(&asked)(o)
		o.Keys, o.Tokens, o.PublicPublish, o.Log = testRing, tokens, true, log.logger()
	})
	const secret = "sk_this-is-a-secret"
	f := func(addr, method, path, key string, status int, want string) {
		t.Helper()
		r, body := ask(t, addr, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+key+"\r\n"+isJSON+"Content-Length: 2\r\n\r\n{}")
		got := log.taken()
		if r.StatusCode != status || !strings.Contains(got, want) || (got == "") != (want == "") || strings.Contains(got, "secret") {
			t.Errorf("%s %s: %d %s, the log says %q, want %q", method, path, r.StatusCode, body, got, want)
		}
	}
	later := func() {
		for i := range g.turned {
			g.turned[i].next.Store(0)
		}
	}
	f(g.adminAddr, "GET", "/v1/status", secret, 401, `level=WARN msg="a request to the API is refused" wanted="GET /v1/status" reason=unauthorized side=admin remote=127.0.0.1:`)
	for range 3 {
		f(g.adminAddr, "GET", "/v1/status", secret, 401, "")
	}
	f(g.publicAddr, "POST", "/v1/publish", secret, 401, "reason=unauthorized side=public")
	later()
	f(g.adminAddr, "POST", "/v1/reload", "read", 403, "reason=insufficient_scope side=admin by=read with=key remote=")
	later()
	f(g.adminAddr, "POST", "/v1/reload", "jwt-old", 401, "reason=token_expired side=admin remote=")
	later()
	f(g.adminAddr, "GET", "/v1/clients/a/pending?data=1", "read", 403, "by=read with=key")
	later()
	f(g.publicAddr, "POST", "/v1/publish?from=other", "pub", 403, "reason=insufficient_scope side=public by=pub")
	later()
	f(g.adminAddr, "GET", "/v1/status", secret, 401, "unlogged=0")
	f(g.adminAddr, "GET", "/v1/status", secret, 401, "")
	later()
	f(g.adminAddr, "GET", "/v1/status", secret, 401, "unlogged=1")
}
