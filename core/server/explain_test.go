package server

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAMessageIsAskedForByItsId(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) {
		o.Message = func(id, client string, _ bool) any {
			asked = fmt.Sprintf("%q %q", id, client)
			return map[string]string{"messageId": id}
		}
	})
	f := func(path, want string, status int) {
		t.Helper()
		asked = ""
		r, body := ask(t, g.adminAddr, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r.StatusCode != status || asked != want {
			t.Errorf("%s: %d %s, asked for %s, want %d and %s", path, r.StatusCode, body, asked, status, want)
		}
		if status != 200 {
			checkProblem(t, body, status, "")
		}
	}
	f("/v1/messages/msg-001", `"msg-001" ""`, 200)
	f("/v1/messages/msg-001?client=c%201", `"msg-001" "c 1"`, 200)
	f("/v1/messages/a%2Fb", `"a/b" ""`, 200)
	f("/v1/messages/a/../b", `"a/../b" ""`, 200)
	f("/v1/messages/..", `".." ""`, 200)
	f("/v1/messages/a%3Fb%20c+d", `"a?b c+d" ""`, 200)
	f("/v1/messages/%C3%A4", `"ä" ""`, 200)
	f("/v1/messages/", "", 400)
	f("/v1/messages/%zz", "", 400)
	f("/v1/messages", "", 404)
	if r, _ := ask(t, g.publicAddr, "GET /v1/messages/a HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != 404 || asked != "" {
		t.Errorf("the public address answers %d", r.StatusCode)
	}
	if r, _ := ask(t, g.adminAddr, "GET /v1/messages/a HTTP/1.1\r\nHost: evil.example\r\n\r\n"); r.StatusCode != 403 || asked != "" {
		t.Errorf("a foreign page gets %d", r.StatusCode)
	}
}

func TestATailStreamsUntilItsReaderLeaves(t *testing.T) {
	lines, ended := make(chan string), make(chan error, 1)
	var query url.Values
	g := start(t, func(o *Options) {
		o.Tail = func(q url.Values, _ bool) (Stream, error) {
			switch query = q; q.Get("client") {
			case "busy":
				return nil, fmt.Errorf("%w: eight are open", ErrBusy)
			case "bad":
				return nil, errors.New("no such client")
			}
			return func(write func([]byte) error) {
				var err error
				for err == nil {
					line, more := <-lines
					if !more {
						break
					}
					err = write([]byte(line))
				}
				ended <- err
			}, nil
		}
	})
	p := dial(t, g.adminAddr)
	p.send("GET /v1/tail?client=a&prefix=x%20y HTTP/1.1\r\nHost: localhost\r\n\r\n")
	header, err := p.in.ReadString('\n')
	for line := ""; line != "\r\n" && err == nil; { // before anything is written
		line, err = p.in.ReadString('\n')
	}
	if err != nil || !strings.Contains(header, "200") || query.Get("client") != "a" || query.Get("prefix") != "x y" {
		t.Fatalf("%q %v %v", header, err, query)
	}
	read := func(want string) {
		t.Helper()
		size, _ := p.in.ReadString('\n')
		text, err := p.in.ReadString('\n')
		if err != nil || text != want {
			t.Fatalf("got %q %q %v", size, text, err)
		}
		if _, err := io.CopyN(io.Discard, p.in, 2); err != nil {
			t.Fatal(err)
		}
	}
	lines <- "{\"a\":1}\n"
	read("{\"a\":1}\n")
	lines <- "{\"a\":2}\n"
	read("{\"a\":2}\n")
	_ = p.Close()
	for done := false; !done; {
		select {
		case lines <- "\n":
		case err := <-ended:
			if err == nil {
				t.Error("the end of the reader was not noticed")
			}
			done = true
		}
	}

	f := func(query, want string, status int) {
		t.Helper()
		r, body := ask(t, g.adminAddr, "GET /v1/tail?"+query+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r.StatusCode != status {
			t.Errorf("%s: %d %s", query, r.StatusCode, body)
		}
		checkProblem(t, body, status, want)
	}
	f("client=busy", "eight are open", 429)
	f("client=bad", "no such client", 400)
	f("client=%zz", "cannot be read", 400)

	// One that comes to its end by itself.
	p = dial(t, g.adminAddr)
	p.send("GET /v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
	lines <- "{}\n"
	close(lines)
	text, err := io.ReadAll(bufio.NewReader(p.in))
	if err != nil || !strings.Contains(string(text), "{}\n") || <-ended != nil {
		t.Errorf("got %q %v", text, err)
	}
	if r, _ := ask(t, g.publicAddr, "GET /v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != 404 {
		t.Errorf("the public address answers %d", r.StatusCode)
	}
}

func TestAShutdownDoesNotWaitForAReaderThatHasStopped(t *testing.T) {
	ended := make(chan struct{})
	g := start(t, func(o *Options) {
		o.Tail = func(url.Values, bool) (Stream, error) {
			return func(write func([]byte) error) {
				defer close(ended)
				for line := append(bytes.Repeat([]byte("x"), 64<<10), '\n'); write(line) == nil; {
				}
			}, nil
		}
	})
	p := dial(t, g.adminAddr)
	p.send("GET /v1/tail HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if _, err := p.in.ReadString('\n'); err != nil { // and nothing more is read
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	if err := g.Shutdown(ctx); err != nil {
		t.Error(err)
	}
	<-ended
}
