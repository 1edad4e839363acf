package lua

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestLimitKeyIsSetAndRead(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		m := newMessage()
		m.LimitKey = []byte("former")
		if got := handle(t, m, body); got != "done" {
			t.Errorf("%s: %s", body, got)
		}
		if string(m.LimitKey) != want {
			t.Errorf("%s: got the key %q, want %q", body, m.LimitKey, want)
		}
	}
	f(``, "former")
	f(`msg:limit_key("room-7")`, "room-7")
	f(`msg:limit_key(7)`, "7")
	f(`msg:limit_key(msg:get("data.s"))`, "x")
	f(`msg:limit_key("\0\255")`, "\x00\xff")
	f(`msg:limit_key(msg:limit_key() .. "!")`, "former!")
	longest := strings.Repeat("k", core.MaxLimitKey)
	f(`msg:limit_key("`+longest+`")`, longest)
}

func TestLimitKeyRefusesWhatIsNoKey(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		m := newMessage()
		if got := failure(t, m, body); got != "main.lua:3: "+want || m.LimitKey != nil {
			t.Errorf("%s: got %s, want %s", body, got, want)
		}
	}
	f(`msg:limit_key("")`, "limit_key: a key has 1 to 128 bytes, not 0")
	f(`msg:limit_key(string.rep("k", 129))`, "limit_key: a key has 1 to 128 bytes, not 129")
	f(`msg:limit_key(nil)`, "limit_key takes a key, a string or a number, not a nil")
	f(`msg:limit_key({})`, "limit_key takes a key, a string or a number, not a table")
	f(`msg:limit_key(0/0)`, "the number NaN has no JSON form")
}
