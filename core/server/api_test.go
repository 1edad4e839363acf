package server

import (
	"encoding/json"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/stratix-gateway/stratix/core/apikey"
)

// ring is a Keyring of named texts.
type ring map[string]*apikey.Key

func (r ring) Find(text []byte) *apikey.Key { return r[string(text)] }

func (r ring) Holds(k *apikey.Key) bool { return r[k.Name] == k }

// revocable is a ring whose keys are all revoked at once.
type revocable struct {
	ring
	revoked *atomic.Bool
}

func (r revocable) Holds(k *apikey.Key) bool { return !r.revoked.Load() && r.ring.Holds(k) }

var testRing = ring{
	"pub":   {Name: "pub", Scopes: apikey.Publish, Sender: "shop"},
	"read":  {Name: "read", Scopes: apikey.Read, Sender: "reader"},
	"admin": {Name: "admin", Scopes: apikey.Admin, Sender: "ops"},
}

// api is a Directory and a Publish that say what they were asked.
func api(asked *string) func(*Options) {
	note := func(format string, args ...any) { *asked = fmt.Sprintf(format, args...) }
	return func(o *Options) {
		o.MaxMessage = 64 << 10
		o.Directory = Directory{
			Clients: func(p Page) (any, error) { note("clients %q %q %d", p.Prefix, p.After, p.Limit); return 1, nil },
			Groups:  func(p Page) (any, error) { note("groups %q %q %d", p.Prefix, p.After, p.Limit); return 1, nil },
			Client: func(id string) (any, error) {
				note("client %q", id)
				if id == "nobody" {
					return nil, &Problem{Status: 404, Code: "unknown_client", Detail: "not here"}
				}
				return 1, nil
			},
			Disconnect: func(id, reason string) error { note("disconnect %q %q", id, reason); return nil },
			Join:       func(id, group string) error { note("join %q %q", id, group); return nil },
			Leave:      func(id, group string) error { note("leave %q %q", id, group); return nil },
			Pending:    func(id string, n int, data bool) (any, error) { note("pending %q %d %v", id, n, data); return 1, nil },
			Routes:     func() any { note("routes"); return 1 },
		}
		o.Publish = func(p Publication) (int, any, error) {
			note("publish %s %s %d %v", p.From, p.Body[:min(len(p.Body), 40)], p.Wait, p.Within)
			return 200, 1, nil
		}
		o.Generations = func() any { return []int{} }
		o.Generation = func(name string) (any, error) { note("generation %q", name); return 1, nil }
		o.RollBack = func(to string) error { note("rollback %q", to); return nil }
		o.Message = func(_, _ string, data bool) any { note("message %v", data); return 1 }
		o.Traffic = func(url.Values) (Stream, error) { return func(func([]byte) error) {}, nil }
		o.Live = o.Traffic
		o.Tail = func(_ url.Values, data bool) (Stream, error) { note("tail %v", data); return o.Traffic(nil) }
	}
}

func (g *gateway) request(t *testing.T, addr, method, path, headers, body string) (status int, text, id string) {
	t.Helper()
	if headers != "" && !strings.HasSuffix(headers, "\r\n") {
		headers += "\r\n"
	}
	r, text := ask(t, addr, fmt.Sprintf("%s %s HTTP/1.1\r\nHost: localhost\r\n%sContent-Length: %d\r\n\r\n%s", method, path, headers, len(body), body))
	return r.StatusCode, text, r.Header.Get("X-Request-Id")
}

const isJSON = "Content-Type: application/json\r\n"

