package server

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/valyala/fasthttp"
)

// smuggled is what stands behind each shape: a request that must never be read as
// one.
const smuggled = "GET /readyz HTTP/1.1\r\nHost: localhost\r\n\r\n"

// onlyAnswer sends text and expects one answer, or none, and the end of the
// connection. It returns the status, 0 for none.
func onlyAnswer(t *testing.T, addr, text string) int {
	t.Helper()
	p := dial(t, addr)
	p.send(text)
	if _, err := p.in.Peek(1); err != nil {
		if errors.Is(err, os.ErrDeadlineExceeded) {
			t.Errorf("%q: the connection stays open", text)
		}
		return 0
	}
	r, _ := p.answer()
	rest, err := io.ReadAll(p.in)
	if err != nil && !strings.Contains(err.Error(), "reset") || len(rest) > 0 {
		t.Errorf("%q: behind %s there is %q, %v", text, r.Status, rest, err)
	}
	if r.Header.Get("Connection") == "" && !r.Close {
		t.Errorf("%q: the answer does not say that the connection ends: %v", text, r.Header)
	}
	return r.StatusCode
}

// What proxies and servers are known to read in different ways has one answer,
// and ends the connection.
func TestWhatMayBeReadInTwoWaysIsRefused(t *testing.T) {
	g := start(t, func(o *Options) { o.HandshakeTimeout = 500 * time.Millisecond })
	f := func(shape string, status int, request string) {
		t.Helper()
		for _, addr := range []string{g.publicAddr, g.adminAddr} {
			if got := onlyAnswer(t, addr, request+smuggled); got != status {
				t.Errorf("%s: %d, want %d", shape, got, status)
			}
		}
	}
	post := func(headers, body string) string {
		return "POST /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
	}
	get := func(line, headers string) string { return line + "\r\n" + headers + "\r\n" }
	const chunks = "2\r\nab\r\n0\r\n\r\n"

	// Where does the body end?
	f("both lengths", 400, post("Content-Length: 12\r\nTransfer-Encoding: chunked\r\n", chunks))
	f("both lengths, the other way round", 400, post("Transfer-Encoding: chunked\r\nContent-Length: 12\r\n", chunks))
	f("two lengths", 400, post("Content-Length: 2\r\nContent-Length: 3\r\n", "abc"))
	f("two equal lengths", 400, post("Content-Length: 2\r\nContent-Length: 2\r\n", "ab"))
	f("a list of lengths", 400, post("Content-Length: 2, 2\r\n", "ab"))
	f("a length with a plus", 400, post("Content-Length: +2\r\n", "ab"))
	f("a length below zero", 400, post("Content-Length: -2\r\n", "ab"))
	f("a length in hex", 400, post("Content-Length: 0x2\r\n", "ab"))
	f("a length with an underscore", 400, post("Content-Length: 1_0\r\n", "ab"))
	f("a length with a fraction", 400, post("Content-Length: 2.0\r\n", "ab"))
	f("an empty length", 400, post("Content-Length: \r\n", "ab"))
	f("a length beyond 64 bits", 400, post("Content-Length: 18446744073709551618\r\n", "ab"))
	f("a length that is too large", 413, post("Content-Length: 999999\r\n", "ab"))
	f("a coding in an old version", 400, strings.Replace(post("Transfer-Encoding: chunked\r\n", chunks), "HTTP/1.1", "HTTP/1.0", 1))
	f("two codings", 400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", chunks))
	f("two codings of which one is none", 400, post("Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", chunks))
	f("a list of codings", 400, post("Transfer-Encoding: gzip, chunked\r\n", chunks))
	f("chunked twice", 400, post("Transfer-Encoding: chunked, chunked\r\n", chunks))
	f("an unknown coding", 400, post("Transfer-Encoding: xchunked\r\n", chunks))
	f("no coding by name", 501, post("Transfer-Encoding: identity\r\n", ""))
	f("an empty coding", 400, post("Transfer-Encoding:\r\n", chunks))
	f("a coding in quotes", 400, post("Transfer-Encoding: \"chunked\"\r\n", chunks))
	f("a coding with a control character", 400, post("Transfer-Encoding: \vchunked\r\n", chunks))
	f("a space before the colon", 400, post("Transfer-Encoding : chunked\r\n", chunks))
	f("a tab before the colon", 400, post("Transfer-Encoding\t: chunked\r\n", chunks))
	f("a space in the name", 400, post("Transfer Encoding: chunked\r\n", chunks))
	f("a space before the name", 400, post(" Transfer-Encoding: chunked\r\n", chunks))
	f("a control character in the name", 400, post("Transfer-Encoding\x00: chunked\r\n", chunks))
	f("no name", 400, post(": chunked\r\n", chunks))
	f("no colon", 400, post("Transfer-Encoding chunked\r\n", chunks))
	f("a coding in a second line", 400, post("Transfer-Encoding:\r\n chunked\r\n", chunks))
	f("a coding with another second line", 400, post("Transfer-Encoding: chunked\r\n x\r\n", chunks))
	f("a length in a second line", 400, post("Content-Length:\r\n 2\r\n", "ab"))
	f("any header with a second line", 400, post("X: a\r\n\tb\r\nContent-Length: 2\r\n", "ab"))

	// Where does a line end?
	f("a bare LF", 400, post("X: a\nContent-Length: 2\r\n", "ab"))
	f("a bare CR", 400, post("X: a\rContent-Length: 2\r\n", "ab"))
	f("a bare CR at the end", 400, post("X: a\r\r\nContent-Length: 0\r\n", ""))
	f("a NUL in a value", 400, post("X: a\x00b\r\nContent-Length: 0\r\n", ""))
	f("a bare LF before the body", 400, "POST /healthz HTTP/1.1\r\nHost: localhost\r\nX: a\r\n\n\r\n\r\n")
	f("a bare LF behind the request line and behind a header", 400, "GET /healthz HTTP/1.1\nHost: localhost\n\r\n\r\n")

	// Where does a chunk end?
	for shape, body := range map[string]string{
		"a chunk with a plus":        "+2\r\nab\r\n0\r\n\r\n",
		"a chunk below zero":         "-2\r\nab\r\n0\r\n\r\n",
		"a chunk in 0x":              "0x2\r\nab\r\n0\r\n\r\n",
		"a chunk without a size":     "\r\nab\r\n0\r\n\r\n",
		"a chunk beyond 64 bits":     "10000000000000002\r\nab\r\n0\r\n\r\n",
		"a chunk with a bare LF":     "2\nab\r\n0\r\n\r\n",
		"a chunk ended by a bare LF": "2\r\nab\n0\r\n\r\n",
		"a chunk that is longer":     "2\r\nabc\r\n0\r\n\r\n",
		"an extension with a LF":     "2;a\n\r\nab\r\n0\r\n\r\n",
		"a space before the size":    " 2\r\nab\r\n0\r\n\r\n",
		"a trailer that is a length": "2\r\nab\r\n0\r\nContent-Length: 5\r\n\r\n",
		"a trailer that is a coding": "2\r\nab\r\n0\r\nTransfer-Encoding: chunked\r\n\r\n",
	} {
		f(shape, 400, post("Transfer-Encoding: chunked\r\n", body))
	}
	f("chunks that are too large together", 413, post("Transfer-Encoding: chunked\r\n", strings.Repeat("800\r\n"+strings.Repeat("x", 2048)+"\r\n", 3)))

	// For whom is it?
	f("two hosts", 400, get("GET /healthz HTTP/1.1", "Host: localhost\r\nHost: localhost\r\n"))
	f("no host", 400, get("GET /healthz HTTP/1.1", ""))
	f("another host in the request line", 400, get("GET http://other.test/healthz HTTP/1.1", "Host: localhost\r\n"))
	f("another port in the request line", 400, get("GET http://localhost:81/healthz HTTP/1.1", "Host: localhost\r\n"))
	f("a user in the request line", 400, get("GET http://a@localhost/healthz HTTP/1.1", "Host: localhost\r\n"))
	f("a tunnel", 400, get("CONNECT other.test:80 HTTP/1.1", "Host: localhost\r\n"))

	// What is it?
	f("no version", 400, get("GET /healthz", "Host: localhost\r\n"))
	f("version 2", 505, get("GET /healthz HTTP/2.0", "Host: localhost\r\n"))
	f("version 1.2", 505, get("GET /healthz HTTP/1.2", "Host: localhost\r\n"))
	f("two spaces", 400, get("GET  /healthz HTTP/1.1", "Host: localhost\r\n"))
	f("words behind the version", 400, get("GET /healthz HTTP/1.1 x", "Host: localhost\r\n"))
	f("a path without a slash", 400, get("GET healthz HTTP/1.1", "Host: localhost\r\n"))
	f("a NUL in the path", 400, get("GET /health\x00z HTTP/1.1", "Host: localhost\r\n"))
	f("a control character in the method", 400, get("G\x01ET /healthz HTTP/1.1", "Host: localhost\r\n"))
	f("HTTP/2 without being asked", 400, "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
	f("TLS", 400, "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n")

	// How much is it?
	f("large headers", 431, get("GET /healthz HTTP/1.1", "Host: localhost\r\nX: "+strings.Repeat("x", headerBytes)+"\r\n"))
	f("a long request line", 431, get("GET /healthz?"+strings.Repeat("x", headerBytes)+" HTTP/1.1", "Host: localhost\r\n"))
	f("many headers", 431, get("GET /healthz HTTP/1.1", "Host: localhost\r\n"+strings.Repeat("X: y\r\n", maxFields)))
	f("lines before the request line, as many as there is room for", 0, strings.Repeat("\r\n", headerBytes))

	// Its end is in the request behind it.
	f("only bare LF", 400, "GET /healthz HTTP/1.1\nHost: localhost\n\n")
}

// What is unusual and clear is served, and the connection goes on.
func TestUnusualRequestsAreServed(t *testing.T) {
	g := start(t, nil)
	f := func(shape string, status int, request string) {
		t.Helper()
		p := dial(t, g.publicAddr)
		p.send(request + smuggled)
		first, _ := p.answer()
		second, body := p.answer()
		if first.StatusCode != status || second.StatusCode != 200 || body != "ok\n" {
			t.Errorf("%s: %d and %d %q, want %d", shape, first.StatusCode, second.StatusCode, body, status)
		}
	}
	f("a body in chunks", 405, "POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: Chunked\r\n\r\n2;a=b\r\nab\r\n0\r\n\r\n")
	f("a body of a GET", 200, "GET /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\r\nab")
	f("a trailer", 405, "POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n0\r\nX: y\r\n\r\n")
	f("its own host in the request line", 200, "GET http://LOCALHOST/healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	f("an empty line before it", 200, "\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	f("an old version that stays", 200, "GET /healthz HTTP/1.0\r\nConnection: keep-alive\r\n\r\n")
	const form = "--x\r\nContent-Disposition: form-data; name=\"a\"\r\n\r\nb\r\n--x--\r\n" + smuggled
	f("a form whose parts end before it does", 405, fmt.Sprintf(
		"POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Type: multipart/form-data; boundary=x\r\nContent-Length: %d\r\n\r\n%s", len(form), form))
	f("as many headers as may be", 200, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n"+strings.Repeat("X: y\r\n", maxFields-1)+"\r\n")
}

// What a proxy adds stands among the headers. A field behind the body is its sender's.
func TestNoTrailerSpeaksForAProxy(t *testing.T) {
	proxies, err := ParseProxies([]string{"127.0.0.1"})
	if err != nil {
		t.Fatal(err)
	}
	g := start(t, func(o *Options) { o.Proxies = proxies })
	request := handshake("?clientId=a", "X-Forwarded-For: 203.0.113.9", "Transfer-Encoding: chunked") + "0\r\nX-Forwarded-For: 6.6.6.6\r\n\r\n"
	if got := onlyAnswer(t, g.publicAddr, request); got != 400 {
		t.Errorf("it is answered with %d", got)
	}
}

// Whoever takes a refused upgrade for one must not get a request through behind it.
func TestARefusedUpgradeEndsTheConnection(t *testing.T) {
	g := start(t, nil)
	f := func(status int, request string) {
		t.Helper()
		if got := onlyAnswer(t, g.publicAddr, request+smuggled); got != status {
			t.Errorf("%.80q: %d, want %d", request, got, status)
		}
	}
	f(400, handshake(""))
	f(400, handshake("?clientId=a", "Sec-WebSocket-Key: x"))
	f(426, handshake("?clientId=a", "Sec-WebSocket-Version: 777"))
	f(426, handshake("?clientId=a", "Upgrade: h2c"))
	f(403, handshake("?clientId=a", "Origin: https://evil.example"))
	g.draining.Store(true)
	f(503, handshake("?clientId=a"))
}

// What stands behind an upgrade belongs to the client's frames, whatever it looks
// like.
func TestBehindAnUpgradeThereAreNoRequests(t *testing.T) {
	g := start(t, nil)
	p := dial(t, g.publicAddr)
	p.send(handshake("?clientId=a", "Content-Length: 3") + "abc" + smuggled)
	if r, _ := p.answer(); r.StatusCode != http.StatusSwitchingProtocols {
		t.Fatal(r.Status)
	}
	c := <-g.clients
	defer closeDescriptor(c.FD)
	if string(c.Early) != smuggled {
		t.Errorf("handed over is %q", c.Early)
	}
	if p.in.Buffered() > 0 {
		t.Error("there is a second answer")
	}
}

// A path names what it says, byte for byte: nothing is walked up, joined or
// decoded twice.
func TestPathsAreNotWalked(t *testing.T) {
	g := start(t, func(o *Options) {
		o.Message = func(id, _ string, _ bool) any { return map[string]string{"id": id} }
	})
	f := func(path string, status int) {
		t.Helper()
		for _, addr := range []string{g.publicAddr, g.adminAddr} {
			p := dial(t, addr)
			p.send("GET " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
			r, body := p.answer()
			if want := status; r.StatusCode != want && (addr == g.adminAddr || r.StatusCode != 404 && r.StatusCode != 400) {
				t.Errorf("%s: %s %s, want %d", path, r.Status, body, want)
			}
			if strings.Contains(body, "root:") || strings.Contains(body, "goroutine") {
				t.Errorf("%s shows %.80q", path, body)
			}
		}
	}
	const up = "/../../../../../../../../etc/passwd"
	f("/console"+up, 404)
	f("/console/..%2f..%2f..%2f..%2fetc%2fpasswd", 404)
	f("/console/%2e%2e/%2e%2e/%2e%2e/etc/passwd", 404)
	f("/console/%252e%252e%252fetc%252fpasswd", 404)
	f("/console/..%5c..%5cetc%5cpasswd", 404)
	f(`/console/..\..\etc\passwd`, 404)
	f("/console//etc/passwd", 404)
	f("//etc/passwd", 404)
	f("/%2e%2e%2fetc%2fpasswd", 404)
	f("/console/%c0%ae%c0%ae/%c0%ae%c0%ae/etc/passwd", 404)
	f("/console/%00", 404)
	f("/console/x%00.js", 404)
	f("/v1/../v1/status", 404)
	f("//v1/status", 404)
	f("/v1//status", 404)
	f("/v1/./status", 404)
	f("/V1/status", 404)
	f("/v1/status/", 404)
	f("/v1/status%00", 404)
	f("/v1/%73tatus", 404)
	f("/v1/generations"+up, 404)
	f("/debug/pprof/..%2f..%2fetc%2fpasswd", 404)
	f("/debug/pprof"+up, 404)
	f("/debug/pprof/%00", 404)
	f("/debug/pprof/%c0%afetc", 404)
	f("/debug/../debug/pprof/goroutine", 404)
}

// What is served here is a request for net/http, too, and ends at the same byte.
func FuzzAmbiguous(f *testing.F) {
	f.Add("Content-Length: 2\r\n", "ab")
	f.Add("Transfer-Encoding: chunked\r\n", "2\r\nab\r\n0\r\n\r\n")
	f.Add("Transfer-Encoding: chunked\r\n", "2;x=y\r\nab\r\n0\r\nX: y\r\n\r\nGET /")
	f.Add("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", "2\r\nab\r\n0\r\n\r\n")
	f.Add("Transfer-Encoding : chunked\r\n", "0\r\n\r\n")
	f.Add("X: a\n", "")
	f.Add(" x: y\r\n", "")
	f.Add("Content-Length: 0\r\nX:y", "\r\n")
	f.Fuzz(func(t *testing.T, headers, body string) {
		text := "POST /healthz HTTP/1.1\r\nHost: localhost\r\n" + headers + "\r\n" + body
		ours := bufio.NewReaderSize(strings.NewReader(text), headerBytes)
		var req fasthttp.Request
		if err := req.ReadLimitBody(ours, bodyBytes); err != nil {
			return
		}
		if _, wrong := ambiguous(&req.Header); wrong != "" {
			return
		}
		theirs := bufio.NewReader(strings.NewReader(text))
		r, err := http.ReadRequest(theirs)
		if err != nil {
			t.Fatalf("%q is served, and is no request for net/http: %v", text, err)
		}
		got, err := io.ReadAll(r.Body)
		if err != nil || !bytes.Equal(got, req.Body()) {
			t.Fatalf("%q: the body is %q, and %q for net/http (%v)", text, req.Body(), got, err)
		}
		left, _ := io.ReadAll(ours)
		if leftThere, _ := io.ReadAll(theirs); !bytes.Equal(left, leftThere) {
			t.Fatalf("%q: %q is left, and %q for net/http", text, left, leftThere)
		}
	})
}
