package main

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/gateway"
)

func TestTheLogOfARunningGatewayIsRead(t *testing.T) {
	var folder logFolder
	r := runGateway(t, map[string]string{"main.lua": "pipeline { stage.disk {} }"}, func(c *serveCmd) { folder.Data = c.Data })
	c, err := dialWS(r.Addr().String(), "sender")
	if err != nil {
		t.Fatal(err)
	}
	defer c.conn.Close()
	if err := c.send(`{"type":0,"messageId":"m-1","to":["desk-1"],"data":{"n":1}}`); err != nil {
		t.Fatal(err)
	}
	if answer, err := c.next(); err != nil || !strings.Contains(answer, `"stored":"disk"`) {
		t.Fatalf("the message is not on the disk: %s %v", answer, err)
	}
	f := func(when string, waits string) {
		t.Helper()
		known, err := (&logShowCmd{logFolder: folder}).accounts()
		if err != nil {
			t.Fatal(err)
		}
		if got, _, _ := strings.Cut(waitingIn(known), "@"); got != waits {
			t.Errorf("%s: %q waits, want %q", when, got, waits)
		}
		found, err := (&logVerifyCmd{logFolder: folder}).read()
		if err != nil || len(found.flaws) != 0 || found.report.Records == 0 {
			t.Errorf("%s: %+v %v", when, found, err)
		}
	}
	f("while the recipient is away", "desk-1#1")
	desk, err := dialWS(r.Addr().String(), "desk-1")
	if err != nil {
		t.Fatal(err)
	}
	defer desk.conn.Close()
	if text, err := desk.next(); err != nil || !strings.Contains(text, `"m-1"`) {
		t.Fatalf("the recipient got %s %v", text, err)
	}
	r.waitFor("nothing to wait", func(gateway.Status) bool {
		known, err := (&logShowCmd{logFolder: folder}).accounts()
		return err == nil && waitingIn(known) == ""
	})
	f("when it is delivered", "")
	r.stop()
	f("after the end", "")
}
