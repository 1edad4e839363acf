package shard

import (
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// seenModel is a seen as it is told: a list of what was added, oldest first.
type seenModel struct {
	list []seenNote
	max  int
	age  uint32
}

type seenNote struct {
	key     seenKey
	seq, at uint32
	gone    bool // removed or added anew; it still takes its place
}

func (m *seenModel) find(h seenKey, now uint32) (uint32, bool) {
	for _, n := range m.list {
		if n.key == h && !n.gone && int64(int32(now-n.at)) <= int64(m.age) {
			return n.seq, true
		}
	}
	return 0, false
}

func (m *seenModel) add(h seenKey, seq, now uint32) {
	m.drop(now, seenPerAdd)
	if len(m.list) == m.max {
		m.list = m.list[1:]
	}
	for i := range m.list {
		if m.list[i].key == h {
			m.list[i].gone = true
		}
	}
	m.list = append(m.list, seenNote{key: h, seq: seq, at: now})
}

func (m *seenModel) remove(h seenKey) {
	for i := range m.list {
		if m.list[i].key == h && !m.list[i].gone {
			m.list[i].gone = true
			if i == len(m.list)-1 {
				m.list = m.list[:i]
			}
			return
		}
	}
}

func (m *seenModel) drop(now uint32, n int) {
	for ; n > 0 && len(m.list) > 0 && int64(int32(now-m.list[0].at)) > int64(m.age); n-- {
		m.list = m.list[1:]
	}
}

// pack is what resizing does to those that are gone.
func (m *seenModel) pack() {
	var kept []seenNote
	for _, n := range m.list {
		if !n.gone {
			kept = append(kept, n)
		}
	}
	m.list = kept
}

func (m *seenModel) len() int {
	n := 0
	for _, e := range m.list {
		if !e.gone {
			n++
		}
	}
	return n
}

// checkSeen holds the table's parts against each other.
func checkSeen(t *testing.T, s *seen) {
	t.Helper()
	if s.used > len(s.ring) || len(s.ring) > s.max || len(s.index) != 2*len(s.ring) {
		t.Fatalf("%d entries in a ring of %d and an index of %d, for %d", s.used, len(s.ring), len(s.index), s.max)
	}
	named := 0
	for slot, in := range s.index {
		if in == 0 {
			continue
		}
		named++
		place := s.place(slot)
		if from := (place - s.first + len(s.ring)) % len(s.ring); from >= s.used {
			t.Fatalf("slot %d names place %d, which is not in the ring", slot, place)
		}
		if at, away, found := s.slot(s.ring[place].key()); !found || at != slot || away != s.away(slot) {
			t.Fatalf("the key of slot %d is found in %d, %d away, %v", slot, at, away, found)
		}
	}
	if named != s.live {
		t.Fatalf("%d slots are in use, and %d are counted", named, s.live)
	}
}

// Each pair of bytes is one step on few keys, some of which meet in their slots.
// The clock runs over the end of its 32 bits.
func FuzzSeenAgainstAModel(f *testing.F) {
	f.Add(uint8(5), uint8(3), []byte{0, 1, 0, 2, 4, 1, 3, 2, 0, 1, 5, 9, 6, 0})
	f.Add(uint8(1), uint8(0), []byte{0, 1, 0, 2, 0, 1, 3, 1, 3, 2, 5, 1, 0, 2})
	f.Add(uint8(200), uint8(9), []byte(strings.Repeat("\x00a\x01b\x02c\x03a\x05\x01", 40)))
	long := make([]byte, 6000)
	r := rand.New(rand.NewPCG(8, 9))
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(uint8(255), uint8(60), long)
	f.Add(uint8(90), uint8(255), long)
	f.Fuzz(func(t *testing.T, most, age uint8, steps []byte) {
		limit := max(1, int(most))
		s, m := newSeen(limit, uint32(age)), &seenModel{max: limit, age: uint32(age)}
		now := ^uint32(0) - 20
		for seq := uint32(1); len(steps) >= 2; seq++ {
			step, which := steps[0], steps[1]
			steps = steps[2:]
			// the high bits are the home: a quarter of the keys share each of four
			h := seenKey{a: uint64(which&3)<<62 | uint64(which>>4), b: uint32(which >> 2)}
			rings := len(s.ring)
			switch step % 8 {
			case 0, 1, 2, 3:
				s.add(h, seq, now)
				if grown := len(s.ring) != rings; grown {
					m.drop(now, seenPerAdd)
					m.pack()
				}
				m.add(h, seq, now)
			case 4:
				s.remove(h)
				m.remove(h)
			case 5:
				now += uint32(which % 32)
			case 6:
				s.expire(now)
				m.drop(now, seenPerRun)
				if len(s.ring) != rings {
					m.pack()
				}
			}
			seq1, ok1 := s.find(h, now)
			seq2, ok2 := m.find(h, now)
			if seq1 != seq2 || ok1 != ok2 || s.len() != m.len() {
				t.Fatalf("step %d on %v: got %d %v of %d, want %d %v of %d", step%8, h, seq1, ok1, s.len(), seq2, ok2, m.len())
			}
		}
		checkSeen(t, s)
		for _, n := range m.list {
			seq1, ok1 := s.find(n.key, now)
			seq2, ok2 := m.find(n.key, now)
			if seq1 != seq2 || ok1 != ok2 {
				t.Fatalf("%v: got %d %v, want %d %v", n.key, seq1, ok1, seq2, ok2)
			}
		}
	})
}

func numbered(n int) seenKey {
	r := rand.New(rand.NewPCG(uint64(n), 77))
	return seenKey{a: r.Uint64(), b: r.Uint32()}
}

func TestTheOldestMessageIsForgottenWhenThereAreTooMany(t *testing.T) {
	s := newSeen(1000, 60)
	for n := range 5000 {
		s.add(numbered(n), uint32(n), 1)
	}
	checkSeen(t, s)
	for n := range 5000 {
		seq, ok := s.find(numbered(n), 1)
		if want := n >= 4000; ok != want || ok && seq != uint32(n) {
			t.Fatalf("message %d: got %d, %v", n, seq, ok)
		}
	}
	if s.len() != 1000 {
		t.Fatalf("%d are remembered", s.len())
	}
}

func TestAMessageIsRememberedForItsTime(t *testing.T) {
	f := func(added, now, age uint32, want bool) {
		t.Helper()
		s := newSeen(10, age)
		s.add(numbered(1), 7, added)
		if _, ok := s.find(numbered(1), now); ok != want {
			t.Errorf("added at %d, age %d, asked at %d: got %v", added, age, now, ok)
		}
	}
	f(100, 100, 0, true)
	f(100, 101, 0, false)
	f(100, 160, 60, true)
	f(100, 161, 60, false)
	f(100, 99, 0, true) // the clock was set back
	f(1<<32-5, 5, 10, true)
	f(1<<32-5, 6, 10, false)
}

func TestWithoutRoomNothingIsRemembered(t *testing.T) {
	for _, limit := range []int{0, -1} {
		s := newSeen(limit, 60)
		s.add(numbered(1), 1, 1)
		s.remove(numbered(1))
		s.expire(100)
		if _, ok := s.find(numbered(1), 1); ok || s.len() != 0 {
			t.Fatalf("with room for %d one is found", limit)
		}
	}
}

func TestAMessageAddedAnewCountsFromThen(t *testing.T) {
	s := newSeen(10, 60)
	s.add(numbered(1), 1, 100)
	s.add(numbered(2), 2, 110)
	s.add(numbered(1), 3, 150)
	if s.expire(165); s.len() != 2 { // the first note of message 1 goes
		t.Fatalf("%d are remembered", s.len())
	}
	if seq, ok := s.find(numbered(1), 165); !ok || seq != 3 {
		t.Fatalf("got %d, %v", seq, ok)
	}
}

func TestTheWindowTakes28BytesAMessageAndGivesThemBack(t *testing.T) {
	const most = 10_007
	s := newSeen(most, 60)
	bytes := func() int { return cap(s.ring)*int(unsafe.Sizeof(seenEntry{})) + cap(s.index)*4 }
	for n := range 3 * most {
		s.add(numbered(n), uint32(n), uint32(n/500))
		if s.len() < most/3 && bytes() > 56*max(s.len(), seenLeast) {
			t.Fatalf("%d bytes for %d messages", bytes(), s.len())
		}
	}
	if s.len() != most || bytes() > 28*most {
		t.Fatalf("%d bytes for %d messages", bytes(), s.len())
	}
	rings := map[int]bool{}
	for now := uint32(3 * most / 500); s.len() > 0; now++ {
		s.expire(now)
		if s.used < len(s.ring)/8 && len(s.ring) > seenLeast {
			t.Fatalf("a ring of %d for %d", len(s.ring), s.used)
		}
		rings[len(s.ring)] = true
		checkSeen(t, s)
	}
	if len(rings) < 3 {
		t.Fatalf("it had rings of %v only", rings)
	}
	if bytes() != 0 {
		t.Fatalf("%d bytes for nothing", bytes())
	}
}

func TestTheRingGrowsFromItsMiddle(t *testing.T) {
	s := newSeen(1000, 60)
	for n := range seenLeast {
		s.add(numbered(n), uint32(n), uint32(n/20))
	}
	s.expire(61) // the first 20 go
	for n := seenLeast; n < 200; n++ {
		s.add(numbered(n), uint32(n), 61)
		checkSeen(t, s)
	}
	for n := range 200 {
		seq, ok := s.find(numbered(n), 61)
		if want := n >= 20; ok != want || ok && seq != uint32(n) {
			t.Fatalf("message %d: got %d, %v", n, seq, ok)
		}
	}
}

func TestOneCallDropsABoundedNumber(t *testing.T) {
	const most = 3 * seenPerRun
	s := newSeen(most, 60)
	for n := range most {
		s.add(numbered(n), uint32(n), 1)
	}
	s.add(numbered(most), most, 100)
	if want := most - seenPerAdd + 1; s.len() != want {
		t.Fatalf("%d are left by an add, want %d", s.len(), want)
	}
	s.expire(100)
	if want := most - seenPerAdd + 1 - seenPerRun; s.len() != want {
		t.Fatalf("%d are left by expire, want %d", s.len(), want)
	}
	checkSeen(t, s)
}

func TestWhatWasRemovedMakesRoomWhenItLeft(t *testing.T) {
	s := newSeen(200, 60)
	for n := range 100 { // refused one after the other: none takes a place
		s.add(numbered(n), uint32(n), 1)
		s.remove(numbered(n))
	}
	if s.used != 0 || len(s.ring) != seenLeast {
		t.Fatalf("%d entries in a ring of %d", s.used, len(s.ring))
	}
	for n := range seenLeast {
		s.add(numbered(n), uint32(n), 1)
	}
	for n := range seenLeast / 2 {
		s.remove(numbered(2 * n))
	}
	s.add(numbered(1000), 1000, 1) // the ring grows, without those
	if s.used != seenLeast/2+1 || s.len() != s.used {
		t.Fatalf("%d messages in %d entries", s.len(), s.used)
	}
	checkSeen(t, s)
	for n := range seenLeast {
		if _, ok := s.find(numbered(n), 1); ok != (n%2 == 1) {
			t.Fatalf("message %d: got %v", n, ok)
		}
	}
}

func TestTheKeyTellsBordersApart(t *testing.T) {
	seeds := newKeySeeds()
	long := strings.Repeat("x", 300)
	keys := map[seenKey]string{}
	for _, of := range [][3]string{
		{"a", "bc", "d"}, {"ab", "c", "d"}, {"a", "b", "cd"}, {"abc", "", "d"}, {"", "abc", "d"}, {"abcd", "", ""}, {"", "", "abcd"},
		{"", "", ""}, {long, "a", "b"}, {long + "a", "", "b"}, {long, "", "ab"}, {"d", "bc", "a"},
	} {
		h := seeds.key(of[0], []byte(of[1]), of[2])
		if other, twice := keys[h]; twice {
			t.Errorf("%q and %s have one key", of, other)
		}
		keys[h] = fmt.Sprintf("%q", of)
		if again := seeds.key(of[0], []byte(of[1]), of[2]); again != h {
			t.Errorf("%q: %v, then %v", of, h, again)
		}
		if h == newKeySeeds().key(of[0], []byte(of[1]), of[2]) {
			t.Errorf("%q has one key with all seeds", of)
		}
	}
}

func TestAKeyCostsNoAllocation(t *testing.T) {
	seeds, id := newKeySeeds(), []byte("018f6b1c-8f6e-7a51-b7f2-0d9a6f3c2b11")
	if n := testing.AllocsPerRun(100, func() { seeds.key("client-123", id, "client-456") }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func BenchmarkSeenKey(b *testing.B) {
	seeds, id := newKeySeeds(), []byte("018f6b1c-8f6e-7a51-b7f2-0d9a6f3c2b11")
	b.ReportAllocs()
	for b.Loop() {
		binary.LittleEndian.PutUint32(id, seeds.key("client-123", id, "client-456").b)
	}
}

// A new message: it is looked up, not found, and takes the place of the oldest
// of 500,000.
func BenchmarkSeenFindAndAdd(b *testing.B) {
	const most = 500_000
	s := newSeen(most, 1<<30)
	r := rand.New(rand.NewPCG(1, 2))
	for range most {
		s.add(seenKey{a: r.Uint64(), b: r.Uint32()}, 1, 1)
	}
	b.ReportAllocs()
	for b.Loop() {
		h := seenKey{a: r.Uint64(), b: r.Uint32()}
		if _, ok := s.find(h, 2); !ok {
			s.add(h, 2, 2)
		}
	}
}

// A repeat of one of 500,000.
func BenchmarkSeenFindARepeat(b *testing.B) {
	const most = 500_000
	s := newSeen(most, 1<<30)
	keys := make([]seenKey, most)
	for n := range keys {
		keys[n] = numbered(n)
		s.add(keys[n], 1, 1)
	}
	r := rand.New(rand.NewPCG(1, 2))
	for b.Loop() {
		if _, ok := s.find(keys[r.IntN(most)], 2); !ok {
			b.Fatal("not found")
		}
	}
}

func TestANarrowerWindowForgetsTheOldestLittleByLittle(t *testing.T) {
	s := newSeen(100_000, 60)
	for n := range 50_000 {
		s.add(numbered(n), uint32(n), 1)
	}
	s.setBounds(1000, 60)
	before := s.len()
	s.add(numbered(50_000), 50_000, 1)
	if gone := before + 1 - s.len(); gone > seenPerAdd+1 {
		t.Errorf("an add drops %d", gone)
	}
	for range 50_000/seenPerRun + 2 {
		before := s.len()
		s.expire(1)
		if gone := before - s.len(); gone > seenPerRun {
			t.Errorf("a run drops %d", gone)
		}
	}
	checkSeen(t, s)
	if s.len() != 1000 || len(s.ring) != 1000 {
		t.Errorf("%d are remembered, in %d places", s.len(), len(s.ring))
	}
	for n := range 3000 {
		s.add(numbered(60_000+n), 1, 1)
	}
	checkSeen(t, s)
	if s.len() != 1000 {
		t.Errorf("%d are remembered after more came", s.len())
	}
	s.setBounds(2000, 5)
	for n := range 1500 {
		s.add(numbered(70_000+n), 1, 2)
	}
	checkSeen(t, s)
	if s.len() != 2000 {
		t.Errorf("%d are remembered in a wider window", s.len())
	}
	if _, ok := s.find(numbered(71_499), 8); ok {
		t.Error("what is too old by the new age is remembered")
	}
}
