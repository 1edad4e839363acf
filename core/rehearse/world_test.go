package rehearse_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
)

const kept = "pipeline { stage.ring { ttl = '10s', client_messages = 2 } }\n"

func TestOnConnectRefusesAndJoins(t *testing.T) {
	w := newWorld(t, `pipeline {}
		function on_connect(conn)
		  if conn:address() ~= "192.0.2.7" then return conn:reject("from elsewhere") end
		  conn:join("room")
		end`)
	a := w.connect("a")
	if a.Refused != "" || !a.Connected || fmt.Sprint(a.Groups()) != "[room]" {
		t.Errorf("a: %+v", a)
	}
	b := w.Connect(rehearse.Arrival{ID: "b"})
	if b.Refused != "from elsewhere" || b.Connected || w.Client("b") != nil {
		t.Errorf("b: %+v", b)
	}
	r := a.Send([]byte(`{"type":0,"to":{"prefix":"a"},"data":1}`))
	w.want("reached", fmt.Sprint(r.Reached()), "[a]")
}

func TestHooksThatFailAreNoted(t *testing.T) {
	f := func(hook string, act func(w world), want string) {
		t.Helper()
		w := newWorld(t, "pipeline {}\nfunction "+hook+"() local x = nil; x.y = 1 end")
		act(w)
		if len(w.HookErrors) != 1 || !strings.Contains(w.HookErrors[0].Error(), want) {
			t.Errorf("%s: %v", hook, w.HookErrors)
		}
	}
	f("on_connect", func(w world) {
		w.want("refused", w.connect("a").Refused, "the gateway's on_connect hook failed")
	}, "main.lua:2")
	f("on_disconnect", func(w world) { w.connect("a").Close() }, "main.lua:2")
	f("on_tick", func(w world) { w.Advance(1999*time.Millisecond, nil) }, "main.lua:2")
}

func TestADisconnectIsToldOnceAndWithItsReason(t *testing.T) {
	f := func(act func(w world, a *rehearse.Client), want string) {
		t.Helper()
		w := newWorld(t, "pipeline {}\nfunction on_disconnect(conn, reason) error(reason .. ' ' .. conn:id(), 0) end")
		a := w.connect("a")
		act(w, a)
		a.Close()
		var all []string
		for _, err := range w.HookErrors {
			all = append(all, strings.TrimPrefix(errors.Unwrap(err).Error(), "main.lua:2: "))
		}
		w.want("reasons", strings.Join(all, ", "), want)
	}
	f(func(world, *rehearse.Client) {}, "left a")
	f(func(w world, _ *rehearse.Client) { w.connect("a") }, "replaced a")
	f(func(_ world, a *rehearse.Client) { a.Send([]byte("\xff")) }, "protocol a")
	f(func(_ world, a *rehearse.Client) { a.Send([]byte(strings.Repeat(" ", 64<<10+1))) }, "protocol a")
}

func TestTicksComeOnceASecond(t *testing.T) {
	w := newWorld(t, "pipeline {}\nfunction on_tick(now) error(tostring(now / 1000 - 1767268800) .. ' ' .. tostring(stratix.now() == now), 0) end")
	ticks := func(d time.Duration) string {
		w.HookErrors = nil
		w.Advance(d, nil)
		var all []string
		for _, err := range w.HookErrors {
			all = append(all, strings.TrimPrefix(errors.Unwrap(err).Error(), "main.lua:2: "))
		}
		return strings.Join(all, ", ")
	}
	w.want("half a second", ticks(500*time.Millisecond), "")
	w.want("up to the first", ticks(500*time.Millisecond), "1 true")
	w.want("two and a half", ticks(2500*time.Millisecond), "2 true, 3 true")
	w.Set(noon.Add(time.Hour))
	w.want("after the clock was set", ticks(time.Second), "3601 true")
}

