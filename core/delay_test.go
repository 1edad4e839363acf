package core_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestARoomTakesAsManyAsItsBoundsSay(t *testing.T) {
	var r core.Room
	r.MaxMessages.Store(3)
	r.MaxBytes.Store(100)
	message := func(size int) *core.Message {
		return &core.Message{From: &core.Session{ID: "a"}, Data: []byte(strings.Repeat("1", size))}
	}
	var in []*core.Message
	f := func(size int, want bool, inUse string) {
		t.Helper()
		m := message(size)
		if got := r.Enter(m); got != want {
			t.Errorf("%d bytes: entered %v, want %v", size, got, want)
		} else if got {
			in = append(in, m)
		}
		if got := fmt.Sprint(r.InUse()); got != inUse {
			t.Errorf("%d bytes: %s are in use, want %s", size, got, inUse)
		}
	}
	leave := func(i int) {
		in[i].EndDelay()
		in[i].EndDelay() // once is enough
		in = append(in[:i], in[i+1:]...)
	}
	f(60, true, "1 60")
	f(41, false, "1 60")
	f(40, true, "2 100")
	f(0, true, "3 100")
	f(0, false, "3 100")
	leave(0)
	f(60, true, "3 100")
	r.MaxMessages.Store(1)
	leave(0)
	f(1, false, "2 60")
}

func TestADelayedMessageOwnsItsBytes(t *testing.T) {
	data := []byte(`"x"`)
	m := &core.Message{From: &core.Session{ID: "a"}, Data: data}
	if v := m.Delay(-5); v != core.Hold || m.Held().Until <= 0 {
		t.Errorf("%v until %d, want hold until a moment", v, m.Held().Until)
	}
	data[1] = 'y'
	if string(m.Data) != `"x"` {
		t.Errorf("the data became %s", m.Data)
	}
	m.EndDelay()
	if m.Held().Until != 0 {
		t.Error("it is delayed still")
	}
}
