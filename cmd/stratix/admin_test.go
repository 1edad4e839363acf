package main

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheAdminClient(t *testing.T) {
	asked := ""
	api := http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		asked = r.Method + " " + r.URL.String() + " " + r.Host + " " + string(body)
		switch r.URL.Path {
		case "/v1/page":
			w.WriteHeader(404)
			_, _ = io.WriteString(w, "<html>not found</html>")
		case "/v1/unknown":
			w.WriteHeader(404)
			_, _ = io.WriteString(w, `{"title":"Not Found","status":404,"detail":"there is nothing at this path"}`)
		case "/v1/busy":
			w.WriteHeader(409)
			_, _ = io.WriteString(w, `{"title":"Conflict","status":409,"detail":"busy:\nlook at line 2"}`)
		case "/v1/broken":
			w.Header().Set("Content-Length", "10")
			_, _ = io.WriteString(w, "{")
		default:
			_, _ = io.WriteString(w, `{"answer":42}`)
		}
	})
	server := httptest.NewServer(api)
	defer server.Close()
	path := filepath.Join(t.TempDir(), "admin.sock")
	ln, err := net.Listen("unix", path)
	if err != nil {
		t.Fatal(err)
	}
	local := httptest.Server{Listener: ln, Config: &http.Server{Handler: api}}
	local.Start()
	defer local.Close()

	tcp := adminFlag{Admin: server.Listener.Addr().String()}
	unix := adminFlag{Admin: "unix:" + path}
	f := func(a adminFlag, method, path, want, failure string) {
		t.Helper()
		asked = ""
		ask, query := a.get, url.Values{"q": {"a b&c"}}
		if method == http.MethodPost {
			ask = func(ctx context.Context, path string, query url.Values) (*http.Response, error) {
				return a.post(ctx, path, query, strings.NewReader("body"))
			}
		}
		resp, err := ask(context.Background(), path, query)
		if err != nil {
			if err.Error() != failure {
				t.Errorf("%s %s: %v\nwant %s", method, path, err, failure)
			}
			return
		}
		defer resp.Body.Close()
		if asked != want || failure != "" {
			t.Errorf("%s %s: asked %q, want %q and %q", method, path, asked, want, failure)
		}
	}
	f(tcp, "GET", "/v1/x", "GET /v1/x?q=a+b%26c "+tcp.Admin+" ", "")
	f(tcp, "POST", "/v1/x", "POST /v1/x?q=a+b%26c "+tcp.Admin+" body", "")
	f(unix, "GET", "/v1/x", "GET /v1/x?q=a+b%26c localhost ", "")
	f(tcp, "GET", "/v1/page", "", "what answers at "+tcp.Admin+" is no Stratix gateway (/v1/page got 404 Not Found): is --admin right?")
	f(tcp, "GET", "/v1/unknown", "", "there is no /v1/unknown at "+tcp.Admin+": is that the address of --admin, and is the gateway as new as this command?")
	f(unix, "POST", "/v1/busy", "", "busy:\nlook at line 2")
	f(adminFlag{Admin: "nowhere"}, "GET", "/v1/x", "", "--admin nowhere is no address: write HOST:PORT or unix:PATH")
	f(adminFlag{Admin: "off"}, "GET", "/v1/x", "", "--admin is off: without an operators' address a running gateway cannot be asked")

	_, err = tcp.get(context.Background(), "/v1/busy", nil)
	var refused *adminError
	if !errors.As(err, &refused) || refused.Status != http.StatusConflict {
		t.Errorf("a conflict is %#v", err)
	}
	var got struct{ Answer int }
	if err := tcp.getJSON(context.Background(), "/v1/x", nil, &got); err != nil || got.Answer != 42 {
		t.Errorf("getJSON: %+v %v", got, err)
	}
	if err := tcp.getJSON(context.Background(), "/v1/broken", nil, &got); err == nil || !strings.Contains(err.Error(), "cannot be read") {
		t.Errorf("an answer that is cut off: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if _, err := tcp.get(ctx, "/v1/x", nil); err == nil || err.Error() != "interrupted" {
		t.Errorf("after an interrupt: %v", err)
	}
}