func TestWhatWaitsExpires(t *testing.T) {
	w := newWorld(t, kept)
	a := w.connect("a")
	r := a.Send([]byte(`{"type":0,"messageId":"m","to":"b","data":1,"receipt":true}`))
	own := a.Send([]byte(`{"type":0,"messageId":"n","to":"b","data":2,"ttl":20}`))
	w.Advance(9*time.Second, nil)
	w.want("before", r.Status(), rehearse.Queued)
	w.Advance(time.Second, nil)
	w.want("after the ttl of the ring", r.Status(), rehearse.Expired)
	w.want("with a ttl of its own", own.Status(), rehearse.Queued)
	w.want("answers", string(r.Told[0])+string(r.Told[1]), `{"type":1,"messageId":"m","stored":"memory","status":"queued"}`+
		`{"type":2,"messageId":"m","code":"expired","error":"the message waited for a recipient for longer than its ttl"}`)
	w.want("b got", got(w.connect("b")), "2")
	w.want("that one", own.Status(), rehearse.Delivered)
	again := a.Send([]byte(`{"type":0,"messageId":"m","to":"b","data":1}`))
	w.want("a repeat", again.Decision.Code, "expired")
}

func TestARepeatIsAnsweredAndNotDeliveredAgain(t *testing.T) {
	w := newWorld(t, kept)
	a, b := w.connect("a"), w.connect("b")
	send := func(to string) *rehearse.Result {
		return a.Send([]byte(`{"type":0,"messageId":"m","to":` + to + `,"data":1}`))
	}
	send(`"b"`)
	again := send(`["b","c"]`)
	w.want("b got", got(b), "1")
	w.want("waits for", fmt.Sprint(again.Waiting(), again.Reached(), again.Repeated()), "[c] [] true")
	w.want("the answer", string(again.Told[0]), `{"type":1,"messageId":"m","stored":"memory","status":"queued","delivered":1,"queued":1}`)
	third := send(`"c"`)
	w.want("a repeat of what waits", third.Status(), rehearse.Queued)
	w.want("c got", got(w.connect("c")), "1")
	w.want("then", third.Status(), rehearse.Delivered)
	w.Advance(601*time.Second, nil)
	send(`"b"`)
	w.want("b got after the window", got(b), "1")
}

func TestRoomIsMadeAsThePolicySays(t *testing.T) {
	f := func(overflow, want, status string) {
		t.Helper()
		w := newWorld(t, "pipeline { function(msg) "+overflow+" end, stage.ring { client_messages = 2 } }")
		a := w.connect("a")
		var last *rehearse.Result
		for i := range 3 {
			last = a.Send([]byte(fmt.Sprintf(`{"type":0,"to":"b","data":{"n":%d,"key":"%d"}}`, i, i%2)))
		}
		w.want(overflow+" status", last.Status()+" "+last.Decision.Code, status)
		w.want(overflow, got(w.connect("b")), want)
	}
	const zero, one, two = `{"n":0,"key":"0"}`, `{"n":1,"key":"1"}`, `{"n":2,"key":"0"}`
	f("", zero+" "+one, "refused overflow")
	f("msg:overflow('reject')", zero+" "+one, "refused overflow")
	f("msg:overflow('disconnect')", zero+" "+one, "refused overflow")
	f("msg:overflow('drop_oldest')", one+" "+two, "queued ")
	f("msg:overflow('drop_oldest') if msg:get('data.n') == 0 then msg:priority(9) end", zero+" "+two, "queued ")
	f("msg:overflow('conflate', msg:get('data.key'))", one+" "+two, "queued ")
}

func TestASenderMayHaveOnlySoManyWaiting(t *testing.T) {
	w := newWorld(t, "pipeline { stage.ring { sender_messages = 2 } }")
	a, b := w.connect("a"), w.connect("b")
	a.Send([]byte(`{"type":0,"to":["x","y"],"data":1}`))
	w.want("one more", a.Send([]byte(`{"type":0,"to":"z","data":1}`)).Decision.Reason, "too many messages of this sender wait for their recipients")
	w.want("another sender's", b.Send([]byte(`{"type":0,"to":"z","data":1}`)).Status(), rehearse.Queued)
}