func TestTheAPITakesNamesAsTheyAreMeant(t *testing.T) {
	asked := ""
	g := start(t, api(&asked))
	f := func(method, path string, status int, want string) {
		t.Helper()
		asked = ""
		got, body, _ := g.request(t, g.adminAddr, method, path, "", "")
		if got != status || asked != want {
			t.Errorf("%s %s: %d %s, asked for %s, want %d and %s", method, path, got, body, asked, status, want)
		}
		if status >= 400 {
			checkProblem(t, body, status, "")
		}
	}
	f("GET", "/v1/clients", 200, `clients "" "" 100`)
	f("GET", "/v1/clients?prefix=desk-&after=desk%201&limit=5", 200, `clients "desk-" "desk 1" 5`)
	f("GET", "/v1/groups?prefix=room%3A", 200, `groups "room:" "" 100`)
	f("GET", "/v1/clients?limit=0", 400, "")
	f("GET", "/v1/clients?limit=1001", 400, "")
	f("GET", "/v1/clients?limit=1&limit=2", 400, "")
	f("GET", "/v1/clients?colour=red", 400, "")
	f("GET", "/v1/clients?prefix=%00", 400, "")
	f("GET", "/v1/clients?prefix=%zz", 400, "")
	f("GET", "/v1/clients?after="+strings.Repeat("x", 129), 400, "")
	f("GET", "/v1/clients/a%2Fb%20c", 200, `client "a/b c"`)
	f("GET", "/v1/clients/%2e%2e", 200, `client ".."`)
	f("GET", "/v1/clients/%C3%A4", 200, `client "ä"`)
	f("GET", "/v1/clients/%ff", 400, "")
	f("GET", "/v1/clients/%zz", 400, "")
	f("GET", "/v1/clients/", 404, "")
	f("GET", "/v1/clients/a/b", 404, "")
	f("GET", "/v1/clients/nobody", 404, `client "nobody"`)
	f("DELETE", "/v1/clients/a?reason=bye%20bye", 204, `disconnect "a" "bye bye"`)
	f("DELETE", "/v1/clients/a", 204, `disconnect "a" "disconnected by an operator"`)
	f("DELETE", "/v1/clients/a?reason="+strings.Repeat("x", 121), 400, "")
	f("PUT", "/v1/clients/a/groups/room%3A1", 204, `join "a" "room:1"`)
	f("DELETE", "/v1/clients/a/groups/room%2F1", 204, `leave "a" "room/1"`)
	f("GET", "/v1/clients/a/groups/room", 405, "")
	f("GET", "/v1/clients/a/pending?limit=7", 200, `pending "a" 7 false`)
	f("GET", "/v1/clients/a/pending?data=1", 200, `pending "a" 100 true`)
	f("GET", "/v1/clients/a/pending?data=yes", 400, "")
	f("GET", "/v1/routes", 200, "routes")
	f("GET", "/v1/generations/a%2Fb", 200, `generation "a/b"`)
	f("POST", "/v1/rollback?to=7", 200, `rollback "7"`)
	f("POST", "/v1/rollback", 200, `rollback ""`)
	f("POST", "/v1/rollback?generation=7", 400, "") // and not to the last good one
	f("POST", "/v1/rollback?to=7&to=8", 400, "")
	f("POST", "/v1/reload?gates=load", 400, "")
	f("GET", "/v1/messages/m1?from=a", 400, "")
	f("POST", "/v1/profile?second=1", 400, "")
	f("OPTIONS", "/v1/clients/a", 204, "")
	f("PATCH", "/v1/clients/a", 405, "")
}

