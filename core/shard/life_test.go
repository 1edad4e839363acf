package shard

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// leavings gathers what on_disconnect is called with.
type leavings struct {
	mu  sync.Mutex
	all []string
}

func (l *leavings) hook(s *core.Session, reason string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all = append(l.all, s.ID+" "+reason)
}

func (l *leavings) sorted() []string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return slices.Sorted(slices.Values(l.all))
}

// want compares; the order does not matter.
func (l *leavings) want(t testing.TB, want ...string) {
	t.Helper()
	got := l.sorted()
	if slices.Sort(want); !slices.Equal(got, want) {
		t.Fatalf("on_disconnect was called with %q, want %q", got, want)
	}
}

func TestANewerConnectionReplacesTheOlder(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		var l leavings
		g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
		older := g.connect("a")
		older.send(`{"type":8,"groups":["room"]}`)
		older.want(`{"type":1,"joined":["room"]}`)
		newer := g.connect("a")
		older.wantClose(CloseReplaced, "replaced")
		l.want(t, "a replaced")
		g.places.waitFor(1)
		newer.send(`{"type":0,"messageId":"1","to":"a","data":1}`)
		newer.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
		newer.send(`{"type":0,"messageId":"2","to":{"group":"room"},"data":1}`)
		newer.want(`{"type":2,"messageId":"2","code":"offline","error":"no recipient is connected"}`)
		if n := g.counts(); n.Replaced != 1 || n.Opened != 2 || n.Closed != 1 {
			t.Fatalf("counted %+v", n)
		}
	})
}

// A handshake that was slow can end after that of the connection which its client
// made when it had given the slow one up.
func TestAConnectionThatHasEndedReplacesNoOther(t *testing.T) {
	if !HasPoller {
		t.Skip("a pump is told when it reads")
	}
	onEachTransport(t, func(t *testing.T, transport string) {
		var l leavings
		g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
		f := func(end func(*net.TCPConn) error) {
			t.Helper()
			newer := g.connect("a")
			newer.send(`{"type":4}`)
			newer.want(`{"type":5}`)
			ours, theirs := pair(t)
			if _, err := ours.Write(masked(`{"type":0,"messageId":"late","data":1}`)); err != nil {
				t.Fatal(err)
			}
			if err := end(ours); err != nil {
				t.Fatal(err)
			}
			g.serve(ours, theirs, Client{ID: "a", Socket: theirs})
			g.places.waitFor(1)
			newer.send(`{"type":0,"messageId":"1","data":1}`)
			newer.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
			newer.conn.Close()
			g.places.waitFor(0)
		}
		f(func(c *net.TCPConn) error { return c.Close() })
		f(func(c *net.TCPConn) error { return c.CloseWrite() })
		f(func(c *net.TCPConn) error { return errors.Join(c.SetLinger(0), c.Close()) })
		l.want(t, "a lost", "a lost", "a lost")
		if n := g.counts(); n.Opened != 6 || n.Closed != 6 || n.Replaced != 3 || n.Lost != 3 {
			t.Fatalf("counted %+v", n)
		}
	})
}

func TestAClientLeaves(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		f := func(payload, want []byte) {
			t.Helper()
			var l leavings
			g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
			a := g.connect("a")
			a.send(`{"type":0,"messageId":"1","data":1}`)
			a.write(frame.AppendMasked(nil, frame.OpClose, mask, payload))
			a.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
			op, got, err := a.next()
			if op != frame.OpClose || !bytes.Equal(got, want) || err != nil {
				t.Fatalf("got op %d %q, %v", op, got, err)
			}
			if _, err := a.in.ReadByte(); err != io.EOF {
				t.Fatalf("the connection did not end: %v", err)
			}
			g.places.waitFor(0)
			g.await(0)
			l.want(t, "a left")
		}
		f(nil, nil)
		f([]byte{3, 232}, []byte{3, 232})
		f([]byte("\x0f\xa0bye"), []byte("\x0f\xa0"))
	})
}

