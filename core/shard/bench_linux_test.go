package shard

import (
	"fmt"
	"io"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// data makes a message of about 128 bytes.
var data = strings.Repeat("x", 60)

// rig is a hand whose clients' bytes are prepared, so that what is measured is
// the shard and the system calls.
type rig struct {
	*hand
	buf []byte
}

func newRig(t testing.TB, opt Options, member string) *rig {
	stage := toSender
	if member != "" {
		stage = toGroup(member).(stageFunc)
	}
	return &rig{byHand(t, opt, &hooks{}, stage), make([]byte, 1<<20)}
}

// write puts wire, which a shard unmasks in its own buffer, into a's socket.
func (r *rig) write(a *end, wire []byte) {
	if n, err := unix.Write(a.fd, wire); n != len(wire) {
		r.t.Fatalf("wrote %d of %d: %v", n, len(wire), err)
	}
}

// empty reads a's socket until nothing comes.
func (r *rig) empty(a *end) (n int) {
	for {
		m, err := unix.Read(a.fd, r.buf)
		if err != nil {
			return n
		}
		if m == 0 {
			r.t.Fatal(io.ErrUnexpectedEOF)
		}
		n += m
	}
}

func TestTheWayOfAMessageDoesNotAllocate(t *testing.T) {
	if underRace {
		t.Skip("the race detector allocates")
	}
	f := func(name, to string, opt Options, turns int) {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, opt, "")
			a, b := r.connect(r.idOn(0, "a")), r.connect(r.idOn(opt.Shards-1, "b"))
			to := strings.ReplaceAll(to, "b", b.c.ID)
			wire := masked(`{"type":0,"messageId":"msg-001",` + to + `"data":"` + data + `"}`)
			got := 0
			one := func() {
				r.write(a, wire)
				r.turn(turns)
				got = r.empty(a) + r.empty(b)
			}
			for range 100 {
				one()
			}
			if n := testing.AllocsPerRun(500, one); n != 0 {
				t.Errorf("%v allocations a message", n)
			}
			if got < 200 {
				t.Errorf("%d bytes came out", got)
			}
		})
	}
	f("to its sender", ``, oneShard(), 1)
	f("to a client", `"to":"b",`, oneShard(), 2)
	f("to a client, with a receipt", `"receipt":true,"to":"b",`, oneShard(), 2)
	f("to a list", `"to":["b","nobody"],`, oneShard(), 2)
	f("to a prefix", `"to":{"prefix":"b"},`, oneShard(), 2)
	f("to another shard", `"to":"b",`, options(), 4)
}

func TestARestingSessionKeepsNoBuffers(t *testing.T) {
	r := newRig(t, oneShard(), "")
	a := r.connect("a")
	a.send(`{"type":0,"messageId":"1","data":1}`)
	r.turn(2)
	r.empty(a)
	if c := a.c; c.out != nil || c.in != nil || c.partial != nil || c.groups != nil {
		t.Fatalf("it keeps out %p, in %p, partial %p, groups %p", c.out, c.in, c.partial, c.groups)
	}
}

// BenchmarkEcho is a message to its sender and the acknowledgement; 8 messages
// a read.
func BenchmarkEcho(b *testing.B) {
	r := newRig(b, oneShard(), "")
	const clients, burst = 50, 8
	var all []*end
	for i := range clients {
		all = append(all, r.connect(fmt.Sprint("client-", i)))
	}
	wire := masked(`{"type":0,"messageId":"msg-001","data":"` + data + `"}`)
	var many []byte
	for range burst {
		many = append(many, wire...)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += clients * burst {
		for _, a := range all {
			r.write(a, many)
		}
		r.turn(1)
		for _, a := range all {
			r.empty(a)
		}
	}
}

// BenchmarkPair is a message to another client of the same shard and the
// acknowledgement; one message a read, as clients that wait for each other do.
func BenchmarkPair(b *testing.B) {
	r := newRig(b, oneShard(), "")
	const pairs = 50
	var from, to []*end
	var wire [][]byte
	for i := range pairs {
		from = append(from, r.connect(fmt.Sprint("from-", i)))
		to = append(to, r.connect(fmt.Sprint("to-", i)))
		wire = append(wire, masked(fmt.Sprintf(`{"type":0,"messageId":"msg-001","to":"to-%d","data":"%s"}`, i, data)))
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += pairs {
		for i, a := range from {
			r.write(a, wire[i])
		}
		r.turn(2)
		for i := range pairs {
			r.empty(from[i])
			r.empty(to[i])
		}
	}
}

// BenchmarkFanout1000 is one delivery of a group message to 1,000 members.
func BenchmarkFanout1000(b *testing.B) {
	r := newRig(b, oneShard(), "room")
	const members, burst = 1000, 4
	var all []*end
	for i := range members {
		c := r.connect(fmt.Sprint("member-", i))
		c.send(`{"type":8,"groups":["room"]}`)
		r.turn(1)
		r.empty(c)
		all = append(all, c)
	}
	wire := masked(`{"type":0,"messageId":"msg-001","data":"` + data + `"}`)
	var many []byte
	for range burst {
		many = append(many, wire...)
	}
	b.ReportAllocs()
	for n := 0; n < b.N; n += members * burst {
		r.write(all[0], many)
		r.turn(2)
		b.StopTimer()
		for _, a := range all {
			r.empty(a)
		}
		b.StartTimer()
	}
}