func TestHEADHasNoBody(t *testing.T) {
	asked := ""
	g := start(t, api(&asked))
	f := func(path, want string) {
		t.Helper()
		p := dial(t, g.adminAddr)
		p.send("HEAD " + path + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
		text, err := io.ReadAll(p.in)
		if head, body, ok := strings.Cut(string(text), "\r\n\r\n"); err != nil || !ok || body != "" || !strings.Contains(head, want) {
			t.Errorf("%s: got %q, %v", path, text, err)
		}
	}
	f("/v1/clients", "200 OK")
	f("/v1/openapi.json", "200 OK")
	f("/console/", "200 OK")
	f("/console/app.js", "200 OK")
	f("/v1/tail", "405 ")
	f("/v1/live", "405 ")
}

func TestAPublicationIsReadWithItsQuery(t *testing.T) {
	asked := ""
	g := start(t, api(&asked))
	f := func(query, headers, body string, status int, want string) {
		t.Helper()
		asked = ""
		got, text, _ := g.request(t, g.adminAddr, "POST", "/v1/publish"+query, headers, body)
		if got != status || asked != want {
			t.Errorf("%s: %d %s, asked for %s, want %d and %s", query, got, text, asked, status, want)
		}
		if status >= 400 {
			checkProblem(t, text, status, "")
		}
	}
	f("", isJSON, `{}`, 200, "publish api {} 0 5s")
	f("", "Content-Type: Application/JSON; charset=utf-8", `{}`, 200, "publish api {} 0 5s")
	f("?wait=disk&timeout=500ms&from=a%20b", isJSON, `{}`, 200, "publish a b {} 1 500ms")
	f("?wait=delivered", isJSON, `{}`, 200, "publish api {} 2 5s")
	f("?wait=maybe", isJSON, `{}`, 400, "")
	f("?timeout=61s", isJSON, `{}`, 400, "")
	f("?timeout=-1s", isJSON, `{}`, 400, "")
	f("?timeout=1", isJSON, `{}`, 400, "")
	f("?from=%01", isJSON, `{}`, 400, "")
	f("?form=a", isJSON, `{}`, 400, "")
	f("", "", `{}`, 415, "")
	f("", "Content-Type: text/plain", `{}`, 415, "")
	f("", isJSON+"Content-Encoding: gzip", `{}`, 415, "")
	f("", isJSON, strings.Repeat("x", publishBytes), 200, "publish api "+strings.Repeat("x", 40)+" 0 5s")
	f("", isJSON, strings.Repeat("x", publishBytes+1), 413, "")
	g.draining.Store(true)
	f("", isJSON, `{}`, 503, "")
}

func TestOnceThereAreKeysEveryRequestNeedsOne(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys = testRing; o.PublicPublish = true })
	f := func(addr, method, path, key string, status int) {
		t.Helper()
		headers := isJSON
		if key != "" {
			headers += "Authorization: " + key
		}
		got, body, _ := g.request(t, addr, method, path, headers, "")
		if got != status {
			t.Errorf("%s %s with %q: %d %s, want %d", method, path, key, got, body, status)
		}
		if status >= 400 {
			checkProblem(t, body, status, "")
		}
	}
	for _, rt := range routes {
		path := strings.NewReplacer("{id}", "a", "{group}", "g", "{name}", "live", "{id:*}", "a", "{name:*}", "cmdline").Replace(rt.path)
		f(g.adminAddr, rt.method, path, "", 401)
		f(g.adminAddr, rt.method, path, "Bearer wrong", 401)
		f(g.adminAddr, rt.method, path, "Basic admin", 401)
		f(g.adminAddr, rt.method, path, "admin", 401)
		f(g.adminAddr, rt.method, path, "Bearer admin\r\nAuthorization: Bearer admin", 401)
		if !rt.scope.Has(apikey.Publish) {
			f(g.adminAddr, rt.method, path, "Bearer pub", 403)
		}
		if !rt.scope.Has(apikey.Read) {
			f(g.adminAddr, rt.method, path, "Bearer read", 403)
		}
	}
	f(g.adminAddr, "GET", "/v1/status", "bearer read", 200)
	f(g.adminAddr, "GET", "/v1/status", "Bearer admin", 200)
	f(g.adminAddr, "GET", "/v1/clients/a/pending?data=1", "Bearer read", 403)
	f(g.adminAddr, "GET", "/v1/clients/a/pending?data=1", "Bearer admin", 200)
	f(g.adminAddr, "GET", "/healthz", "", 200)

	for _, addr := range []string{g.adminAddr, g.publicAddr} {
		f(addr, "POST", "/v1/publish", "", 401)
		f(addr, "POST", "/v1/publish", "Bearer read", 403)
		f(addr, "POST", "/v1/publish?from=other", "Bearer pub", 403)
		f(addr, "POST", "/v1/publish?from=shop", "Bearer pub", 200)
		if f(addr, "POST", "/v1/publish", "Bearer pub", 200); !strings.HasPrefix(asked, "publish shop ") {
			t.Errorf("it is %s", asked)
		}
		if f(addr, "POST", "/v1/publish?from=other", "Bearer admin", 200); !strings.HasPrefix(asked, "publish other ") {
			t.Errorf("it is %s", asked)
		}
		f(addr, "GET", "/v1/publish", "Bearer admin", 405)
		f(addr, "OPTIONS", "/v1/publish", "", 204)
	}
	f(g.publicAddr, "GET", "/v1/status", "Bearer admin", 404)
	f(g.publicAddr, "GET", "/v1/clients", "Bearer admin", 404)
}

