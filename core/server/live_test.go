package server

import (
	"errors"
	"fmt"
	"net/url"
	"testing"
)

func TestTheConsoleComesAsLinesOrEventsToThoseWhoMayRead(t *testing.T) {
	var asked url.Values
	g := start(t, func(o *Options) {
		o.Keys = testRing
		o.Live = func(q url.Values) (Stream, error) {
			switch asked = q; q.Get("every") {
			case "busy":
				return nil, fmt.Errorf("%w: sixteen are open", ErrBusy)
			case "bad":
				return nil, errors.New("no duration")
			}
			return func(write func([]byte) error) {
				_ = write([]byte("{\"ts\":1}\n"))
				_ = write([]byte("\n")) // a sign of life
				_ = write([]byte("{\"ts\":2}\n"))
			}, nil
		}
	})
	f := func(query, key, accept string, status int, kind, want string) {
		t.Helper()
		asked = nil
		r, body := ask(t, g.adminAddr, "GET /v1/live"+query+" HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer "+key+"\r\nAccept: "+accept+"\r\n\r\n")
		if r.StatusCode != status || r.Header.Get("Content-Type") != kind {
			t.Errorf("%s with %q: got %d %s %q", query, key, r.StatusCode, r.Header.Get("Content-Type"), body)
		}
		if status >= 400 {
			checkProblem(t, body, status, want)
		} else if body != want || asked.Get("every") != "5s" {
			t.Errorf("%s with %q: asked for %v, got %q", query, key, asked, body)
		}
	}
	const lines, events, problems = "application/x-ndjson", "text/event-stream", "application/problem+json"
	f("?every=5s", "read", "*/*", 200, lines, "{\"ts\":1}\n\n{\"ts\":2}\n")
	f("?every=5s", "admin", events, 200, events, "data: {\"ts\":1}\n\n:\n\ndata: {\"ts\":2}\n\n")
	f("?every=busy", "read", events, 429, problems, "sixteen are open")
	f("?every=bad", "read", "*/*", 400, problems, "no duration")
	f("?every=%zz", "read", "*/*", 400, problems, "cannot be read")
	f("?every=5s", "pub", events, 403, problems, "needs read")
	f("?every=5s", "nobody", "*/*", 401, problems, "not one of the gateway's")
	if asked != nil {
		t.Error("somebody without a key was let through")
	}
	if r, body := ask(t, g.publicAddr, "GET /v1/live HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer admin\r\n\r\n"); r.StatusCode != 404 || asked != nil {
		t.Errorf("the public address answers %d %s", r.StatusCode, body)
	}
}
