package wire

import (
	"encoding/binary"
	"math/bits"
	"strconv"
	"unicode/utf8"
)

// The functions of this file scan one piece of JSON that begins at b[i] and
// return the index behind it, or ^at when b[at] (or the end of b) cannot be
// there.

// value scans a value that lies in depth objects and arrays.
func (p *Parser) value(b []byte, i, depth int) int {
	if i >= len(b) {
		return ^i
	}
	switch b[i] {
	case '"':
		i, _ = stringEnd(b, i)
		return i
	case '{':
		return p.object(b, i, depth+1)
	case '[':
		return p.array(b, i, depth+1)
	case 't':
		return literalEnd(b, i, "true")
	case 'f':
		return literalEnd(b, i, "false")
	case 'n':
		return literalEnd(b, i, "null")
	case '-', '0', '1', '2', '3', '4', '5', '6', '7', '8', '9':
		return numberEnd(b, i)
	}
	return ^i
}

func (p *Parser) object(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return p.tooDeep(i)
	}
	if i = space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	s := scope{first: len(p.keys)}
	for {
		if _, i = p.key(b, i, &s); i < 0 {
			return i
		}
		if i = p.value(b, i, depth); i < 0 {
			return i
		}
		var more bool
		if i, more = next(b, i, '}'); !more {
			p.keys = p.keys[:s.first]
			return i
		}
	}
}

func (p *Parser) array(b []byte, i, depth int) int {
	if depth > MaxDepth {
		return p.tooDeep(i)
	}
	if i = space(b, i+1); i < len(b) && b[i] == ']' {
		return i + 1
	}
	for {
		if i = p.value(b, i, depth); i < 0 {
			return i
		}
		var more bool
		if i, more = next(b, i, ']'); !more {
			return i
		}
	}
}

// next scans what follows an element of an array or object: a comma, then more
// is true and the index that of the next element, or the closing bracket.
func next(b []byte, i int, closing byte) (end int, more bool) {
	i = space(b, i)
	if i >= len(b) {
		return ^i, false
	}
	switch b[i] {
	case ',':
		return space(b, i+1), true
	case closing:
		return i + 1, false
	}
	return ^i, false
}

// space skips white space; it never fails.
func space(b []byte, i int) int {
	const blank uint64 = 1<<' ' | 1<<'\t' | 1<<'\n' | 1<<'\r'
	for i < len(b) && b[i] <= ' ' && blank>>b[i]&1 != 0 {
		i++
	}
	return i
}

// stringEnd scans a string and reports whether it holds escapes.
func stringEnd(b []byte, i int) (end int, escaped bool) {
	i++
	for {
		for i+8 <= len(b) {
			m := special(binary.LittleEndian.Uint64(b[i:]))
			if m != 0 {
				i += bits.TrailingZeros64(m) >> 3
				break
			}
			i += 8
		}
		for i < len(b) && b[i] >= ' ' && b[i] != '"' && b[i] != '\\' {
			i++
		}
		if i >= len(b) {
			return ^i, escaped
		}
		switch b[i] {
		case '"':
			return i + 1, escaped
		case '\\':
			escaped = true
			if i = escapeEnd(b, i); i < 0 {
				return i, true
			}
		default:
			return ^i, escaped
		}
	}
}

// special sets the top bit of the bytes of x that end a plain run of a string:
// the quote, the backslash and control characters. Bits above the lowest one
// that is set may be wrong.
func special(x uint64) uint64 {
	const ones, tops = 0x0101010101010101, 0x8080808080808080
	quote := x ^ '"'*ones
	slash := x ^ '\\'*ones
	return ((quote-ones)&^quote | (slash-ones)&^slash | (x-' '*ones)&^x) & tops
}

func escapeEnd(b []byte, i int) int {
	if i+1 >= len(b) {
		return ^len(b)
	}
	switch b[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2
	case 'u':
		for at := i + 2; at < i+6; at++ {
			if at >= len(b) || hexDigit(b[at]) < 0 {
				return ^at
			}
		}
		return i + 6
	}
	return ^(i + 1)
}

func numberEnd(b []byte, i int) int {
	if b[i] == '-' {
		i++
	}
	if i < len(b) && b[i] == '0' {
		i++
	} else if i = digitsEnd(b, i); i < 0 {
		return i
	}
	if i < len(b) && b[i] == '.' {
		if i = digitsEnd(b, i+1); i < 0 {
			return i
		}
	}
	if i < len(b) && b[i]|0x20 == 'e' {
		i++
		if i < len(b) && (b[i] == '+' || b[i] == '-') {
			i++
		}
		return digitsEnd(b, i)
	}
	return i
}

func digitsEnd(b []byte, i int) int {
	first := i
	for i < len(b) && b[i]-'0' <= 9 {
		i++
	}
	if i == first {
		return ^i
	}
	return i
}

func literalEnd(b []byte, i int, word string) int {
	if len(b)-i < len(word) || string(b[i:i+len(word)]) != word {
		return ^i
	}
	return i + len(word)
}

func (p *Parser) tooDeep(at int) int {
	p.fail(CodeTooDeep, "nested deeper than "+strconv.Itoa(MaxDepth)+" levels at byte "+strconv.Itoa(at))
	return ^at
}

func syntaxFault(b []byte, at int) Fault {
	where := " at byte " + strconv.Itoa(at)
	if at >= len(b) {
		return Fault{CodeBadJSON, "unexpected end" + where}
	}
	r, _ := utf8.DecodeRune(b[at:])
	return Fault{CodeBadJSON, "unexpected " + strconv.QuoteRune(r) + where}
}