func TestOnlyWhoMayPublishMaySendALargeBodyToThePublicAddress(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys = testRing; o.PublicPublish = true })
	large := strings.Repeat("x", bodyBytes+1)
	f := func(path, headers string, status int) {
		t.Helper()
		if got, body, _ := g.request(t, g.publicAddr, "POST", path, headers, large); got != status {
			t.Errorf("%s %s: %d %s, want %d", path, headers, got, body, status)
		}
	}
	f("/v1/publish", isJSON+"Authorization: Bearer pub", 200)
	f("/v1/publish", isJSON, 413)
	f("/v1/publish", isJSON+"Authorization: Bearer read", 413)
	f("/v1/publish", isJSON+"Authorization: Bearer wrong", 413)
	f("/v1/other", isJSON+"Authorization: Bearer admin", 413)
}

func TestAUnixSocketNeedsNoKeyAndLooksAtOneThatIsThere(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys = testRing })
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := Listen("unix:" + path)
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan error, 1)
	go func() { served <- g.ServeAdmin(ln) }()
	t.Cleanup(func() {
		_ = ln.Close()
		if err := <-served; err != nil {
			t.Error(err)
		}
	})
	f := func(key string, status int, want string) {
		t.Helper()
		headers := isJSON
		if key != "" {
			headers += "Authorization: Bearer " + key
		}
		if got, body, _ := g.request(t, path, "POST", "/v1/publish", headers, "{}"); got != status || want != "" && !strings.HasPrefix(asked, want) {
			t.Errorf("with %q: %d %s, asked for %s", key, got, body, asked)
		}
	}
	f("", 200, "publish api ")
	f("pub", 200, "publish shop ")
	f("read", 403, "")
	f("wrong", 401, "")
}

func TestBodiesThatWaitForAnAnswerAreBounded(t *testing.T) {
	asked := ""
	g := start(t, api(&asked))
	g.publishing.Store(maxPublishing - 1)
	if got, body, _ := g.request(t, g.adminAddr, "POST", "/v1/publish", isJSON, "{}"); got != 503 || !strings.Contains(body, `"code":"overloaded"`) {
		t.Errorf("got %d %s", got, body)
	}
	if got, body, _ := g.request(t, g.adminAddr, "POST", "/v1/publish", isJSON, "1"); got != 200 || g.publishing.Load() != maxPublishing-1 {
		t.Errorf("got %d %s", got, body)
	}
	g.publishing.Store(0)
}

func TestThePublicAddressTakesNoPublicationsUnlessItIsSaid(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys = testRing })
	if got, _, _ := g.request(t, g.publicAddr, "POST", "/v1/publish", isJSON+"Authorization: Bearer admin", "{}"); got != 404 || asked != "" {
		t.Errorf("got %d, asked for %s", got, asked)
	}
}

func TestARequestKeepsItsNameAndGetsOneIfItHasNone(t *testing.T) {
	g := start(t, nil)
	f := func(name string, kept bool) {
		t.Helper()
		headers := ""
		if name != "" {
			headers = "X-Request-Id: " + name
		}
		_, body, got := g.request(t, g.adminAddr, "GET", "/v1/nothing", headers, "")
		if (got == name) != kept || got == "" || !strings.Contains(body, `"requestId":"`+got+`"`) || !strings.Contains(body, `"code":"not_found"`) {
			t.Errorf("%q: got %q and %s", name, got, body)
		}
	}
	f("abc-1.2_3:4", true)
	f("", false)
	f(strings.Repeat("x", 64), true)
	f(strings.Repeat("x", 65), false)
	f(`a"b`, false)
	f("a b", false)
	f("a\tb", false)
}

func TestATailComesAsEventsIfTheyAreAskedFor(t *testing.T) {
	g := start(t, func(o *Options) {
		o.Tail = func(url.Values, bool) (Stream, error) {
			return func(write func([]byte) error) { _ = write([]byte("{\"a\":1}\n{\"b\":2}\n")); _ = write([]byte("\n")) }, nil
		}
	})
	f := func(accept, kind, want string) {
		t.Helper()
		r, body := ask(t, g.adminAddr, "GET /v1/tail HTTP/1.1\r\nHost: localhost\r\nAccept: "+accept+"\r\n\r\n")
		if r.Header.Get("Content-Type") != kind || body != want {
			t.Errorf("%s: got %s %q", accept, r.Header.Get("Content-Type"), body)
		}
	}
	f("*/*", "application/x-ndjson", "{\"a\":1}\n{\"b\":2}\n\n")
	f("application/json, Text/Event-Stream;q=0.9", "text/event-stream", "data: {\"a\":1}\n\ndata: {\"b\":2}\n\n:\n\n")
}

