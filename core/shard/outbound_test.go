package shard

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/frame"
)

// tape is an outbound beside what a reader of its stream is owed: after every
// step the unwritten part is played and compared.
type tape struct {
	t    *testing.T
	o    *outbound
	wire []byte // what was written
	// kept are the frames that must arrive, in order; gone the dropped seqs.
	kept  []string
	gone  map[uint64]bool
	given uint64
}

func newTape(t *testing.T) *tape {
	return &tape{t: t, o: &outbound{start: 1000}, gone: map[uint64]bool{}}
}

func (p *tape) message(n int) {
	p.given++
	begin := p.o.end()
	p.o.buf = frame.AppendFrame(p.o.buf, frame.OpText, fmt.Appendf(nil, "m%d %s", p.given, strings.Repeat("x", n)))
	p.o.marks = append(p.o.marks, mark{begin: begin, end: p.o.end(), seq: p.given})
}

// self is a message to the client itself: it has a seq and cannot be dropped.
func (p *tape) self() {
	p.given++
	p.o.buf = frame.AppendFrame(p.o.buf, frame.OpText, fmt.Appendf(nil, "m%d self", p.given))
}

func (p *tape) control() {
	p.o.buf = frame.AppendFrame(p.o.buf, frame.OpPong, fmt.Appendf(nil, "c%d", p.given))
	p.kept = append(p.kept, fmt.Sprintf("c%d", p.given))
}

func (p *tape) write(n int) {
	n = min(n, p.o.waiting())
	p.wire = append(p.wire, p.o.buf[p.o.off:p.o.off+n]...)
	p.o.forget(p.o.wrote(n))
}

func (p *tape) drop(limit int) {
	before := p.o.waiting()
	gone, _ := p.o.dropOldest(limit, nil, nil)
	for _, m := range gone {
		if p.gone[m.seq] {
			p.t.Fatalf("%d was dropped twice", m.seq)
		}
		p.gone[m.seq] = true
	}
	if len(gone) == 0 && p.o.waiting() != before {
		p.t.Fatal("the queue changed though nothing was dropped")
	}
	if len(gone) == 0 && p.o.waiting() > limit && slices.ContainsFunc(p.o.marks, func(m mark) bool { return m.begin >= p.o.written() }) {
		p.t.Fatal("nothing was dropped though there was something")
	}
}

// check plays the whole stream.
func (p *tape) check() {
	p.t.Helper()
	for i, m := range p.o.marks {
		if i > 0 && m.begin < p.o.marks[i-1].end {
			p.t.Fatal("marks overlap")
		}
		if m.end <= p.o.written() || m.end > p.o.end() {
			p.t.Fatalf("mark %d-%d is outside of %d-%d", m.begin, m.end, p.o.written(), p.o.end())
		}
		if m.begin >= p.o.start {
			want := fmt.Sprintf("m%d ", m.seq)
			if b := p.o.buf[m.begin-p.o.start : m.end-p.o.start]; !strings.Contains(string(b[:min(len(b), 16)]), want) {
				p.t.Fatalf("the mark of %s is at %q", want, b)
			}
		}
	}
	stream := append(slices.Clone(p.wire), p.o.buf[p.o.off:]...)
	r := frame.NewReader(frame.Config{MaxMessage: 1 << 20, Client: true})
	var partial *frame.Partial
	next := uint64(1)
	var controls []string
	for len(stream) > 0 {
		ev, n, ok, err := r.Next(&partial, false, stream)
		if err != nil || !ok {
			p.t.Fatalf("the stream is torn: %v", err)
		}
		stream = stream[n:]
		text := string(ev.Payload)
		switch {
		case ev.Op == frame.OpPong:
			controls = append(controls, text)
		case text[0] == 'm':
			seq, _ := strconv.ParseUint(strings.Fields(text)[0][1:], 10, 64)
			if seq != next || p.gone[seq] {
				p.t.Fatalf("message %d arrives where %d is due (dropped: %v)", seq, next, p.gone[seq])
			}
			next++
		default:
			var from, to uint64
			if _, err := fmt.Sscanf(text, `{"type":7,"gaps":[[%d,%d,"dropped"]]}`, &from, &to); err != nil || from != next || to < from {
				p.t.Fatalf("%s where %d is due", text, next)
			}
			for ; next <= to; next++ {
				if !p.gone[next] {
					p.t.Fatalf("%s names %d, which was not dropped", text, next)
				}
			}
		}
	}
	if next != p.given+1 {
		p.t.Fatalf("the stream ends before %d, and %d were given", next, p.given)
	}
	if !slices.Equal(controls, p.kept) {
		p.t.Fatalf("control frames %v arrive, want %v", controls, p.kept)
	}
}

