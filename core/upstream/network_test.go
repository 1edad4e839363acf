package upstream

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strconv"
	"strings"
	"sync/atomic"
	"testing"
	"time"
	"unicode/utf8"
)

func validJSON(b []byte) bool { return json.Valid(b) && utf8.Valid(b) }

// at is an upstream on the network that handle serves.
func at(t *testing.T, handle http.HandlerFunc, values map[string]any) *running {
	t.Helper()
	server := httptest.NewServer(handle)
	t.Cleanup(server.Close)
	all := map[string]any{"url": server.URL + "/hook?key=hush"}
	for k, v := range values {
		all[k] = v
	}
	return start(t, settings(t, all), nil)
}

func TestAPostIsSignedAndNamesItself(t *testing.T) {
	posted := make(chan string, 1)
	u := at(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		when := r.Header.Get("Stratix-Timestamp")
		seconds, _ := strconv.ParseInt(when, 10, 64)
		signed := r.Header.Get("Stratix-Signature") == "sha256="+sign([]byte("hush"), when, body) && time.Since(time.Unix(seconds, 0)).Abs() < time.Minute
		posted <- fmt.Sprint(r.Method, r.URL, r.Header.Get("Content-Type"), r.Header.Get("Stratix-Upstream"), r.Header.Get("Stratix-Attempt"), r.Header.Get("X-Team"), signed, string(body))
	}, map[string]any{"headers": map[string]any{"x-team": "orders"}})
	o := newOwner()
	u.Offer(o.post("a", "1"))
	equal(t, "it", o.wait(1), "a delivered after 1")
	equal(t, "posted", []string{<-posted}, `POST/hook?key=hushapplication/jsonorders1orderstrue[{"from":"a","messageId":"1","data":1}]`)
	if st := u.stats(); strings.Contains(st.URL, "hush") {
		t.Errorf("the URL that is shown is %s", st.URL)
	}
}

// A known answer: printf '1700000000.[]' | openssl dgst -sha256 -hmac secret
func TestTheSignatureIsHMACSHA256(t *testing.T) {
	if got := sign([]byte("secret"), "1700000000", []byte("[]")); got != "74f76d8933679a54d6be8c7560a5233b124658241ca5a3b0f09af80d3ea60d78" {
		t.Errorf("got %s", got)
	}
}

func TestConnectionsAreUsedAgain(t *testing.T) {
	var opened atomic.Int32
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		if r.Header.Get("Stratix-Attempt") == "1" {
			w.WriteHeader(503) // with a body that has to be read
			_, _ = io.WriteString(w, strings.Repeat("sorry ", 500))
		}
	}))
	server.Config.ConnState = func(_ net.Conn, s http.ConnState) {
		if s == http.StateNew {
			opened.Add(1)
		}
	}
	server.Start()
	defer server.Close()
	u := start(t, settings(t, map[string]any{"url": server.URL, "backoff": "1ms", "breaker": 0.0}), nil)
	o := newOwner()
	for i := range 20 {
		u.Offer(o.post("a", fmt.Sprint(i)))
		o.wait(1)
	}
	if n := opened.Load(); n != 1 {
		t.Errorf("%d connections for 40 posts, one after the other", n)
	}
}

func TestAnUpstreamThatMisbehavesIsTriedAgain(t *testing.T) {
	f := func(name string, values map[string]any, misbehave http.HandlerFunc, want string) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			values["backoff"] = "1ms"
			values["retries"] = 1.0
			u := at(t, misbehave, values)
			o := newOwner()
			u.Offer(o.post("a", "1"))
			got := o.wait(1)
			if !strings.HasPrefix(got[0], want) || strings.Contains(got[0], "hush") {
				t.Errorf("got %q, want %q", got[0], want)
			}
		})
	}
	hang := make(chan struct{})
	defer close(hang)
	f("it hangs", map[string]any{"timeout": "50ms"}, func(_ http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(io.Discard, r.Body)
		select {
		case <-hang:
		case <-r.Context().Done():
		}
	}, "a lost after 2: no answer within 50ms")
	f("it hangs in the body", map[string]any{"timeout": "50ms"}, func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.WriteString(w, `{"replies":`)
		w.(http.Flusher).Flush()
		<-r.Context().Done()
	}, "a lost after 2: no answer within 50ms")
	f("it closes at once", map[string]any{}, func(http.ResponseWriter, *http.Request) {
		panic(http.ErrAbortHandler)
	}, "a lost after 2: the post failed: EOF")
	f("it closes in the body", map[string]any{}, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "100")
		_, _ = io.WriteString(w, `{"replies":`)
		w.(http.Flusher).Flush()
		panic(http.ErrAbortHandler)
	}, "a lost after 2: the post failed: its reply broke off: unexpected EOF")
	f("it redirects", map[string]any{}, func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusTemporaryRedirect)
	}, "a lost after 1: it answered 307 Temporary Redirect: redirects are not followed")
	f("it never ends", map[string]any{}, func(w http.ResponseWriter, r *http.Request) {
		for range 40 {
			_, _ = io.WriteString(w, strings.Repeat("x", 64<<10))
		}
	}, "a delivered after 1")
}

func TestACertificateIsVerified(t *testing.T) {
	server := httptest.NewUnstartedServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { t.Error("it was posted to") }))
	server.Config.ErrorLog = log.New(io.Discard, "", 0) // it would complain
	server.StartTLS()
	defer server.Close()
	u := start(t, settings(t, map[string]any{"url": server.URL, "retries": 0.0}), nil)
	o := newOwner()
	u.Offer(o.post("a", "1"))
	if got := o.wait(1)[0]; !strings.Contains(got, "certificate") {
		t.Errorf("got %s", got)
	}
}

func TestAddressesOfTheMachineItselfAreNotPostedTo(t *testing.T) {
	f := func(address string, want bool) {
		t.Helper()
		if got := blocked(netip.MustParseAddr(address)) == ""; got != want {
			t.Errorf("%s: posted to %v, want %v", address, got, want)
		}
	}
	for _, a := range []string{
		"169.254.169.254", "169.254.1.1", "fe80::1", "fe80::1%eth0", "::ffff:169.254.169.254", "64:ff9b::a9fe:a9fe", "64:ff9b:1:7::a9fe:a9fe", "2002:a9fe:a9fe::1",
		"100.100.100.200", "192.0.0.192", "168.63.129.16", "fd00:ec2::254", "fd20:ce::254", "0.0.0.0", "::", "224.0.0.1", "ff02::1", "255.255.255.255",
	} {
		f(a, false)
	}
	for _, a := range []string{"127.0.0.1", "::1", "10.0.0.1", "192.168.1.1", "172.16.0.1", "fd00::1", "93.184.216.34", "2606:2800::1", "64:ff9b::5db8:d822"} {
		f(a, true)
	}
	// A name that resolves to one is found when it is dialled.
	if err := checkDial("tcp", "169.254.169.254:80", nil); err == nil || !strings.Contains(err.Error(), "allow_link_local") {
		t.Errorf("got %v", err)
	}
	if network(&Settings{}).DialContext == nil {
		t.Error("nothing checks what is dialled")
	}
	if _, err := network(&Settings{Timeout: time.Second}).DialContext(t.Context(), "tcp", "169.254.169.254:80"); err == nil || !strings.Contains(err.Error(), "link-local") {
		t.Errorf("got %v", err)
	}
}