func TestReliableClientsAreReachedByTheirGroupsWhileTheyAreAway(t *testing.T) {
	w := newWorld(t, "pipeline { stage.ring {} }")
	a := w.connect("a")
	b, plain := w.reliable("desk-1", "ops"), w.connect("desk-2")
	plain.Send([]byte(`{"type":8,"groups":["ops"]}`))
	b.Close()
	plain.Close()
	send := func(data string) *rehearse.Result {
		return a.Send([]byte(`{"type":0,"messageId":"` + data + `","to":{"group":"ops"},"data":` + data + `}`))
	}
	r := send("1")
	w.want("to the group", fmt.Sprint(r.Waiting()), "[desk-1]")
	r = a.Send([]byte(`{"type":0,"to":{"prefix":"desk-"},"data":2}`))
	w.want("to the prefix", fmt.Sprint(r.Waiting()), "[desk-1]")
	b = w.reliable("desk-1")
	w.want("it got", got(b), "1 2")
	w.want("its groups", fmt.Sprint(b.Groups()), "[ops]")
	r = send("3")
	w.want("connected, the first answer", string(r.Told[0]), `{"type":1,"messageId":"3","stored":"memory","status":"queued","queued":1}`)
	w.want("and then", r.Status(), rehearse.Delivered)
	b.Close()
	w.Advance(25*time.Hour, nil)
	w.want("after the session", send("4").Decision.Code, "offline")
}

func TestWhatIsUrgentComesFirst(t *testing.T) {
	w := newWorld(t, "pipeline { stage.disk {}, stage.ring {} }")
	a := w.connect("a")
	for i, prio := range []int{0, 5, 9, 5} {
		a.Send([]byte(fmt.Sprintf(`{"type":0,"to":"b","data":%d,"priority":%d}`, i, prio)))
	}
	w.want("order", got(w.connect("b")), "2 1 3 0")
}

func TestLaterMessagesWaitBehindAHeldOne(t *testing.T) {
	k := &keeper{}
	gen := &core.Generation{Number: 1, Programs: []*core.Program{program(k)}}
	w := world{rehearse.NewWorld(gen, rehearse.NewClock(noon)), t}
	a, b := w.connect("a"), w.connect("b")
	send := func(c *rehearse.Client, data string) *rehearse.Result {
		return c.Send([]byte(`{"type":0,"to":["a","b"],"data":` + data + `}`))
	}
	first, second, other := send(a, `"hold 1"`), send(a, `2`), send(b, `3`)
	if !first.Decision.Held || !second.Waits || other.Waits {
		t.Errorf("held %v, waits %v and %v", first.Decision.Held, second.Waits, other.Waits)
	}
	k.release(nil)
	w.Settle()
	w.want("b got", got(b), `3 "hold 1" 2`)
	w.want("both", first.Status()+" "+second.Status(), "delivered delivered")
	w.want("steps", fmt.Sprint(first.Steps), "[{s0 hold}]")

	held := send(a, `"hold 4"`)
	behind := send(a, `5`)
	a.Close()
	k.release(nil)
	w.Settle()
	w.want("b got after a has left", got(b), `"hold 4"`)
	w.want("and a", fmt.Sprint(held.Reached(), behind.Waits), "[b] true")
}

func TestTooManyGroupsAreRefusedAsOne(t *testing.T) {
	w := newWorld(t, `pipeline { function(msg) for i = 1, 60 do msg:join(msg:get("data") .. i) end end }`)
	a := w.connect("a")
	for _, name := range []string{"a", "b", "c", "d"} {
		a.Send([]byte(`{"type":0,"data":"` + name + `"}`))
	}
	r := a.Send([]byte(`{"type":0,"data":"e"}`))
	w.want("the fifth", r.Decision.String(), "reject limit: a client may be in 256 groups")
	w.want("groups", fmt.Sprint(len(a.Groups())), "240")
}