// play carries out a program: two bytes a step.
func (p *tape) play(program []byte) {
	for len(program) >= 2 {
		op, n := program[0], int(program[1])
		program = program[2:]
		switch op % 8 {
		case 0, 1, 2:
			p.message(n)
		case 3:
			p.control()
		case 4:
			p.self()
		case 5:
			p.write(n)
		case 6:
			p.write(n * 600)
		case 7:
			p.drop(n * 4)
		}
		p.check()
	}
}

func FuzzDropOldest(f *testing.F) {
	f.Add([]byte{0, 10, 0, 10, 7, 5})                                           // a run
	f.Add([]byte{0, 10, 0, 10, 5, 3, 7, 0})                                     // the first is partly written
	f.Add([]byte{0, 50, 4, 0, 0, 50, 3, 0, 0, 50, 7, 0})                        // frames that stay between
	f.Add([]byte{0, 50, 0, 50, 7, 10, 0, 50, 7, 10, 3, 0, 0, 50, 7, 0})         // the gap grows
	f.Add([]byte{0, 50, 0, 50, 7, 10, 5, 4, 0, 50, 7, 0, 6, 255, 0, 3, 7, 0})   // a gap partly written stays
	f.Add([]byte{0, 255, 0, 255, 4, 0, 0, 255, 7, 0, 4, 0, 0, 9, 7, 0, 6, 255}) // runs around own messages
	f.Fuzz(func(t *testing.T, program []byte) {
		if len(program) > 400 {
			t.Skip("long")
		}
		newTape(t).play(program)
	})
}

func TestDroppingTheOldestKeepsTheStreamWhole(t *testing.T) {
	r := rand.New(rand.NewPCG(1, 2))
	for range 300 {
		program := make([]byte, 200)
		for i := range program {
			program[i] = byte(r.Uint32())
		}
		newTape(t).play(program)
	}
}

// A reader that never reads costs one gap frame, however much it misses.
func TestGapsThatMeetAreOne(t *testing.T) {
	p := newTape(t)
	p.message(100)
	p.write(1)
	for range 1000 {
		p.message(100)
		p.drop(300)
	}
	p.check()
	if n := p.o.waiting(); n > 600 {
		t.Fatalf("%d bytes wait", n)
	}
}

// Messages move towards the front when what is before them is written.
func TestPositionsSurviveCompaction(t *testing.T) {
	p := newTape(t)
	for range 3000 {
		p.message(100)
	}
	p.write(200_000)
	if p.o.start == 1000 {
		t.Fatal("nothing was moved")
	}
	p.check()
	p.drop(1000)
	p.check()
}

func TestPoliciesAreReadByName(t *testing.T) {
	f := func(name string, want Policy, ok bool) {
		t.Helper()
		got, err := ParsePolicy(name)
		if got != want || (err == nil) != ok {
			t.Errorf("%q: got %v, %v", name, got, err)
		}
	}
	f("drop_oldest", DropOldest, true)
	f("reject", Reject, true)
	f("disconnect", Disconnect, true)
	f("", 0, false)
	f("Reject", 0, false)
}
