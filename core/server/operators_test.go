package server

import (
	"log/slog"
	"net"
	"syscall"
	"testing"
)

// Where clients have taken all descriptors, operators come in all the same: one of
// theirs that asks nothing at the moment makes way, and the gateway goes on.
func TestWithoutDescriptorsAnIdleOperatorMakesWay(t *testing.T) {
	g := start(t, nil)
	idle := dial(t, g.adminAddr)
	idle.send("GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n")
	idle.answer()
	here, there := net.Pipe()
	defer there.Close()
	ln := &listener{Listener: &scripted{errs: []error{syscall.EMFILE}, conn: here}, waiting: &g.operators, log: slog.New(slog.DiscardHandler)}
	eventually(t, "it waits for another request", func() bool {
		g.operators.mu.Lock()
		defer g.operators.mu.Unlock()
		return g.operators.reading.Len() == 1
	})
	c, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := idle.in.ReadByte(); err == nil {
		t.Error("nobody made way")
	}
	if n := g.Stats().Refused["made_way"]; n != 1 {
		t.Errorf("%d have made way", n)
	}
}

func TestTheConnectionsOfOperatorsAreBounded(t *testing.T) {
	g := start(t, nil)
	if n := g.operators.counts.max.Load(); n != maxOperators {
		t.Errorf("there may be %d", n)
	}
	g.Adjust(*g.opt())
	if n := g.operators.counts.max.Load(); n != maxOperators {
		t.Errorf("after a change of the settings there may be %d", n)
	}
}
