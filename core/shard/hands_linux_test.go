//go:build linux

package shard

import (
	"bufio"
	"context"
	"encoding/binary"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/frame"
	"github.com/stratix-gateway/stratix/core/journal"
)

// atHand is one shard whose turns the test makes itself: what is posted before a
// turn happens within it.
type atHand struct {
	t   *testing.T
	st  *store
	set *Set
	s   *Shard
	n   places
}

// atHands starts a shard on what st holds, with no loop.
func atHands(t *testing.T, st *store, stages ...core.Stage) *atHand {
	t.Helper()
	settings := core.DefaultDiskSettings()
	settings.Sync, settings.Segment = st.sync, 1<<20
	if st.segment > 0 {
		settings.Segment, settings.RetainBytes, settings.RetainAge = st.segment, 0, 0
	}
	var err error
	var files journal.FS = st.files
	if st.disk != nil {
		files = st.disk
	}
	if st.log, err = journal.Open(journal.Options{Dir: st.dir, FS: files, Settings: settings, Log: st.opt.Log}); err != nil {
		t.Fatal(err)
	}
	opt := st.opt
	opt.Journal, opt.Shards = st.log, 1
	if len(stages) == 0 {
		stages = []core.Stage{marking(st.policy)}
	}
	set, err := New(opt, generation(1, 1, &hooks{}, stages...))
	if err != nil {
		t.Fatal(err)
	}
	rec := set.Recover(time.Now().Unix())
	if _, err := st.log.Replay(func(at journal.Position, millis int64, b []byte) error {
		rec.Record(at, millis, b)
		return nil
	}, nil); err != nil {
		t.Fatal(err)
	}
	rec.End(nil)
	st.log.Start()
	log := st.log
	t.Cleanup(func() { _ = log.Close(context.Background()) }) // before its folder is removed
	r := &atHand{t: t, st: st, set: set, s: set.all[0]}
	r.n.c = nil
	s := r.s
	s.began = time.Now()
	s.ticked = s.began
	return r
}

type noPlace struct{}

func (noPlace) Leave() {}

// attach posts a new connection; its session is found after a turn.
func (r *atHand) attach(id string, reliable bool) *client {
	ours, theirs := pair(r.t)
	r.s.inbox.post(&parcel{kind: parcelAttach, client: &Client{ID: id, Reliable: reliable, Place: noPlace{}, FD: dup(r.t, theirs)}})
	c := &client{t: r.t, conn: ours, in: bufio.NewReader(ours)}
	r.t.Cleanup(func() { ours.Close() })
	return c
}

func (r *atHand) turn() { r.s.step(0, time.Now()) }

// settleLog makes turns until no commit is on its way.
func (r *atHand) settleLog() {
	r.t.Helper()
	for end := time.Now().Add(10 * time.Second); ; time.Sleep(time.Millisecond) {
		r.s.lastCommit = r.s.wheel.now + 1 // what nobody waits for goes too
		r.turn()
		f := r.s.filling
		idle := r.s.flying == nil && len(f.waits)+len(f.moves)+len(r.s.hungry) == 0
		if idle && (r.s.failing || len(f.lazy)+len(r.s.settled) == 0 || r.s.relief.full && len(f.lazy) <= commitBytes) {
			return
		}
		if time.Now().After(end) {
			r.t.Fatal("the log does not answer")
		}
	}
}

// in handles text as what the session of id has sent, within the turn at hand.
func (r *atHand) in(id, text string) {
	r.t.Helper()
	c := r.s.dir.byID[id]
	if c == nil {
		r.t.Fatalf("%s is not connected", id)
	}
	r.s.consume(c, masked(text))
}

// crash forgets the process: what the log has is all there is.
func (r *atHand) crash() {
	r.t.Helper()
	if err := r.st.log.Close(context.Background()); err != nil {
		r.t.Fatal(err)
	}
}

// all reads the text frames that have come.
func all(c *client) (texts []string) {
	for {
		_ = c.conn.SetReadDeadline(time.Now().Add(150 * time.Millisecond))
		var h [2]byte
		if _, err := c.in.Read(h[:1]); err != nil {
			return texts
		}
		_, _ = c.in.Read(h[1:])
		n := int(h[1])
		switch n {
		case 126:
			var b [2]byte
			readFull(c, b[:])
			n = int(binary.BigEndian.Uint16(b[:]))
		case 127:
			var b [8]byte
			readFull(c, b[:])
			n = int(binary.BigEndian.Uint64(b[:]))
		}
		p := make([]byte, n)
		readFull(c, p)
		if frame.Op(h[0]&15) == frame.OpText {
			texts = append(texts, withoutTime(string(p)))
		}
	}
}

func readFull(c *client, b []byte) {
	for at := 0; at < len(b); {
		n, err := c.in.Read(b[at:])
		if err != nil {
			return
		}
		at += n
	}
}

func joined(texts []string) string { return strings.Join(texts, "\n") }
