//go:build linux

package shard

import (
	"context"
	"log/slog"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
)

// logOf makes a log of these records, in the folder of st.
func logOf(t *testing.T, st *store, records ...[]byte) {
	t.Helper()
	j, err := journal.Open(journal.Options{Dir: st.dir, FS: st.files, Settings: core.DefaultDiskSettings(), Log: slog.New(slog.DiscardHandler)})
	if err == nil {
		_, err = j.Replay(func(journal.Position, int64, []byte) error { return nil }, nil)
	}
	if err != nil {
		t.Fatal(err)
	}
	j.Start()
	b := &journal.Batch{Done: func(b *journal.Batch) { err = b.Err }}
	for _, r := range records {
		b.Buf = journal.AppendRecord(b.Buf, r)
	}
	j.Submit(b)
	if e := j.Close(context.Background()); e != nil || err != nil {
		t.Fatal(e, err)
	}
}

func TestGapsAreNamedThoughTheLogHasLostWhatWasKnownOfTheClient(t *testing.T) {
	st := newStore(t, "epoll")
	m := &core.Message{From: &core.Session{ID: "a"}, ID: []byte(`"m2"`), Data: []byte(`"two"`), Time: 1 << 42}
	var letter record.Letter
	if _, ok := record.ReadLetter(record.AppendLetter(nil, m, 3600), &letter); !ok {
		t.Fatal("no letter")
	}
	const epoch = 0x0123456789abcdef
	message := func(seq uint64) []byte {
		b := record.AppendMessage(nil, letter.From, letter.Content, 1)
		return record.AppendRecipient(b, "r", epoch, seq)
	}
	logOf(t, st, message(1), message(2),
		record.AppendGone(nil, epoch, record.Expired, record.Range{From: 1, To: 1}))
	r := atHands(t, st)
	c := r.attach("r", true)
	r.turn()
	r.in("r", `{"type":3,"epoch":"0123456789abcdef","seq":0}`)
	r.settleLog()
	text := joined(all(c))
	if !strings.Contains(text, `[1,1,"expired"]`) || !strings.Contains(text, `"two"`) {
		t.Errorf("the first has expired, the second waits, and r is told\n%s", text)
	}
}
