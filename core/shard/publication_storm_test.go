package shard

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// whim delays some messages, and fails, drops, answers or sends on the others.
type whim struct{}

func (whim) Handle(m *core.Message) (core.Verdict, error) {
	switch rand.IntN(8) {
	case 0:
		return m.Delay(m.Time + int64(rand.IntN(5))), nil
	case 1:
		return m.DropFor("no"), nil
	case 2:
		panic("no")
	case 3:
		m.Effects.Replies = append(m.Effects.Replies, m.Data)
	}
	return core.Next, nil
}

// Whoever gives up waiting has its bytes back, whatever a shard is about to do
// with them: -race sees a shard that still reads them.
func TestTheBytesOfAPublicationAreItsOwnersAgainHoweverItEnds(t *testing.T) {
	opt := options()
	opt.TraceEvery, opt.TraceBytes, opt.TraceData, opt.RecordBytes = 1, 64<<10, 100, 64<<10
	g := start(t, transports[1], opt, &hooks{}, whim{}, whim{})
	var clients []*client
	for i := range 3 {
		clients = append(clients, g.connect(fmt.Sprint("b", i)))
	}
	g.await(3)
	for _, c := range clients {
		go func() {
			for {
				if _, _, err := c.next(); err != nil {
					return
				}
			}
		}()
	}
	var ended atomic.Int64
	var done sync.WaitGroup
	publish := func(n int, id string) bool {
		p := &Publication{From: core.Session{ID: id}, Messages: make([]Published, 1+rand.IntN(5)), Delivered: rand.IntN(2) == 0}
		bodies := make([][]byte, len(p.Messages))
		for i := range p.Messages {
			bodies[i] = fmt.Appendf(nil, `{"type":0,"to":["b%d","b%d"],"messageId":"%s-%d-%d","data":{"x":"some data"},"headers":{"a":"b"}}`, i%3, (i+1)%3, id, n, i)
			if fault := wire.NewParser().Parse(bodies[i], &p.Messages[i].Frame); fault != nil {
				t.Error(fault)
			}
			p.Messages[i].Size = len(bodies[i])
		}
		ctx, cancel := context.WithTimeout(context.Background(), time.Duration(rand.IntN(3000))*time.Microsecond)
		defer cancel()
		err := g.Publish(ctx, p)
		for _, b := range bodies {
			clear(b)
		}
		for i := range p.Messages {
			p.Messages[i].Answer = Answer{}
		}
		p.Messages, p.From = nil, core.Session{}
		return err == nil
	}
	for i := range 4 {
		done.Go(func() {
			for n := 0; n < 300 && publish(n, fmt.Sprint("api", i)); n++ {
				ended.Add(1)
			}
		})
	}
	for generationNumber := uint32(2); ended.Load() < 600; generationNumber++ {
		g.Swap(generation(generationNumber, opt.Shards, &hooks{}, whim{}))
	}
	done.Wait()
	for _, s := range g.all {
		g.on(s, func() {
			if used := len(s.publications.slots) - len(s.publications.unused); used != 0 || s.publications.count.Load() != 0 || len(s.publications.waiting) != 0 {
				t.Errorf("shard %d still holds %d, counts %d, and %d wait", s.index, used, s.publications.count.Load(), len(s.publications.waiting))
			}
		})
	}
	for i := range 4 { // the shards end in the middle
		done.Go(func() {
			for n := 300; publish(n, fmt.Sprint("api", i)); n++ {
			}
		})
	}
	g.close()
	done.Wait()
}