// The close frame arrives though the client goes on sending, and the end of the
// stream behind it.
func TestAClientThatBreaksTheProtocol(t *testing.T) {
	long := strings.Repeat("x", 100<<10)
	f := func(name string, wire []byte, code int, reason string) {
		t.Run(name, func(t *testing.T) {
			onEachTransport(t, func(t *testing.T, transport string) {
				var l leavings
				g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
				a := g.connect("a")
				a.send(`{"type":0,"messageId":"1","data":1}`)
				sent := make(chan error, 1)
				go func() {
					_, err := a.conn.Write(append(wire, bytes.Repeat([]byte("garbage\x80"), 40<<10)...))
					sent <- err
				}()
				a.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
				a.wantClose(code, reason)
				if err := <-sent; err != nil {
					t.Fatalf("the client could not send: %v", err)
				}
				a.conn.Close()
				g.places.waitFor(0)
				l.want(t, "a protocol")
			})
		})
	}
	text := func(op frame.Op, s string) []byte { return frame.AppendMasked(nil, op, mask, []byte(s)) }
	f("text that is not UTF-8", text(frame.OpText, "\"\xff\""), 1007, "UTF-8")
	f("too long", text(frame.OpText, long), 1009, "too big")
	f("not masked", frame.AppendFrame(nil, frame.OpText, []byte("{}")), 1002, "")
	f("an unknown opcode", text(11, "x"), 1002, "")
	f("a continuation of nothing", text(frame.OpContinuation, "x"), 1002, "")
	f("a long ping", text(frame.OpPing, strings.Repeat("x", 126)), 1002, "")
	f("a close code out of range", text(frame.OpClose, "\x00\x01"), 1002, "")
}

func TestABinaryMessageIsRefused(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{})
		a := g.connect("a")
		a.write(frame.AppendMasked(nil, frame.OpBinary, mask, []byte("{}")))
		a.wantClose(CloseUnsupported, "JSON text")
		g.places.waitFor(0)
	})
}

func TestAMalformedMessageIsAnsweredAndTheConnectionLives(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{}, toSender)
		a := g.connect("a")
		f := func(send, code string) {
			t.Helper()
			a.send(send)
			if got := a.text(); !strings.HasPrefix(got, `{"type":2,`) || !strings.Contains(got, `"code":"`+code+`"`) {
				t.Fatalf("%s: got %s, want code %s", send, got, code)
			}
		}
		f(``, "bad_json")
		f(`{"type":0`, "bad_json")
		f(`{"type":0,"data":1} x`, "bad_json")
		f(`[]`, "bad_message")
		f(`{"type":0,"data":{"a":1,"a":2}}`, "duplicate_key")
		f(`{"type":0,"data":`+strings.Repeat("[", 100)+strings.Repeat("]", 100)+`}`, "too_deep")
		f(`{"data":1}`, "missing_type")
		f(`{"type":77}`, "unknown_type")
		f(`{"type":0}`, "bad_message")
		f(`{"type":0,"messageId":"m","to":7,"data":1}`, "bad_message")
		f(`{"type":3,"epoch":"x","seq":1}`, "unsupported")
		f(`{"type":8,"groups":[""]}`, "bad_message")
		a.send(`{"type":0,"messageId":"1","data":1}`)
		a.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
	})
}

func TestAConnectionThatIsLost(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		f := func(name string, lose func(*client)) {
			t.Run(name, func(t *testing.T) {
				var l leavings
				g := start(t, transport, options(), &hooks{disconnect: l.hook}, toSender)
				a, b := g.connect("a"), g.connect("b")
				g.await(2)
				lose(a)
				g.await(1)
				g.places.waitFor(1)
				l.want(t, "a lost")
				b.send(`{"type":0,"messageId":"1","to":"a","data":1}`)
				b.want(`{"type":2,"messageId":"1","code":"offline","error":"no recipient is connected"}`)
			})
		}
		tcp := func(c *client) *net.TCPConn { return c.conn.(*net.TCPConn) }
		f("reset", func(a *client) { _ = tcp(a).SetLinger(0); a.conn.Close() })
		f("closed", func(a *client) { a.conn.Close() })
		f("half closed", func(a *client) { _ = tcp(a).CloseWrite() })
		f("in a header", func(a *client) { a.write(masked("{}")[:1]); a.conn.Close() })
		f("in a frame", func(a *client) { a.write(masked(`{"type":4}`)[:9]); a.conn.Close() })
		f("in a message", func(a *client) {
			a.write([]byte{byte(frame.OpText), 0x80 | 2, 0, 0, 0, 0, '{', '}'}) // not the last fragment
			a.conn.Close()
		})
		f("with an answer on its way", func(a *client) {
			a.send(`{"type":0,"data":1}`)
			_ = tcp(a).SetLinger(0)
			a.conn.Close()
		})
	})
}

