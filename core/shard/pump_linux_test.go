package shard

import (
	"net"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
)

// deadlined remembers the last write deadline of a connection.
type deadlined struct {
	net.Conn
	until time.Time
}

func (c *deadlined) SetWriteDeadline(t time.Time) error {
	c.until = t
	return c.Conn.SetWriteDeadline(t)
}

// connectPump attaches a client on a pump whose goroutines the test plays.
func (x *hand) connectPump(id string) (*pump, *session) {
	x.t.Helper()
	ours, theirs := net.Pipe()
	x.t.Cleanup(func() { ours.Close() })
	s := x.shards[x.owner(id)]
	p := &pump{
		conn: &deadlined{Conn: theirs}, inbox: &s.inbox,
		attached: make(chan struct{}), credit: make(chan struct{}, 1), signal: make(chan struct{}, 1),
		ended: make(chan struct{}),
	}
	s.inbox.post(&parcel{kind: parcelAttach, client: &Client{ID: id, FD: -1, Place: handPlace{x}, pump: p}})
	x.turn(1)
	return p, s.dir.byID[id]
}

// feed hands b to the shard as what p has read.
func (p *pump) feed(b []byte) {
	p.inbox.post(&parcel{kind: parcelInput, slot: p.slot, serial: p.serial, buf: b})
}

// A pump gets no credit while the messages in its buffer are being handled, also
// when one of them makes the shard write to it.
func TestAPumpReadsAgainWhenItsInputIsHandled(t *testing.T) {
	opt := oneShard()
	opt.QueueBytes = 1 << 10
	var p *pump
	handled, early := 0, 0
	x := byHand(t, opt, &hooks{connect: func(c *core.Conn) error {
		c.Joins = append(c.Joins, "room")
		return nil
	}}, stageFunc(func(*core.Message) (core.Verdict, error) {
		handled++
		early += len(p.credit)
		return core.Next, nil
	}), toGroup("room"))
	p, _ = x.connectPump("a")
	var b []byte
	for range turnMessages {
		b = append(b, masked(`{"type":0,"data":"many of these are more than its queue holds"}`)...)
	}
	p.feed(b)
	x.turn(1)
	if handled != turnMessages || early != 0 {
		t.Fatalf("%d messages were handled, %d of them after the buffer was given back", handled, early)
	}
	if len(p.buf) < turnMessages*64 {
		t.Fatalf("only %d bytes were written", len(p.buf))
	}
	if len(p.credit) != 1 {
		t.Fatal("it may not read again")
	}
}

// What stands behind the message for which a client is closed is read to its
// close frame before the pump writes over it.
func TestAPumpsBufferStaysWhenItsClientIsClosed(t *testing.T) {
	for range 50 {
		x := byHand(t, oneShard(), &hooks{})
		p, _ := x.connectPump("a")
		b := frame.AppendMasked(nil, frame.OpBinary, mask, []byte("{}"))
		for range turnMessages - 2 {
			b = frame.AppendMasked(b, frame.OpPing, mask, make([]byte, 125))
		}
		b = frame.AppendMasked(b, frame.OpClose, mask, []byte{1003 >> 8, 1003 & 255})
		written := make(chan struct{})
		go func() { // what read does with its credit
			defer close(written)
			select {
			case <-p.credit:
				for i := range b {
					b[i] = 0xff
				}
			case <-p.ended:
			}
		}()
		p.feed(b)
		x.turn(2)
		<-written
		if n := x.shards[0].count; x.left != 1 || n.Protocol != 1 {
			t.Fatalf("the close frame was not understood: counted %+v", n)
		}
	}
}

// Input that waited when its client was closed is followed to the close frame,
// and a partial message in it does not spoil what comes behind.
func TestWaitingInputIsFollowedToTheCloseFrame(t *testing.T) {
	h := &holder{}
	x := byHand(t, oneShard(), &hooks{}, h, toSender)
	a := x.connect("a")
	whole := masked(`{"type":0,"messageId":"2","data":2}`)
	a.send(`{"type":0,"messageId":"1","data":"hold"}`, `{"type":4}`)
	a.write(whole[:9])
	x.turn(1)
	if a.c.in == nil {
		t.Fatal("nothing waits")
	}
	x.connect("a")
	a.want("close 4001")
	a.write(whole[9:])
	a.sendClose(4001)
	x.turn(3)
	a.want("end")
	if n := x.shards[0].count; x.left != 1 || n.Protocol != 0 {
		t.Fatalf("its close frame was not understood: counted %+v", n)
	}
}
