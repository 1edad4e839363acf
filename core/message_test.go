package core_test

import (
	"net/netip"
	"reflect"
	"slices"
	"strings"
	"testing"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
)

// fullMessage points into buf, which a caller overwrites to see what a message
// still borrows.
func fullMessage(buf []byte) *core.Message {
	copy(buf, `"id-1"{"a":1}{"h":2}"bob"ann roomreply`)
	text := unsafe.String(&buf[0], len(buf))
	return &core.Message{
		From: &core.Session{ID: text[25:28], Remote: netip.MustParseAddr("192.0.2.1")},
		ID:   buf[0:6], Data: buf[6:13], Headers: buf[13:20], To: buf[20:25],
		Size: 99, Time: 1, TTL: 2, Generation: 3, Priority: 4, Receipt: true,
		Effects: core.Effects{
			Targets: []core.Target{{Kind: core.ToGroup, Name: text[29:33]}},
			Own:     true,
			Replies: [][]byte{buf[33:38]},
			Joins:   []string{text[29:33]},
			Leaves:  []string{text[25:28]},
			Code:    text[25:28],
			Reason:  text[29:33],
		},
	}
}

func TestDetachCopiesAllThatAMessagePointsTo(t *testing.T) {
	var buf, untouched [64]byte
	m, want := fullMessage(buf[:]), fullMessage(untouched[:])
	m.Detach()
	copy(buf[:], strings.Repeat("#", len(buf)))
	if !reflect.DeepEqual(m, want) {
		t.Errorf("after the shard used its buffers again:\n got %+v\nwant %+v", m, want)
	}
	if !strings.HasPrefix(string(m.Data)+string(m.Headers), `{"a":1}{"h":2}`) {
		t.Errorf("data %s, headers %s", m.Data, m.Headers)
	}
}

func TestDetachKeepsWhatIsAbsentAbsent(t *testing.T) {
	m := &core.Message{From: &core.Session{ID: "a"}, Data: []byte("1"), Headers: []byte{}}
	m.Detach()
	if m.ID != nil || m.To != nil {
		t.Errorf("ID %q, To %q: want nil", m.ID, m.To)
	}
	if m.Headers == nil {
		t.Error("Headers became nil")
	}
}

func TestDetachedFieldsDoNotGrowIntoEachOther(t *testing.T) {
	var buf [64]byte
	m := fullMessage(buf[:])
	m.Detach()
	_ = append(m.ID, "XXXX"...)
	_ = append(m.Data, "XXXX"...)
	if string(m.Data) != `{"a":1}` || string(m.Headers) != `{"h":2}` {
		t.Errorf("data %s, headers %s", m.Data, m.Headers)
	}
}

func TestResetLeavesNothingButTheBuffers(t *testing.T) {
	var buf [64]byte
	m := fullMessage(buf[:])
	m.Own(&shard{}, core.Held{Slot: 7})
	m.Reset()
	e := m.Effects
	if cap(e.Targets) == 0 || cap(e.Replies) == 0 || cap(e.Joins) == 0 || cap(e.Leaves) == 0 {
		t.Error("a buffer was not kept")
	}
	if e.Targets[:1][0] != (core.Target{}) || e.Replies[:1][0] != nil || e.Joins[:1][0] != "" || e.Leaves[:1][0] != "" {
		t.Errorf("a buffer still holds on to the message: %+v", e)
	}
	if len(e.Targets)+len(e.Replies)+len(e.Joins)+len(e.Leaves) != 0 {
		t.Errorf("an effect survived: %+v", e)
	}
	m.Effects = core.Effects{Code: e.Code, Reason: e.Reason}
	if !reflect.DeepEqual(m, &core.Message{}) {
		t.Errorf("a field survived: %+v", m)
	}
}

func TestRejectAndDropForSayWhy(t *testing.T) {
	f := func(end func(*core.Message) core.Verdict, code, reason string) {
		t.Helper()
		var m core.Message
		if v := end(&m); v != core.Drop || m.Effects.Code != code || m.Effects.Reason != reason {
			t.Errorf("got %v, %q, %q", v, m.Effects.Code, m.Effects.Reason)
		}
	}
	f(func(m *core.Message) core.Verdict { return m.Reject("too_big", "8 KiB at most") }, "too_big", "8 KiB at most")
	f(func(m *core.Message) core.Verdict { return m.DropFor("spam") }, "dropped", "spam")
}

func TestRoutedIsTrueOnceATargetOrAReplyIsThere(t *testing.T) {
	f := func(e core.Effects, want bool) {
		t.Helper()
		if got := e.Routed(); got != want {
			t.Errorf("%+v: got %v", e, got)
		}
	}
	f(core.Effects{}, false)
	f(core.Effects{Joins: []string{"g"}, Leaves: []string{"g"}, Code: "c"}, false)
	f(core.Effects{Targets: []core.Target{{Kind: core.ToSender}}}, true)
	f(core.Effects{Replies: [][]byte{[]byte("1")}}, true)
}

// shard notes the batches that it is given back.
type shard struct{ batches [][]*core.Message }

func (s *shard) Resume(batch []*core.Message) { s.batches = append(s.batches, batch) }

func TestResumePostsEachRunOfOneOwnerAtOnce(t *testing.T) {
	f := func(owners string, want ...string) {
		t.Helper()
		shards := map[rune]*shard{'a': {}, 'b': {}}
		var batch []*core.Message
		for i, o := range owners {
			m := &core.Message{TTL: uint32(i)}
			m.Own(shards[o], core.Held{})
			batch = append(batch, m)
		}
		core.Resume(slices.Clone(batch))

		var got []string
		for _, o := range "ab" {
			at := -1
			for _, run := range shards[o].batches {
				got = append(got, strings.Repeat(string(o), len(run)))
				if cap(run) != len(run) {
					t.Errorf("%s: a run can grow into the next one", owners)
				}
				for _, m := range run {
					if int(m.TTL) <= at || rune(owners[m.TTL]) != o {
						t.Errorf("%s: shard %c got message %d after %d", owners, o, m.TTL, at)
					}
					at = int(m.TTL)
				}
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s: got %v, want %v", owners, got, want)
		}
	}
	f("")
	f("a", "a")
	f("aaa", "aaa")
	f("ab", "a", "b")
	f("aabbb", "aa", "bbb")
	f("aabaab", "aa", "aa", "b", "b")
}
