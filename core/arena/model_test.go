package arena

import (
	"math/bits"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"
)

// checkArena holds the arena's lists and counts against each other.
func checkArena(t *testing.T, a *Arena) {
	t.Helper()
	where := make([]string, len(a.store.spans))
	walk := func(name string, at uint32) (n int) {
		for prev := uint32(0); at != 0; prev, at = at, a.store.spans[at].next {
			if where[at] != "" || a.store.spans[at].prev != prev {
				t.Fatalf("span %d of list %s is in %q too, or its links are wrong", at, name, where[at])
			}
			where[at] = name
			n++
		}
		return n
	}
	if n := walk("resident", a.store.resident); n != a.store.residents {
		t.Fatalf("%d spans have pages, and %d are counted", n, a.store.residents)
	}
	walk("dropped", a.store.dropped)
	spares := 0
	for class := range classes {
		walk("room", a.room[class])
		if at := a.spare[class]; at != 0 {
			spares++
			where[at] = "spare"
		}
	}
	if spares != a.spares || spares > keptSpares {
		t.Fatalf("%d spares, and %d are counted", spares, a.spares)
	}
	var leased, inUse int64
	for at := range a.store.spans {
		s := &a.store.spans[at]
		switch {
		case s.count == 0:
			if where[at] == "room" || where[at] == "spare" {
				t.Fatalf("span %d in %s serves nothing", at, where[at])
			}
			continue
		case s.class == large:
			leased += int64(s.size)
			inUse += int64(s.size)
			continue
		}
		free := 0
		for n := range uint32(s.count+63) / 64 {
			free += bits.OnesCount64(*s.word(n))
			if n < uint32(s.hint) && *s.word(n) != 0 {
				t.Fatalf("span %d has a free block before its hint", at)
			}
		}
		want := "room"
		if s.used == 0 {
			want = "spare"
		} else if s.used == s.count {
			want = ""
		}
		if free != int(s.count-s.used) || where[at] != want {
			t.Fatalf("span %d has %d of %d blocks free, %d counted, and is in %q", at, free, s.count, s.count-s.used, where[at])
		}
		leased += spanBytes
		inUse += int64(s.used) * int64(s.size)
	}
	if leased != a.leased || inUse != a.inUse {
		t.Fatalf("%d bytes leased, %d counted; %d in use, %d counted", leased, a.leased, inUse, a.inUse)
	}
}

type modelBlock struct {
	ref  Ref
	mark byte
	n    int
}

// Each pair of bytes is one step: a block of some size, or the end of one. No two
// blocks share a byte, and what was written into one stays until its Free.
func FuzzArenaAgainstAModel(f *testing.F) {
	f.Add([]byte{1, 5, 1, 5, 129, 0, 1, 6, 129, 1, 129, 0})
	f.Add([]byte(strings.Repeat("\x7f\xff\x7e\xf0\x81\x00", 30)))
	long := make([]byte, 8000)
	r := rand.New(rand.NewPCG(3, 4))
	for i := range long {
		long[i] = byte(r.Uint32())
	}
	f.Add(long)
	f.Fuzz(func(t *testing.T, steps []byte) {
		b := limited(6 << 20)
		a := New(b)
		defer func() {
			a.Close()
			if b.Used() != 0 {
				t.Fatalf("%d bytes stay leased", b.Used())
			}
		}()
		var live []modelBlock
		check := func(m modelBlock) {
			block := a.Bytes(m.ref)
			if len(block) < m.n || block[0] != m.mark || block[len(block)-1] != m.mark || block[len(block)/2] != m.mark {
				t.Fatalf("block %#x of %d bytes was overwritten", m.ref, m.n)
			}
		}
		refs := map[Ref]bool{}
		for i := 0; i+1 < len(steps); i += 2 {
			if steps[i] >= 128 && len(live) > 0 {
				at := (int(steps[i]&0x7f)<<8 | int(steps[i+1])) % len(live)
				m := live[at]
				check(m)
				a.Free(m.ref)
				delete(refs, m.ref)
				live[at] = live[len(live)-1]
				live = live[:len(live)-1]
				continue
			}
			n := int(steps[i]&0x1f)<<3 | int(steps[i+1]&7)
			n <<= steps[i+1] >> 5 // up to 32 KiB
			if steps[i+1] == 255 {
				n = maxSmall + 1 + n
			}
			ref, ok := a.Alloc(n)
			if !ok {
				if b.Used()+spanBytes+int64(n) <= 6<<20 {
					t.Fatalf("no block of %d bytes with %d leased", n, b.Used())
				}
				continue
			}
			if refs[ref] || ref == 0 {
				t.Fatalf("block %#x is handed out twice", ref)
			}
			refs[ref] = true
			m := modelBlock{ref: ref, mark: byte(i), n: n}
			block := a.Bytes(ref)
			if uintptr(unsafe.Pointer(&block[0]))%blockStep != 0 {
				t.Fatalf("block %#x is not aligned", ref)
			}
			for j := range block {
				block[j] = m.mark
			}
			live = append(live, m)
		}
		for _, m := range live {
			check(m)
		}
		checkArena(t, a)
		for _, m := range live {
			a.Free(m.ref)
		}
		checkArena(t, a)
		if a.InUse() != 0 || b.Used() > keptSpares*spanBytes {
			t.Fatalf("%d bytes in use, %d leased", a.InUse(), b.Used())
		}
	})
}

// Long-lived blocks among short-lived ones, with more mappings coming and going
// than the fuzz has room for.
func TestManyMappingsAgainstAModel(t *testing.T) {
	a := New(unlimited())
	defer a.Close()
	r := rand.New(rand.NewPCG(1, 9))
	var live []modelBlock
	for round := range 6 {
		for i := range 6000 {
			m := modelBlock{n: 1 + r.IntN(8000), mark: byte(i)}
			m.ref = mustAlloc(t, a, m.n)
			block := a.Bytes(m.ref)
			block[0], block[len(block)-1] = m.mark, m.mark
			live = append(live, m)
		}
		r.Shuffle(len(live), func(i, j int) { live[i], live[j] = live[j], live[i] })
		keep := r.IntN(len(live))
		if round%2 == 1 {
			keep = round
		}
		for _, m := range live[keep:] {
			block := a.Bytes(m.ref)
			if block[0] != m.mark || block[len(block)-1] != m.mark {
				t.Fatalf("block %#x of %d bytes was overwritten", m.ref, m.n)
			}
			a.Free(m.ref)
		}
		live = live[:keep]
		checkArena(t, a)
	}
}
