package arena

import "unsafe"

const (
	mappingBytes = 4 << 20
	// mappingSpans is the spans of a mapping: the first 64 KiB are for free bits.
	mappingSpans = mappingBytes/spanBytes - 1
)

// keptPages is how many free spans keep their pages: 1 MiB.
const keptPages = 16

// store holds an arena's spans and gets their memory. Spans are named by their
// place in spans, which stays; 0 is none.
type store struct {
	spans    []span
	mappings []mapping

	resident, dropped uint32   // lists of the spans that serve nothing, with and without pages
	residents         int      // how many are in resident
	unmapped          []uint32 // mappings without memory; their spans are in no list
	unused            []uint32 // spans for large blocks that have none
	idle              int      // mappings that have memory and serve nothing
}

// mapping is where mappingSpans spans, beginning at first, lie.
type mapping struct {
	memory []byte
	first  uint32
	free   int // how many of them serve nothing
}

func newStore() store { return store{spans: make([]span, 1)} }

// take returns a span that serves nothing, for serve, or 0.
func (t *store) take() uint32 {
	if t.resident == 0 && t.dropped == 0 && !t.grow() {
		return 0
	}
	at := t.resident
	if at != 0 {
		t.unlink(&t.resident, at)
		t.residents--
	} else {
		at = t.dropped
		t.unlink(&t.dropped, at)
	}
	m := &t.mappings[t.spans[at].mapping]
	if m.free == mappingSpans {
		t.idle--
	}
	m.free--
	return at
}

// give takes back a span whose blocks are all free.
func (t *store) give(at uint32) {
	s := &t.spans[at]
	s.count = 0
	if s.dropped = t.residents >= keptPages; s.dropped {
		dropPages(unsafe.Slice((*byte)(s.base), spanBytes))
		t.push(&t.dropped, at)
	} else {
		t.push(&t.resident, at)
		t.residents++
	}
	m := &t.mappings[s.mapping]
	m.free++
	if m.free == mappingSpans {
		t.idle++
		if t.idle > 1 { // one is kept for what comes next
			t.unmap(s.mapping)
		}
	}
}

// grow gets a mapping and puts its spans into the list dropped.
func (t *store) grow() bool {
	if len(t.unmapped) == 0 && len(t.spans) > maxSpans-mappingSpans {
		return false
	}
	memory := mapMemory(mappingBytes)
	if memory == nil {
		return false
	}
	var at uint32
	if last := len(t.unmapped) - 1; last >= 0 {
		at = t.unmapped[last]
		t.unmapped = t.unmapped[:last]
	} else {
		at = uint32(len(t.mappings))
		t.mappings = append(t.mappings, mapping{first: uint32(len(t.spans))})
		t.spans = append(t.spans, make([]span, mappingSpans)...)
	}
	m := &t.mappings[at]
	m.memory, m.free = memory, mappingSpans
	t.idle++
	start := unsafe.Pointer(unsafe.SliceData(memory))
	for n := mappingSpans; n > 0; n-- { // the first is taken first
		span := span{base: unsafe.Add(start, n*spanBytes), bits: unsafe.Add(start, n*8), dropped: true, mapping: at}
		in := m.first + uint32(n) - 1
		t.spans[in] = span
		t.push(&t.dropped, in)
	}
	return true
}

// unmap gives back a mapping of which no span serves anything.
func (t *store) unmap(at uint32) {
	m := &t.mappings[at]
	for in := m.first; in < m.first+mappingSpans; in++ {
		if t.spans[in].dropped {
			t.unlink(&t.dropped, in)
		} else {
			t.unlink(&t.resident, in)
			t.residents--
		}
		t.spans[in] = span{}
	}
	unmapMemory(m.memory)
	m.memory = nil
	t.idle--
	t.unmapped = append(t.unmapped, at)
}

// takeLarge returns a span that is one block of size bytes, whole pages, or 0.
func (t *store) takeLarge(size int) uint32 {
	if len(t.unused) == 0 && len(t.spans) == maxSpans {
		return 0
	}
	memory := mapMemory(size)
	if memory == nil {
		return 0
	}
	var at uint32
	if last := len(t.unused) - 1; last >= 0 {
		at = t.unused[last]
		t.unused = t.unused[:last]
	} else {
		at = uint32(len(t.spans))
		t.spans = append(t.spans, span{})
	}
	t.spans[at] = span{
		base: unsafe.Pointer(unsafe.SliceData(memory)), bits: unsafe.Pointer(&noneFree),
		size: uint32(size), count: 1, class: large,
	}
	return at
}

func (t *store) giveLarge(at uint32) {
	s := t.spans[at]
	t.spans[at] = span{}
	t.unused = append(t.unused, at)
	unmapMemory(unsafe.Slice((*byte)(s.base), s.size))
}

// close gives all memory back, in use or not.
func (t *store) close() {
	for i := range t.spans {
		if s := &t.spans[i]; s.count > 0 && s.class == large {
			unmapMemory(unsafe.Slice((*byte)(s.base), s.size))
		}
	}
	for _, m := range t.mappings {
		if m.memory != nil {
			unmapMemory(m.memory)
		}
	}
	*t = newStore()
}

// push puts a span that is in no list in front of one.
func (t *store) push(list *uint32, at uint32) {
	s := &t.spans[at]
	s.next, s.prev = *list, 0
	if *list != 0 {
		t.spans[*list].prev = at
	}
	*list = at
}

func (t *store) unlink(list *uint32, at uint32) {
	s := &t.spans[at]
	if s.prev != 0 {
		t.spans[s.prev].next = s.next
	} else {
		*list = s.next
	}
	if s.next != 0 {
		t.spans[s.next].prev = s.prev
	}
}
