package shard

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// lastValue keeps in memory the last message of all, for a group.
var lastValue = stageFunc(func(m *core.Message) (core.Verdict, error) {
	m.KeepIn(core.StorageMemory)
	m.Overflow, m.ConflateKey = core.OverflowConflate, []byte("k")
	m.Effects.Targets = append(m.Effects.Targets, core.Target{Kind: core.ToGroup, Name: "room"})
	return core.Next, nil
})

// gapFrames counts the gap frames among these, and what they name.
func gapFrames(t *testing.T, texts []string) (frames, gaps int, named map[int]bool) {
	t.Helper()
	named = map[int]bool{}
	for _, text := range texts {
		rest, ok := strings.CutPrefix(text, `{"type":7,"gaps":[`)
		if !ok {
			continue
		}
		frames++
		for _, part := range strings.Split(strings.TrimSuffix(rest, "]}"), "],[") {
			var from, to int
			if _, err := fmt.Sscanf(strings.Trim(part, "[]"), `%d,%d,"conflated"`, &from, &to); err != nil {
				t.Fatalf("%s: %v", text, err)
			}
			gaps++
			for ; from <= to; from++ {
				named[from] = true
			}
		}
	}
	return frames, gaps, named
}

func TestGapsOfOneTurnAreOneForEachClient(t *testing.T) {
	opt := oneShard()
	opt.Window = 1
	x := byHand(t, opt, &hooks{}, lastValue)
	sender := x.connect("sender")
	var all []*end
	for i := range 3 {
		e := x.connectWith(Client{ID: fmt.Sprint("r", i), Reliable: true})
		e.send(`{"type":3}`, `{"type":8,"groups":["room"]}`)
		all = append(all, e)
	}
	x.turn(2)
	sender.send(slices.Repeat([]string{`{"type":0,"data":1}`}, 50)...)
	const turns = 20
	x.turn(turns)
	for i, e := range all {
		// The first is on the connection, and the last waits for that.
		frames, gaps, named := gapFrames(t, e.got())
		if frames < 1 || frames > turns || gaps > turns || len(named) != 48 || named[1] || named[50] {
			t.Errorf("r%d has got %d frames with %d gaps, which name %d messages", i, frames, gaps, len(named))
		}
	}
}

func TestAClientThatDoesNotReadIsToldOfItsGapsInOne(t *testing.T) {
	opt := oneShard()
	opt.Window = 1
	x := byHand(t, opt, &hooks{}, lastValue)
	sender := x.connect("sender")
	e := x.connectWith(Client{ID: "r", Reliable: true})
	e.send(`{"type":3}`, `{"type":8,"groups":["room"]}`)
	x.turn(2)
	e.got()
	for !e.c.blocked { // its socket is full of pongs
		e.send(`{"type":4}`)
		x.turn(1)
	}
	before, most := e.c.out.waiting(), 0
	const messages = 10_000
	for range messages {
		sender.send(`{"type":0,"data":1}`)
		x.turn(1)
		most = max(most, e.c.out.waiting()-before)
	}
	if most > 1000 {
		t.Errorf("%d bytes wait for a client that does not read, of gaps", most)
	}
	var texts []string
	for range 100 {
		texts = append(texts, e.got()...)
		x.turn(1)
	}
	seq := uint64(0)
	for _, text := range texts {
		var first uint64
		if _, err := fmt.Sscanf(text, `{"type":0,"seq":%d`, &first); err == nil {
			seq = first
		}
	}
	// It reads: the last message goes out, and all before it are named.
	frames, gaps, named := gapFrames(t, texts)
	if frames > 2 || gaps > 2 || len(named) != messages-1 || seq != messages {
		t.Errorf("it has got %d frames with %d gaps, which name %d of %d messages, and message %d", frames, gaps, len(named), messages, seq)
	}
	e.send(fmt.Sprintf(`{"type":1,"seq":%d}`, seq))
	x.turn(2)
	if b := x.shards[0].boxes["r"]; len(b.spans) > 0 || b.upto != messages {
		t.Errorf("it has acknowledged all, and %d is left with %v", b.upto, b.spans)
	}
}

func TestManyGapsAreSeveralFrames(t *testing.T) {
	x := byHand(t, oneShard(), &hooks{})
	e := x.connectWith(Client{ID: "r", Reliable: true})
	e.send(`{"type":3}`)
	x.turn(2)
	e.got()
	s := x.shards[0]
	for seq := uint64(5000); seq > 0; seq -= 2 { // with one between each two, in any order
		s.untold = append(s.untold, untold{s.boxes["r"], wire.Gap{Range: wire.Range{From: seq, To: seq}, Cause: "conflated"}})
	}
	var texts []string
	for range 10 {
		x.turn(1)
		texts = append(texts, e.got()...)
	}
	frames, gaps, _ := gapFrames(t, texts)
	if frames != 3 || gaps != 2500 {
		t.Errorf("there are %d frames with %d gaps", frames, gaps)
	}
}