func TestPingsAreAnsweredWithTheirPayload(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{}, toSender)
		a := g.connect("a")
		ping := func(payload string) {
			t.Helper()
			a.write(frame.AppendMasked(nil, frame.OpPing, mask, []byte(payload)))
			if op, b, err := a.next(); op != frame.OpPong || string(b) != payload || err != nil {
				t.Fatalf("got op %d %q, %v", op, b, err)
			}
		}
		ping("")
		ping(strings.Repeat("p", 125))
		whole := masked(`{"type":0,"messageId":"1","data":1}`)
		whole[0] &^= 0x80 // the first of two fragments
		a.write(whole)
		ping("between fragments")
		a.write(frame.AppendMasked(nil, frame.OpContinuation, mask, nil))
		a.want(echoed(1, "a", "1", "1"), acked("1", "delivered"))
	})
}

func TestOnConnectDecides(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		var l leavings
		h := &hooks{disconnect: l.hook, connect: func(c *core.Conn) error {
			switch c.Session.ID {
			case "refused":
				c.Refused = "not you"
			case "broken":
				return fmt.Errorf("boom")
			default:
				c.Joins = append(c.Joins, "lobby", "lobby", "hall")
			}
			return nil
		}}
		g := start(t, transport, options(), h, toSender)
		g.connectWith(Client{ID: "refused", Early: masked(`{"type":0,"messageId":"0","data":1}`)}).wantClose(CloseRefused, "not you")
		g.connect("broken").wantClose(CloseRefused, "on_connect")
		a := g.connect("a")
		for i, group := range []string{"lobby", "hall"} {
			a.send(`{"type":0,"messageId":"1","to":{"group":"` + group + `"},"data":1}`)
			a.want(echoed(i+1, "a", "1", "1"), `{"type":1,"messageId":"1","stored":"memory","status":"delivered","delivered":1}`)
		}
		a.conn.Close()
		g.places.waitFor(0)
		l.want(t, "a lost")
		if n := g.counts(); n.Opened != n.Closed || n.Opened != 3 || n.In != 2 {
			t.Fatalf("counted %+v", n)
		}
	})
}

func TestJoinsAreAllOrNone(t *testing.T) {
	g := start(t, "epoll", options(), &hooks{}, toSender)
	a := g.connect("a")
	names := func(from, to int) string {
		var all []string
		for i := from; i < to; i++ {
			all = append(all, fmt.Sprintf(`"g%d"`, i))
		}
		return "[" + strings.Join(all, ",") + "]"
	}
	f := func(kind int, groups string, ok bool) {
		t.Helper()
		a.send(fmt.Sprintf(`{"type":%d,"messageId":"j","groups":%s}`, kind, groups))
		switch {
		case !ok:
			a.want(`{"type":2,"messageId":"j","code":"limit","error":"a client may be in 256 groups"}`)
		case kind == 8:
			a.want(`{"type":1,"messageId":"j","joined":` + groups + `}`)
		default:
			a.want(`{"type":1,"messageId":"j","left":` + groups + `}`)
		}
	}
	f(8, names(0, 250), true)
	f(8, names(245, 260), false)
	f(8, names(240, 256), true) // those that it is in already do not count twice
	f(8, `["one more"]`, false)
	f(8, names(0, 256), true)
	f(9, `["g7","never joined"]`, true)
	f(8, `["one more"]`, true)
	groups := 0
	for _, s := range g.Stats() {
		groups += s.Groups
	}
	if groups != 256 {
		t.Fatalf("there are %d groups, want 256", groups)
	}
}

func TestTheReasonOfACloseFitsItsFrame(t *testing.T) {
	h := &hooks{connect: func(c *core.Conn) error { c.Refused = strings.Repeat("ä", 200); return nil }}
	g := start(t, "epoll", options(), h)
	a := g.connect("a")
	op, b, err := a.next()
	if op != frame.OpClose || err != nil || len(b) > 125 || binary.BigEndian.Uint16(b) != CloseRefused {
		t.Fatalf("got op %d %q, %v", op, b, err)
	}
}
