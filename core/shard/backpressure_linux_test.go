package shard

import (
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/frame"
)

// A client that writes and does not read is not read from; nothing of it is
// lost, and what the gateway keeps for it is bounded.
func TestAClientThatOnlyWritesIsHeldBack(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{}, toSender)
	a, b := x.connect("a"), x.connect("b")
	var wire []byte
	sent := 0
	for len(wire) < 1<<20 {
		wire = append(wire, masked(fmt.Sprintf(`{"type":0,"messageId":"m%d","data":"%s"}`, sent, strings.Repeat("x", 1000)))...)
		sent++
	}
	feed := func() {
		for n := 1; n > 0; x.turn(1) {
			n = a.put(wire)
			wire = wire[n:]
		}
	}
	feed()
	x.turn(10)
	if !a.c.deaf || len(wire) == 0 {
		t.Fatalf("it is still read from; %d bytes are left", len(wire))
	}
	if kept := a.c.out.waiting(); kept > 64<<10+writeBytes+4<<10 {
		t.Fatalf("%d bytes wait for it", kept)
	}
	if a.c.in != nil && cap(a.c.in.buf) > 2*readBytes {
		t.Fatalf("%d bytes of it wait", cap(a.c.in.buf))
	}
	b.send(`{"type":4}`)
	x.turn(1)
	b.want(`{"type":5}`)
	var got []string
	for len(got) < 2*sent {
		before := len(got)
		got = append(got, a.everything(x)...)
		if len(got) == before && len(wire) == 0 {
			break
		}
		feed()
	}
	if len(got) != 2*sent {
		t.Fatalf("%d frames for %d messages", len(got), sent)
	}
	all, seq := statuses(got), 0
	for i := range sent {
		if words := all[fmt.Sprint("m", i)]; len(words) != 1 || words[0] != "delivered" && words[0] != "queued" {
			t.Fatalf("m%d was answered with %q", i, words)
		}
	}
	for _, g := range got {
		if strings.HasPrefix(g, `{"type":0,`) {
			if seq++; !strings.HasPrefix(g, fmt.Sprintf(`{"type":0,"seq":%d,"from":"a","messageId":"m%d",`, seq, seq-1)) {
				t.Fatalf("got %.80s where %d is due", g, seq)
			}
		}
	}
}

// A queue of another's messages that is more than half full holds a client
// back, too; it is heard again as soon as it has read some, not all.
func TestASlowReaderIsHeardAgain(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{})
	a, b := x.connect("a"), x.connect("b")
	for i := range 14 {
		a.sendAll(x, blob("b", i, 5<<10, ""))
	}
	b.send(`{"type":0,"messageId":"1","to":"a","data":1}`)
	x.turn(3)
	a.got()
	if !b.c.deaf {
		t.Fatal("it is read from")
	}
	buf := make([]byte, 4<<10)
	for b.c.deaf {
		if b.skip(buf) == 0 {
			t.Fatal("it has read everything and is not heard")
		}
		x.turn(2)
	}
	if !b.c.blocked {
		t.Fatal("it was heard when its queue was empty only")
	}
	x.turn(2)
	a.want(echoed(1, "b", "1", "1"))
}

// What a few compressed bytes become is bounded, too.
func TestACompressedFloodIsHeldBack(t *testing.T) {
	x := byHand(t, queued(DropOldest), &hooks{}, toSender)
	a := x.connectWith(Client{ID: "a", Deflate: true})
	var small []byte
	d := frame.NewDeflater()
	for range 60 {
		text := `{"type":0,"data":"` + strings.Repeat("x", 60<<10) + `"}`
		b := d.AppendFrame(nil, frame.OpText, []byte(text))
		m := frame.AppendMasked(nil, frame.OpText, mask, b[2+2*(b[1]/126):])
		m[0] = b[0]
		small = append(small, m...)
	}
	a.write(small)
	for seen := 0; seen < 60; {
		x.turn(1)
		if o := a.c.out; o != nil && o.waiting() > writeBytes+2*64<<10 {
			t.Fatalf("%d bytes wait for %d that came", o.waiting(), len(small))
		}
		seen += len(a.got())
		if x.shards[0].turn > 10000 {
			t.Fatalf("only %d came back", seen)
		}
	}
}
