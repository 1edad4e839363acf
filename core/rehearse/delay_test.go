package rehearse_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
)

func TestDelayedMessagesGoByTheClockOfTheWorld(t *testing.T) {
	stamp := stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Headers = fmt.Appendf(nil, `{"at":"%d"}`, m.Time-noon.UnixMilli())
		return core.Next, nil
	})
	gen := &core.Generation{Number: 1, Programs: []*core.Program{program(stamp, later)}}
	w := world{rehearse.NewWorld(gen, rehearse.NewClock(noon)), t}
	a, b := w.connect("a"), w.connect("b")
	send := func(c *rehearse.Client, data string) *rehearse.Result {
		return c.Send([]byte(`{"type":0,"to":"b","data":` + data + `}`))
	}
	first, second := send(a, "700"), send(a, "2")
	third := send(a, "500")
	send(b, "300")
	w.want("at first", got(b), "")
	w.Advance(299*time.Millisecond, nil)
	w.want("before anything is due", got(b), "")
	w.Advance(time.Millisecond, nil)
	w.want("b's own", got(b), "300")
	w.Advance(2*time.Second, nil)
	w.want("in order", got(b), "700 2 500")
	at := func(r *rehearse.Result) string { return string(r.Decision.Headers) }
	w.want("each was handled in its moment", at(first)+at(second)+at(third), `{"at":"0"}{"at":"700"}{"at":"702"}`)

	send(a, "60000")
	w.Set(noon.Add(time.Hour))
	w.want("after the clock was set", got(b), "60000")
}

func TestWhoDoesNotKeepToALimitLeaves(t *testing.T) {
	gen := &core.Generation{Number: 1, Programs: []*core.Program{program(stageFunc(func(m *core.Message) (core.Verdict, error) {
		m.Effects.RetryAfter = 40
		return m.Disconnect("rate_limited", "slowly"), nil
	}))}}
	w := world{rehearse.NewWorld(gen, rehearse.NewClock(noon)), t}
	a := w.connect("a")
	r := a.Send([]byte(`{"type":0,"messageId":"1","data":1}`))
	w.want("told", string(r.Told[0]), `{"type":2,"messageId":"1","code":"rate_limited","error":"slowly","retryAfter":40}`)
	w.want("closed", fmt.Sprint(r.Closed, a.Connected), "4429 false")
	w.want("the decision", r.Decision.String(), "disconnect rate_limited: slowly (s0)")
}
