package server

import (
	"encoding/json"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAdminChecks(t *testing.T) {
	g := start(t, nil)
	f := func(status int, headers ...string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, "GET /healthz HTTP/1.1\r\n"+strings.Join(headers, "\r\n")+"\r\n\r\n")
		if r.StatusCode != status {
			t.Errorf("%q: %d %s, want %d", headers, r.StatusCode, body, status)
		}
		if status == 403 {
			checkProblem(t, body, 403, "")
		}
	}
	f(200, "Host: localhost")
	f(200, "Host: LOCALHOST:9000") // through a forwarded port
	f(200, "Host: 127.0.0.1")
	f(200, "Host: "+g.adminAddr)
	f(200, "Host: [::1]:8081")
	f(400, "Host: ")
	f(403, "Host: localhost.")
	f(403, "Host: localhost.evil.example")
	f(403, "Host: evil.example")
	f(403, "Host: evil.example:8081")
	f(403, "Host: 10.0.0.1:8081")
	f(403, "Host: 0.0.0.0")
	f(400, "Host: localhost", "Host: localhost")

	f(403, "Host: localhost", "Forwarded: for=10.0.0.1")
	f(403, "Host: localhost", "X-Forwarded-For: 10.0.0.1")
	f(403, "Host: localhost", "x-forwarded-host: a")
	f(403, "Host: localhost", "X-Forwarded-Proto: https")
	f(403, "Host: localhost", "X-Real-IP: 10.0.0.1")
	f(403, "Host: localhost", "Via: 1.1 proxy")
	f(403, "Host: localhost", "Via:")

	f(200, "Host: localhost:8081", "Origin: http://localhost:8081")
	f(403, "Host: localhost:8081", "Origin: http://localhost:9000")
	f(403, "Host: localhost:8081", "Origin: https://localhost:8081")
	f(403, "Host: localhost", "Origin: https://evil.example")
	f(403, "Host: localhost", "Origin: null")
	f(403, "Host: localhost", "Origin: http://localhost", "Origin: https://evil.example")

	f(200, "Host: localhost", "Sec-Fetch-Site: none")
	f(200, "Host: localhost", "Sec-Fetch-Site: same-origin")
	f(403, "Host: localhost", "Sec-Fetch-Site: cross-site")
	f(403, "Host: localhost", "Sec-Fetch-Site: same-site")
}

func TestAdminRefusesForeignTargets(t *testing.T) {
	g := start(t, nil)
	for _, path := range []string{"/v1/status", "/v1/reload", "/metrics", "/debug/pprof/", "/nothing"} {
		if r, _ := ask(t, g.adminAddr, "GET "+path+" HTTP/1.1\r\nHost: evil.example\r\n\r\n"); r.StatusCode != 403 {
			t.Errorf("GET %s: %d", path, r.StatusCode)
		}
	}
	for host, status := range map[string]int{"localhost": 400, "evil.example": 403} {
		if r, _ := ask(t, g.adminAddr, "GET http://evil.example/healthz HTTP/1.1\r\nHost: "+host+"\r\n\r\n"); r.StatusCode != status {
			t.Errorf("an absolute target with the Host %s got %d", host, r.StatusCode)
		}
	}
}

func checkProblem(t *testing.T, body string, status int, detail string) {
	t.Helper()
	var p struct {
		Title, Detail string
		Status        int
	}
	if err := json.Unmarshal([]byte(body), &p); err != nil {
		t.Errorf("%q: %v", body, err)
	}
	if p.Title == "" || p.Status != status || !strings.Contains(p.Detail, detail) || p.Detail == "" {
		t.Errorf("the problem is %+v, want status %d and %q", p, status, detail)
	}
}

func TestAdminAPI(t *testing.T) {
	broken := errors.New("main.lua:3: unexpected symbol")
	var result error
	g := start(t, func(o *Options) { o.Reload = func(string) error { return result } })
	f := func(method, path string, status int, contentType, holds string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, method+" "+path+" HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
		if r.StatusCode != status || !strings.HasPrefix(r.Header.Get("Content-Type"), contentType) || !strings.Contains(body, holds) {
			t.Errorf("%s %s: %d %s %q", method, path, r.StatusCode, r.Header.Get("Content-Type"), body)
		}
		if contentType == "application/problem+json" {
			checkProblem(t, body, status, holds)
		}
		if status == 405 && r.Header.Get("Allow") == "" {
			t.Errorf("%s %s: 405 without Allow", method, path)
		}
	}
	f("GET", "/v1/status", 200, "application/json", `"generation": 7`)
	f("POST", "/v1/status", 405, "application/problem+json", "GET")
	f("GET", "/v1/reload", 405, "application/problem+json", "POST")
	f("POST", "/v1/reload", 200, "application/json", `"generation": 7`)
	result = broken
	f("POST", "/v1/reload", 422, "application/problem+json", broken.Error())
	f("GET", "/v1/nothing", 404, "application/problem+json", "nothing")
	f("GET", "/ws?clientId=a", 404, "application/problem+json", "nothing")
	f("GET", "/debug/pprof", 308, "", "")
	f("GET", "/debug/pprof/", 200, "text/html", "goroutine")
	f("GET", "/debug/pprof/goroutine?debug=1", 200, "text/plain", "goroutine profile")
	f("GET", "/debug/pprof/cmdline", 200, "text/plain", "server.test")
	f("GET", "/debug/pprof/nothing", 404, "", "")
}

func TestAdminStatusThatCannotBeEncoded(t *testing.T) {
	g := start(t, func(o *Options) { o.Status = func() any { return func() {} } })
	r, body := ask(t, g.adminAddr, "GET /v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if r.StatusCode != 500 {
		t.Errorf("got %s", r.Status)
	}
	checkProblem(t, body, 500, "encode the answer")
}

func TestAdminStaysOnThisMachine(t *testing.T) {
	g := start(t, nil)
	ln, err := net.Listen("tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	if err := g.ServeAdmin(ln); err == nil || !strings.Contains(err.Error(), "not a loopback address") {
		t.Errorf("ServeAdmin on %s: %v", ln.Addr(), err)
	}
	if _, err := ln.Accept(); err == nil {
		t.Error("the listener is still open")
	}
}

func TestAdminTakesNoSocketThatOthersMayOpen(t *testing.T) {
	path := filepath.Join(t.TempDir(), "admin.sock")
	if ln, err := ListenAdmin("unix:" + path + ",mode=660"); err == nil || !strings.Contains(err.Error(), "lets others in") {
		t.Errorf("got %v, %v", ln, err)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the socket is still there")
	}
	ln, err := ListenAdmin("unix:" + path + ",mode=600")
	if err != nil {
		t.Fatal(err)
	}
	_ = ln.Close()
}

func TestAdminOnAUnixSocket(t *testing.T) {
	g := start(t, nil)
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- g.ServeAdmin(ln) }()
	t.Cleanup(func() {
		if err := <-done; err != nil {
			t.Error(err)
		}
	})
	t.Cleanup(func() { _ = ln.Close() })
	if r, _ := ask(t, path, "GET /v1/status HTTP/1.1\r\nHost: anything\r\n\r\n"); r.StatusCode != 200 {
		t.Errorf("any Host: %s", r.Status)
	}
	if r, _ := ask(t, path, "GET /v1/status HTTP/1.1\r\nHost: anything\r\nX-Forwarded-For: a\r\n\r\n"); r.StatusCode != 403 {
		t.Errorf("through a proxy: %s", r.Status)
	}
}
