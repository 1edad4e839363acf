package shard

import (
	"fmt"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestAMessageGoesBackToItsSenderAndIsAcknowledged(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{}, toSender)
		a := g.connect("client-1")
		a.send(`{"type":0,"messageId":"m1","data":"hi"}`)
		a.want(`{"type":0,"seq":1,"from":"client-1","messageId":"m1","data":"hi"}`,
			`{"type":1,"messageId":"m1","stored":"memory","status":"delivered"}`)
	})
}

func TestAMessageReachesTheClientItNamesOnAnyShard(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{}, toSender)
		a := g.connect("a")
		for i := range 8 { // two shards: some are on the other one
			id := fmt.Sprintf("b%d", i)
			b := g.connect(id)
			g.await(i + 2)
			a.send(fmt.Sprintf(`{"type":0,"messageId":"m%d","to":%q,"data":{"n":%d}}`, i, id, i))
			b.want(fmt.Sprintf(`{"type":0,"seq":1,"from":"a","messageId":"m%d","data":{"n":%d}}`, i, i))
			a.want(fmt.Sprintf(`{"type":1,"messageId":"m%d","stored":"memory","status":"delivered"}`, i))
		}
	})
}

func TestListsPrefixesAndGroupsReachEachRecipientOnce(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{})
		a := g.connect("sender")
		var desks []*client
		for i := range 5 {
			c := g.connect(fmt.Sprintf("desk-%d", i))
			c.send(`{"type":8,"messageId":"j","groups":["room:1"]}`)
			c.want(`{"type":1,"messageId":"j","joined":["room:1"]}`)
			desks = append(desks, c)
		}
		g.connect("other")
		g.await(7)

		a.send(`{"type":0,"messageId":"l","to":["desk-0","desk-1","desk-0","nobody"],"data":1}`)
		a.want(`{"type":1,"messageId":"l","stored":"memory","status":"delivered","delivered":2,"offline":1}`)
		a.send(`{"type":0,"messageId":"p","to":{"prefix":"desk-"},"data":2}`)
		a.want(`{"type":1,"messageId":"p","stored":"memory","status":"delivered","delivered":5}`)
		a.send(`{"type":0,"messageId":"g","to":{"group":"room:1"},"data":3}`)
		a.want(`{"type":1,"messageId":"g","stored":"memory","status":"delivered","delivered":5}`)
		for i, c := range desks {
			seq := 1
			if i < 2 {
				c.want(`{"type":0,"seq":1,"from":"sender","messageId":"l","data":1}`)
				seq++
			}
			c.want(fmt.Sprintf(`{"type":0,"seq":%d,"from":"sender","messageId":"p","data":2}`, seq),
				fmt.Sprintf(`{"type":0,"seq":%d,"from":"sender","messageId":"g","data":3}`, seq+1))
		}
		desks[0].send(`{"type":9,"groups":["room:1"]}`)
		desks[0].want(`{"type":1,"left":["room:1"]}`)
		a.send(`{"type":0,"messageId":"g2","to":{"group":"room:1"},"data":4}`)
		a.want(`{"type":1,"messageId":"g2","stored":"memory","status":"delivered","delivered":4}`)
	})
}

func TestAMessageForNobodyIsNamed(t *testing.T) {
	g := start(t, "epoll", options(), &hooks{})
	a := g.connect("a")
	f := func(send, want string) {
		t.Helper()
		a.send(send)
		a.want(want)
	}
	f(`{"type":0,"messageId":"m","data":1}`,
		`{"type":2,"messageId":"m","code":"no_route","error":"nothing in the pipeline routed this message, and it names no recipient"}`)
	for _, to := range []string{`"gone"`, `["gone","x"]`, `{"prefix":"gone-"}`, `{"group":"gone"}`} {
		f(`{"type":0,"messageId":"m","to":`+to+`,"data":1}`,
			`{"type":2,"messageId":"m","code":"offline","error":"no recipient is connected"}`)
	}
	f(`{"type":0,"to":"gone","data":1}`, `{"type":2,"code":"offline","error":"no recipient is connected"}`)
}

