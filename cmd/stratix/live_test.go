package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/stratix-gateway/stratix/core/gateway"
)

// console is a reader of GET /v1/live.
type console struct {
	t      *testing.T
	lines  *bufio.Scanner
	schema *jsonschema.Schema // of each line
}

// console opens one of a second's period.
func (r rest) console(t *testing.T) *console {
	t.Helper()
	schema, err := r.document(t).compiler.Compile("api.json#/components/schemas/Live")
	if err != nil {
		t.Fatal(err)
	}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+r.AdminAddr().String()+"/v1/live", nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { resp.Body.Close() })
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("the console gets %s", resp.Status)
	}
	return &console{t, bufio.NewScanner(resp.Body), schema}
}

// next is the next period, which is as the document says.
func (c *console) next() (l gateway.Live) {
	c.t.Helper()
	if !c.lines.Scan() {
		c.t.Fatalf("the console has ended: %v", c.lines.Err())
	}
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(c.lines.Text()))
	if err == nil {
		err = c.schema.Validate(value)
	}
	if err == nil {
		err = json.Unmarshal(c.lines.Bytes(), &l)
	}
	if err != nil {
		c.t.Fatalf("%s\n%v", c.lines.Text(), err)
	}
	return l
}

// until reads on until ok says so.
func (c *console) until(what string, ok func(gateway.Live) bool) {
	c.t.Helper()
	var l gateway.Live
	for end := time.Now().Add(patience); !ok(l); l = c.next() {
		if time.Now().After(end) {
			c.t.Fatalf("waited in vain for %s; it says %+v", what, l)
		}
	}
}

// saying sends a text several times.
func saying(t *testing.T, c *wsClient, times int, text string) {
	t.Helper()
	for range times {
		if err := c.send(text); err != nil {
			t.Fatal(err)
		}
	}
}

func dialed(t *testing.T, r rest, id string) *wsClient {
	t.Helper()
	c, err := dialWS(r.Addr().String(), id)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.conn.Close() }) // and it is not closed before
	return c
}

func TestTheNumbersOfTheConsoleComeTrue(t *testing.T) {
	r := rest{running: runGateway(t, map[string]string{"main.lua": `pipeline {
  function(msg) if msg:get("data.drop") then return msg:drop("not wanted") end end,
  stage.prefix { routes = { ["shop-"] = { client = "desk" } } },
}`}, func(c *serveCmd) { c.ExplainRate, c.ExplainBytes = 1, 1<<20 })}
	a, b, shop := dialed(t, r, "a"), dialed(t, r, "b"), dialed(t, r, "shop-1")
	reliable, err := dialReliable(r.Addr().String(), "reliable")
	if err != nil {
		t.Fatal(err)
	}
	defer reliable.conn.Close()
	c := r.console(t)
	c.next() // what comes from now on is in what it says next
	saying(t, a, 200, `{"type":0,"to":"b","data":{"x":1}}`)
	saying(t, a, 50, `{"type":0,"to":"b","data":{"drop":1}}`)
	saying(t, shop, 30, `{"type":0,"data":{"y":1}}`) // to desk, which is not there

	var received, accepted, dropped, delivered, undelivered, bytesIn, drops float64
	var stage [2]gateway.LiveVerdicts
	samples, timed := uint64(0), uint64(0)
	whole := func(f float64) int { return int(math.Round(f)) }
	c.until("all messages", func(l gateway.Live) bool {
		if l.Rates == nil {
			return false
		}
		received += l.Rates.Received * l.Period
		accepted += l.Rates.Accepted * l.Period
		dropped += l.Rates.Dropped * l.Period
		delivered += l.Rates.Delivered * l.Period
		undelivered += l.Rates.Undelivered * l.Period
		bytesIn += l.Rates.BytesIn * l.Period
		drops += l.Verdicts.Drop * l.Period
		for i := range stage {
			stage[i].Next += l.Stages[i].Next * l.Period
			stage[i].Done += l.Stages[i].Done * l.Period
			stage[i].Drop += l.Stages[i].Drop * l.Period
			timed += l.Stages[i].Samples
		}
		samples += l.Latency.Samples
		if (l.Latency.P50 == nil) != (l.Latency.Samples == 0) || l.Latency.P50 != nil && *l.Latency.P50 > *l.Latency.Max {
			t.Errorf("the times are %+v", l.Latency)
		}
		if l.Connections.Open != 4 || l.Connections.Reliable != 1 || l.Connections.Upgraded != 4 || l.Stages[0].Name != "lua main.lua:2" || l.Stages[1].Place != "main.lua:3" {
			t.Fatalf("it says %+v, %+v", l.Connections, l.Stages)
		}
		return whole(received) == 280 && len(l.Top) == 2 && l.Top[0].Client == "a" && l.Top[1].Client == "shop-1" &&
			l.Top[0].Messages > 2*l.Top[1].Messages && l.Top[0].Errors > l.Top[1].Errors && whole(undelivered) == 30
	})
	got := fmt.Sprint(whole(accepted), whole(dropped), whole(delivered), whole(drops), whole(stage[0].Next), whole(stage[0].Drop), whole(stage[1].Next+stage[1].Done), whole(stage[1].Drop))
	if want := "230 50 200 50 230 50 230 0"; got != want {
		t.Errorf("accepted, dropped, delivered, the verdicts: %s, want %s", got, want)
	}
	if samples == 0 || timed < samples || bytesIn < 280*30 {
		t.Errorf("the times of %d messages and %d stages are known, and %g bytes", samples, timed, bytesIn)
	}
	if text, err := b.next(); err != nil || !strings.Contains(text, `"x"`) {
		t.Errorf("b got %s, %v", text, err)
	}
}

