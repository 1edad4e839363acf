package server

import (
	"net/http"
	"path"
	"regexp"
	"strings"
	"testing"
)

// consoleFile returns a file of the console.
func consoleFile(t *testing.T, name string) string {
	t.Helper()
	b, err := consoleFiles.ReadFile("console/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestTheConsoleIsServedWithWhatBindsIt(t *testing.T) {
	g := start(t, func(o *Options) { o.Keys = testRing }) // it needs no key: it asks for one
	entries, err := consoleFiles.ReadDir("console")
	if err != nil || len(entries) < 10 {
		t.Fatalf("%d files, %v", len(entries), err)
	}
	for _, e := range entries {
		at := "/console/" + e.Name()
		if e.Name() == "index.html" {
			at = "/console/"
		}
		r, body := ask(t, g.adminAddr, "GET "+at+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		if r.StatusCode != http.StatusOK || body != consoleFile(t, e.Name()) {
			t.Errorf("%s: %d and %d bytes", at, r.StatusCode, len(body))
		}
		f := func(header, want string) {
			t.Helper()
			if got := r.Header.Get(header); got != want {
				t.Errorf("%s: %s is %q, want %q", at, header, got, want)
			}
		}
		f("Content-Security-Policy", "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; "+
			"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'")
		f("X-Content-Type-Options", "nosniff")
		f("Referrer-Policy", "no-referrer")
		f("Cross-Origin-Opener-Policy", "same-origin")
		f("Cross-Origin-Resource-Policy", "same-origin")
		f("Cache-Control", "no-cache")
		f("Content-Type", map[string]string{
			".html": "text/html; charset=utf-8", ".css": "text/css; charset=utf-8", ".js": "text/javascript; charset=utf-8", ".svg": "image/svg+xml",
		}[path.Ext(e.Name())])

		tag := r.Header.Get("ETag")
		for _, known := range []string{tag, "W/" + tag, `"other", ` + tag, "*"} {
			r, body = ask(t, g.adminAddr, "GET "+at+" HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: "+known+"\r\n\r\n")
			if r.StatusCode != http.StatusNotModified || body != "" || r.Header.Get("ETag") != tag {
				t.Errorf("%s with If-None-Match %s: %d %q", at, known, r.StatusCode, body)
			}
		}
		if r, _ = ask(t, g.adminAddr, "GET "+at+" HTTP/1.1\r\nHost: localhost\r\nIf-None-Match: \"other\"\r\n\r\n"); r.StatusCode != http.StatusOK {
			t.Errorf("%s with another tag: %d", at, r.StatusCode)
		}
	}
}

func TestTheConsoleTakesItsOwnPathsAndNoOthers(t *testing.T) {
	g := start(t, nil)
	f := func(method, path string, status int) {
		t.Helper()
		if got, body, _ := g.request(t, g.adminAddr, method, path, "Connection: close", ""); got != status {
			t.Errorf("%s %s: %d %.80s, want %d", method, path, got, body, status)
		}
	}
	f("POST", "/console/", 405)
	f("PUT", "/console/app.js", 405)
	f("DELETE", "/console/app.js", 405)
	f("GET", "/console/index.html", 404)
	f("GET", "/console/nothing.js", 404)
	f("GET", "/console/app.js/", 404)
	f("GET", "/console/APP.JS", 404)
	f("GET", "/console/../console.go", 404)
	f("GET", "/console/..%2fconsole.go", 404)
	f("GET", "/console/%2e%2e/console.go", 404)
	f("GET", "/console/....//console.go", 404)
	f("GET", "/console/..%5cconsole.go", 404)
	f("GET", "/console//etc/passwd", 404)
	f("GET", "/console/app.js%00.html", 404)
	f("GET", "/consoles", 404)

	r, _ := ask(t, g.adminAddr, "GET /console HTTP/1.1\r\nHost: localhost\r\n\r\n")
	if r.StatusCode != http.StatusPermanentRedirect || r.Header.Get("Location") != "http://localhost/console/" {
		t.Errorf("without a slash: %d to %s", r.StatusCode, r.Header.Get("Location"))
	}
	for method, status := range map[string]int{"GET": http.StatusFound, "POST": http.StatusNotFound} {
		r, _ := ask(t, g.adminAddr, method+" / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n")
		if r.StatusCode != status || status == http.StatusFound && r.Header.Get("Location") != "http://localhost/console/" {
			t.Errorf("%s /: %d to %s", method, r.StatusCode, r.Header.Get("Location"))
		}
	}
	if r, _ := ask(t, g.publicAddr, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != http.StatusNotFound {
		t.Errorf("/ on the clients' address: %d", r.StatusCode)
	}
	if r, _ := ask(t, g.publicAddr, "GET /console/ HTTP/1.1\r\nHost: localhost\r\n\r\n"); r.StatusCode != http.StatusNotFound {
		t.Errorf("on the clients' address: %d", r.StatusCode)
	}
	for _, header := range []string{"Sec-Fetch-Site: cross-site", "Origin: https://evil.example", "X-Forwarded-For: 192.0.2.1"} {
		if r, _ := ask(t, g.adminAddr, "GET /console/ HTTP/1.1\r\nHost: localhost\r\n"+header+"\r\n\r\n"); r.StatusCode != http.StatusForbidden {
			t.Errorf("with %s: %d", header, r.StatusCode)
		}
	}
}

func TestTheConsoleNamesNoOtherHostAndMakesNoMarkup(t *testing.T) {
	const namespace = "http://www.w3.org/2000/svg" // a name, which nobody asks
	never := regexp.MustCompile(`(?i)://[a-z0-9]|["'(]//[a-z0-9]|url\(|@import|innerHTML|outerHTML|insertAdjacentHTML|document\.write|\beval\(|new Function|` +
		`DOMParser|createContextualFragment|srcdoc|setHTMLUnsafe|\.style\b|javascript:|localStorage.*key,|document\.cookie`)
	entries, _ := consoleFiles.ReadDir("console")
	for _, e := range entries {
		for i, line := range strings.Split(strings.ReplaceAll(consoleFile(t, e.Name()), namespace, ""), "\n") {
			if found := never.FindString(line); found != "" {
				t.Errorf("%s:%d has %q: %s", e.Name(), i+1, found, line)
			}
		}
	}
}

func TestTheConsoleHasNothingInline(t *testing.T) {
	html := consoleFile(t, "index.html")
	for what, never := range map[string]string{
		"a style":            `(?i)<style|\sstyle\s*=`,
		"a handler":          `(?i)<[^>]*\son[a-z]+\s*=`,
		"a script":           `(?i)<script[^>]*>[^<]`,
		"a script elsewhere": `(?i)(src|href)\s*=\s*"(https?:|data:|/)`,
	} {
		if found := regexp.MustCompile(never).FindString(html); found != "" {
			t.Errorf("index.html has %s: %q", what, found)
		}
	}
	// Whatever the page and its modules name is there.
	for _, e := range consoleNames(t) {
		for _, m := range regexp.MustCompile(`(?:src|href)="([\w.-]+)"|from '\./([\w.-]+)'`).FindAllStringSubmatch(consoleFile(t, e), -1) {
			consoleFile(t, m[1]+m[2])
		}
	}
}

func consoleNames(t *testing.T) (names []string) {
	t.Helper()
	entries, err := consoleFiles.ReadDir("console")
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if consoleTypes[path.Ext(e.Name())] == "" {
			t.Errorf("%s is of a kind that browsers would not be told", e.Name())
		}
		names = append(names, e.Name())
	}
	return names
}

func TestACallerIsToldWhatItMayDo(t *testing.T) {
	g := start(t, func(o *Options) { o.Keys = testRing })
	f := func(key, want string) {
		t.Helper()
		if got, body, _ := g.request(t, g.adminAddr, "GET", "/v1/whoami", "Authorization: Bearer "+key, ""); got != 200 || strings.Join(strings.Fields(body), "") != want {
			t.Errorf("%s: %d %s, want %s", key, got, body, want)
		}
	}
	f("read", `{"scopes":["read"],"sender":"reader","keys":true}`)
	f("pub", `{"scopes":["publish"],"sender":"shop","keys":true}`)
	f("admin", `{"scopes":["admin"],"sender":"ops","keys":true}`)
	open := start(t, nil)
	if got, body, _ := open.request(t, open.adminAddr, "GET", "/v1/whoami", "", ""); got != 200 || strings.Join(strings.Fields(body), "") != `{"scopes":["admin"],"sender":"api","keys":false}` {
		t.Errorf("without keys: %d %s", got, body)
	}
}
