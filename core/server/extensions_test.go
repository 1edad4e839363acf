package server

import (
	"testing"
)

func TestHonourable(t *testing.T) {
	f := func(offers string, want bool) {
		t.Helper()
		if got := honourable(offers); got != want {
			t.Errorf("honourable(%q) = %v", offers, got)
		}
	}
	f("", false)
	f("permessage-deflate", true)
	f(" permessage-deflate ; client_max_window_bits ", true) // Chromium
	f("permessage-deflate;client_max_window_bits=15", true)
	f(`permessage-deflate; client_max_window_bits="10"`, true)
	f("permessage-deflate; client_no_context_takeover; server_no_context_takeover", true)

	f("permessage-deflate; server_max_window_bits=10", false)
	f("permessage-deflate; server_max_window_bits=15", false)
	f("permessage-deflate; server_max_window_bits=10, permessage-deflate", true)
	f("permessage-deflate, permessage-deflate; server_max_window_bits=10", true)
	f("permessage-deflate; client_max_window_bits=7", false)
	f("permessage-deflate; client_max_window_bits=16", false)
	f("permessage-deflate; client_max_window_bits=08", false)
	f("permessage-deflate; server_no_context_takeover=1", false)
	f("permessage-deflate; client_no_context_takeover; client_no_context_takeover", false)
	f("permessage-deflate; window=9", false)

	f("permessage-deflate-ng", false)
	f("x-webkit-deflate-frame", false)
	f("x-webkit-deflate-frame, permessage-deflate", true)
	f("foo; bar=\"a, permessage-deflate\"", false) // not a token in the quotes
	f(`foo; bar="permessage-deflate"`, false)
	f(", ,permessage-deflate,", true)

	f("permessage-deflate;", false)
	f("permessage-deflate; =", false)
	f("permessage-deflate client_max_window_bits", false)
	f("permessage-deflate, ;", false)
	f(`permessage-deflate; client_max_window_bits="10`, false)
	f(`permessage-deflate; client_max_window_bits="1\`, false)
	f("permessage-deflate; client_max_window_bits=", false)
}

func TestNegotiation(t *testing.T) {
	const agreed = "permessage-deflate; server_no_context_takeover; client_no_context_takeover"
	on := start(t, func(o *Options) { o.Deflate = true })
	off := start(t, nil)
	f := func(g *gateway, offers, want string) {
		t.Helper()
		_, c, r := g.connect(t, "?clientId=a", "Sec-WebSocket-Extensions:"+offers)
		if got := r.Header.Get("Sec-WebSocket-Extensions"); got != want || c.Deflate != (want != "") {
			t.Errorf("%q was answered with %q, Deflate is %v", offers, got, c.Deflate)
		}
	}
	f(on, "", "")
	f(on, " permessage-deflate; client_max_window_bits", agreed)
	f(on, " permessage-deflate; server_max_window_bits=10", "")
	f(on, " permessage-deflate; server_max_window_bits=10, permessage-deflate; client_max_window_bits", agreed)
	f(on, " permessage-deflate-ng", "")
	f(on, " foo\r\nSec-WebSocket-Extensions: permessage-deflate", agreed)
	f(on, " permessage-deflate; server_max_window_bits=10\r\nSec-WebSocket-Extensions: foo", "")
	f(off, " permessage-deflate", "")
}

func FuzzHonourable(f *testing.F) {
	for _, s := range []string{"permessage-deflate; client_max_window_bits", `a; b="c\"d", permessage-deflate`, ",;=\"", "permessage-deflate; server_max_window_bits=10, permessage-deflate"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		got := honourable(s)
		if more := honourable(s + " , permessage-deflate"); got && !more {
			t.Fatalf("%q is honourable, but not with one more offer", s)
		}
		if got && honourable(s+" permessage-deflate\x00") {
			t.Fatalf("%q is honourable with nonsense behind it", s)
		}
	})
}
