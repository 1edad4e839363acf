package wire

import (
	"bytes"
	"encoding/binary"
	"hash/maphash"
	"strconv"
	"unicode/utf8"
)

// fewKeys is how many keys of an object are compared one by one; an object with
// more keeps all of them in the set.
const fewKeys = 16

// key is one key of an open object. Its decoded text is b[at:end], or lies in
// Parser.text, len(b) bytes further down, when the key holds escapes.
type key struct {
	mark    uint64 // equal keys have equal marks
	at, end int
}

// scope is what the scan of an open object knows of its keys so far.
type scope struct {
	first  int    // in Parser.keys; while object is 0, all that follow belong to it
	object uint64 // its number in the set, 0 while it has few keys
}

// key scans a key with its colon and returns its decoded text and the index of
// the value. The text is valid until the next key is scanned.
func (p *Parser) key(b []byte, i int, s *scope) (text []byte, next int) {
	if i >= len(b) || b[i] != '"' {
		return nil, ^i
	}
	end, escaped := stringEnd(b, i)
	if end < 0 {
		return nil, end
	}
	k := key{at: i + 1, end: end - 1}
	if escaped {
		k.at = len(b) + len(p.text)
		p.text = Unquote(p.text, b[i:end])
		k.end = len(b) + len(p.text)
	}
	text = p.keyText(b, k)
	if !p.add(b, s, k, text) {
		p.fail(CodeDuplicateKey, "duplicate key "+excerpt(text)+" at byte "+strconv.Itoa(i))
		return nil, ^i
	}
	if i = space(b, end); i >= len(b) || b[i] != ':' {
		return nil, ^i
	}
	return text, space(b, i+1)
}

func (p *Parser) keyText(b []byte, k key) []byte {
	if k.at >= len(b) {
		return p.text[k.at-len(b) : k.end-len(b)]
	}
	return b[k.at:k.end]
}

// add reports whether the object had no such key before, and notes it.
func (p *Parser) add(b []byte, s *scope, k key, text []byte) bool {
	if s.object != 0 {
		return p.addToSet(b, s.object, k, text)
	}
	k.mark = mark(b, k, text)
	few := p.keys[s.first:]
	for j := range few {
		if few[j].mark == k.mark && bytes.Equal(p.keyText(b, few[j]), text) {
			return false
		}
	}
	if len(few) < fewKeys {
		p.keys = append(p.keys, k)
		return true
	}
	p.set.objects++
	s.object = p.set.objects
	for _, k := range few {
		p.addToSet(b, s.object, k, p.keyText(b, k))
	}
	p.keys = p.keys[:s.first]
	return p.addToSet(b, s.object, k, text)
}

// mark tells keys of one object apart cheaply; only as few as fewKeys are ever
// compared by it, so it need not withstand an attacker.
func mark(b []byte, k key, text []byte) uint64 {
	n := len(text)
	if n >= 8 {
		first, last := binary.LittleEndian.Uint64(text), binary.LittleEndian.Uint64(text[n-8:])
		return first ^ last*31 ^ uint64(n)
	}
	if k.at+8 <= len(b) {
		return binary.LittleEndian.Uint64(b[k.at:]) & (1<<(8*n) - 1)
	}
	var m uint64
	for i, c := range text {
		m |= uint64(c) << (8 * i)
	}
	return m
}

// keySet is an open-addressing hash set of the keys of all objects of one frame
// that have many. Slots of earlier frames count as empty, so it is never
// cleared.
type keySet struct {
	seed    maphash.Seed
	slots   []slot // a power of two, or none
	used    int    // slots taken by this frame, at most half
	objects uint64 // the number of the last object, over all frames
	before  uint64 // the number of the last object of the frames before
}

// slot holds one key; its mark is the seeded hash of the text.
type slot struct {
	object uint64
	key
}

// keptSlots is the size of a set (1 MiB) that is kept between frames. It does
// for 64 KiB of keys.
const keptSlots = 32 << 10

func (t *keySet) begin() {
	t.before = t.objects
	t.used = 0
}

func (t *keySet) trim() {
	if len(t.slots) > keptSlots {
		t.slots = nil
	}
}

// addToSet reports whether the object had no such key in the set, and adds it.
func (p *Parser) addToSet(b []byte, object uint64, k key, text []byte) bool {
	t := &p.set
	if 2*t.used >= len(t.slots) {
		t.grow()
	}
	k.mark = maphash.Bytes(t.seed, text)
	i := t.index(object, k.mark)
	for t.slots[i].object > t.before {
		if s := &t.slots[i]; s.mark == k.mark && s.object == object && bytes.Equal(p.keyText(b, s.key), text) {
			return false
		}
		i = (i + 1) & (len(t.slots) - 1)
	}
	t.slots[i] = slot{object, k}
	t.used++
	return true
}

func (t *keySet) grow() {
	old := t.slots
	t.slots = make([]slot, max(8*fewKeys, 2*len(old)))
	for _, s := range old {
		if s.object <= t.before {
			continue
		}
		i := t.index(s.object, s.mark)
		for t.slots[i].object > t.before {
			i = (i + 1) & (len(t.slots) - 1)
		}
		t.slots[i] = s
	}
}

// index is where the search for a key begins. Objects that share their keys, as
// the elements of a list do, begin in different places.
func (t *keySet) index(object, hash uint64) int {
	return int((hash ^ object*0x9e3779b97f4a7c15) & uint64(len(t.slots)-1))
}

// excerpt quotes the beginning of a text that a client sent.
func excerpt(text []byte) string {
	const most = 40
	if len(text) <= most {
		return strconv.Quote(string(text))
	}
	n := most
	for n > most-utf8.UTFMax && !utf8.RuneStart(text[n]) {
		n--
	}
	return strconv.Quote(string(text[:n])) + "..."
}