func TestTheConsoleNamesThoseForWhomMostMessagesWait(t *testing.T) {
	r := rest{running: runGateway(t, restScripts, nil)}
	a := dialed(t, r, "a")
	c := r.console(t)
	c.next() // it counts from here on
	saying(t, a, 5, `{"type":0,"to":"five","data":1}`)
	saying(t, a, 9, `{"type":0,"to":"nine","data":1}`)
	saying(t, a, 1, `{"type":0,"to":"one","data":1}`)
	commits := 0.0
	c.until("15 that wait", func(l gateway.Live) bool {
		if l.Log == nil {
			return false
		}
		commits += l.Log.Commits * l.Period
		return l.Pending.Messages == 15 && fmt.Sprint(l.Pending.Clients) == "[{nine 9} {five 5} {one 1}]" && l.Connections.Mailboxes >= 3
	})
	if commits < 0.5 {
		t.Errorf("there were %g commits", commits)
	}
}

func TestAConsoleShowsTheGenerationThatIsSaved(t *testing.T) {
	r := rest{running: runGateway(t, restScripts, nil)}
	c := r.console(t)
	if l := c.next(); len(l.Stages) != 4 || l.Gate.Result != "live" {
		t.Errorf("it says %+v %+v", l.Stages, l.Gate)
	}
	save(t, r.scripts+"/main.lua", "\npipeline { function(msg) return msg:drop() end }")
	a := dialed(t, r, "a")
	saidAgain := func(l gateway.Live) bool {
		saying(t, a, 1, `{"type":0,"to":"b","data":1}`)
		return len(l.Stages) == 1 && l.Stages[0].Name == "lua main.lua:2" && l.Stages[0].Drop > 0 && l.Generation.Number > 1 && l.Gate.Generation == l.Generation.Number
	}
	c.until("the new stage to drop", saidAgain)
	save(t, r.scripts+"/main.lua", "pipeline {")
	c.until("the rejection", func(l gateway.Live) bool {
		return l.Gate != nil && l.Gate.Result == "rejected" && strings.Contains(strings.Join(l.Gate.Problems, ""), "main.lua:1")
	})
}