func TestOrderIsKeptBetweenAPair(t *testing.T) {
	onEachTransport(t, func(t *testing.T, transport string) {
		g := start(t, transport, options(), &hooks{})
		a, b := g.connect("a"), g.connect("b-other")
		g.await(2)
		const n = 3000
		go func() {
			for i := range n {
				a.send(fmt.Sprintf(`{"type":0,"to":"b-other","data":%d}`, i))
			}
		}()
		for i := range n {
			b.want(fmt.Sprintf(`{"type":0,"seq":%d,"from":"a","data":%d}`, i+1, i))
		}
	})
}

func TestThePolicyDecidesOnTheClientsOwnTargets(t *testing.T) {
	h := &hooks{
		maySend: func(s *core.Session, to core.Target) string {
			if to.Kind == core.ToClient && to.Name == "boss" && s.ID != "desk" {
				return "only the desk may write to the boss"
			}
			return ""
		},
		mayJoin: func(s *core.Session, group string) string {
			if group == "secret" {
				return "no"
			}
			return ""
		},
	}
	g := start(t, "epoll", options(), h)
	boss, desk, other := g.connect("boss"), g.connect("desk"), g.connect("other")
	g.await(3)
	other.send(`{"type":0,"messageId":"1","to":["desk","boss"],"data":1}`)
	other.want(`{"type":2,"messageId":"1","code":"forbidden","error":"only the desk may write to the boss"}`)
	desk.send(`{"type":0,"messageId":"2","to":"boss","data":1}`)
	boss.want(`{"type":0,"seq":1,"from":"desk","messageId":"2","data":1}`)
	desk.want(`{"type":1,"messageId":"2","stored":"memory","status":"delivered"}`)
	other.send(`{"type":8,"messageId":"3","groups":["open","secret"]}`)
	other.want(`{"type":2,"messageId":"3","code":"forbidden","error":"no"}`)
	other.send(`{"type":8,"messageId":"4","groups":["open"]}`)
	other.want(`{"type":1,"messageId":"4","joined":["open"]}`)
}

func TestEffectsOfAnAcceptedMessage(t *testing.T) {
	stage := stageFunc(func(m *core.Message) (core.Verdict, error) {
		e := &m.Effects
		switch string(m.Data) {
		case `"join"`:
			e.Joins = append(e.Joins, "room")
			e.Targets = append(e.Targets, core.Target{Kind: core.ToGroup, Name: "room"})
		case `"only join"`:
			e.Joins = append(e.Joins, "room")
		case `"reply"`:
			e.Replies = append(e.Replies, []byte(`{"ok":true}`))
		case `"drop"`:
			e.Joins = append(e.Joins, "never")
			return m.DropFor("too big"), nil
		case `"reject"`:
			return m.Reject("not_now", "later"), nil
		case `"fail"`:
			return core.Next, fmt.Errorf("boom")
		case `"panic"`:
			panic("boom")
		}
		return core.Next, nil
	})
	g := start(t, "epoll", options(), &hooks{}, stage)
	a := g.connect("a")
	f := func(data string, want ...string) {
		t.Helper()
		a.send(`{"type":0,"messageId":"m","data":"` + data + `"}`)
		a.want(want...)
	}
	f("join", `{"type":0,"seq":1,"from":"a","messageId":"m","data":"join"}`,
		`{"type":1,"messageId":"m","stored":"memory","status":"delivered","delivered":1}`)
	f("only join", `{"type":1,"messageId":"m","stored":"memory","status":"delivered"}`)
	f("reply", `{"type":0,"seq":2,"messageId":"m","data":{"ok":true}}`,
		`{"type":1,"messageId":"m","stored":"memory","status":"delivered"}`)
	f("drop", `{"type":2,"messageId":"m","code":"dropped","error":"too big"}`)
	f("reject", `{"type":2,"messageId":"m","code":"not_now","error":"later"}`)
	f("fail", `{"type":2,"messageId":"m","code":"stage_error","error":"the gateway failed on this message"}`)
	f("panic", `{"type":2,"messageId":"m","code":"stage_error","error":"the gateway failed on this message"}`)
	a.send(`{"type":0,"messageId":"n","to":{"group":"never"},"data":1}`)
	a.want(`{"type":2,"messageId":"n","code":"offline","error":"no recipient is connected"}`)
	if n := g.counts().Panics; n != 1 {
		t.Fatalf("%d panics were counted, want 1", n)
	}
}