func TestOnlyAdminSeesTheDataInTraces(t *testing.T) {
	asked := ""
	g := start(t, func(o *Options) { api(&asked)(o); o.Keys = testRing })
	f := func(path, key, want string) {
		t.Helper()
		asked = ""
		if status, body, _ := g.request(t, g.adminAddr, "GET", path, "Authorization: Bearer "+key, ""); status != 200 || asked != want {
			t.Errorf("%s with %s: %d %s, asked for %s", path, key, status, body, asked)
		}
	}
	f("/v1/messages/m", "read", "message false")
	f("/v1/messages/m", "admin", "message true")
	f("/v1/tail", "read", "tail false")
	f("/v1/tail", "admin", "tail true")
}

func TestAStreamEndsWhenItsKeyIsRevoked(t *testing.T) {
	for _, path := range []string{"/v1/tail", "/v1/traffic"} {
		revoked := new(atomic.Bool)
		g := start(t, func(o *Options) {
			o.Keys = revocable{testRing, revoked}
			o.Traffic = func(url.Values) (Stream, error) {
				return func(write func([]byte) error) {
					for write([]byte("1\n")) == nil {
						revoked.Store(true)
					}
				}, nil
			}
			o.Tail = func(url.Values, bool) (Stream, error) { return o.Traffic(nil) }
		})
		status, body, _ := g.request(t, g.adminAddr, "GET", path, "Authorization: Bearer admin", "")
		if status != 200 || body != "1\n" {
			t.Errorf("%s: got %d %q", path, status, body)
		}
	}
}

func TestTheDocumentDescribesEveryRouteAndNoOther(t *testing.T) {
	var doc struct {
		Paths map[string]map[string]struct {
			Scope string `json:"x-scope"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(openAPIDocument, &doc); err != nil {
		t.Fatal(err)
	}
	var described, served []string
	for path, methods := range doc.Paths {
		for method, op := range methods {
			described = append(described, strings.ToUpper(method)+" "+path+" "+op.Scope)
		}
	}
	for method, paths := range (&Server{}).newRouter().List() {
		for _, path := range paths {
			if method == "HEAD" || strings.HasPrefix(path, profiles) {
				continue
			}
			for _, rt := range routes {
				if rt.method == method && rt.path == path {
					scope := strings.ReplaceAll(rt.scope.String(), ",", " or ")
					served = append(served, method+" "+strings.ReplaceAll(path, ":*", "")+" "+scope)
				}
			}
		}
	}
	slices.Sort(described)
	slices.Sort(served)
	if !slices.Equal(described, served) {
		t.Errorf("described:\n%s\nserved:\n%s", strings.Join(described, "\n"), strings.Join(served, "\n"))
	}
}

func FuzzQuery(f *testing.F) {
	f.Add("prefix=a&limit=3", "Bearer pub", "abc")
	f.Add("wait=disk&timeout=1s&from=x", "Basic x", "")
	f.Add("%zz&a=b&a=c", "Bearer ", "\"")
	asked := ""
	g := start(f, func(o *Options) { api(&asked)(o); o.Keys = testRing })
	clean := strings.NewReplacer("\r", "", "\n", "", " ", "+", "#", "")
	f.Fuzz(func(t *testing.T, query, authorization, id string) {
		for _, path := range []string{"GET /v1/clients", "POST /v1/publish", "GET /v1/clients/" + url.PathEscape(id) + "/pending"} {
			conn := dial(t, g.adminAddr)
			conn.send(path + "?" + clean.Replace(query) + " HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\nContent-Length: 0\r\nAuthorization: " +
				strings.NewReplacer("\r", "", "\n", "").Replace(authorization) + "\r\n\r\n")
			text, err := io.ReadAll(conn.in)
			if err != nil || !strings.HasPrefix(string(text), "HTTP/1.1 ") || strings.HasPrefix(string(text), "HTTP/1.1 5") {
				t.Fatalf("%s?%s: %q %v", path, query, text, err)
			}
		}
	})
}
