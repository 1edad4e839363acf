package server

import (
	"bytes"
	"log/slog"
	"strings"
	"sync"
	"testing"
)

// written is a log that may be read while it is written.
type written struct {
	mu   sync.Mutex
	text bytes.Buffer
}

func (w *written) Write(b []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.Write(b)
}

func (w *written) String() string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.text.String()
}

func TestWhatStrangersSendWrongIsLoggedWithoutTheirKeys(t *testing.T) {
	log := &written{}
	g := start(t, func(o *Options) {
		o.Log = slog.New(slog.NewTextHandler(log, &slog.HandlerOptions{Level: slog.LevelDebug}))
	})
	const secret = "sk_VerySecretVerySecret"
	f := func(request string) {
		t.Helper()
		for _, addr := range []string{g.publicAddr, g.adminAddr} {
			p := dial(t, addr)
			p.send(strings.ReplaceAll(request, "KEY", secret))
			if r, _ := p.answer(); r.StatusCode < 400 {
				t.Errorf("%q is answered with %s", request, r.Status)
			}
		}
	}
	f("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\x00\r\n\r\n")
	f("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer KEY\r\nno colon\r\n\r\n")
	f("GET /v1/status HTTP/1.1\r\nHost: localhost\r\nAuthorization Bearer \"KEY\"\r\n\r\n")
	f("Authorization: Bearer KEY\r\n\r\n")
	f("GET /ws?clientId=a&token=KEY\x00 HTTP/1.1\r\nHost: localhost\r\n\r\n")
	f("POST /healthz HTTP/1.1\r\nHost: localhost\r\nContent-Length: KEY\r\n\r\n")
	f("POST /healthz HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX: KEY\x01\r\n\r\n")
	eventually(t, "all is logged", func() bool { return strings.Count(log.String(), "error when serving connection") >= 14 })
	if text := log.String(); strings.Contains(text, secret) || !strings.Contains(text, "invalid header value") {
		t.Errorf("the log says\n%s", text)
	}
}
