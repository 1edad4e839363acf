package wire

import (
	"bytes"
	"unicode/utf16"
	"unicode/utf8"
)

// Unquote appends to dst what raw, a valid JSON string with its quotes, stands
// for. Halves of surrogate pairs become U+FFFD.
func Unquote(dst, raw []byte) []byte {
	if len(raw) < 2 {
		return dst
	}
	raw = raw[1 : len(raw)-1]
	for {
		n := bytes.IndexByte(raw, '\\')
		if n < 0 || n+1 >= len(raw) {
			return append(dst, raw...)
		}
		dst = append(dst, raw[:n]...)
		c := raw[n+1]
		raw = raw[n+2:]
		switch c {
		case 'b':
			c = '\b'
		case 'f':
			c = '\f'
		case 'n':
			c = '\n'
		case 'r':
			c = '\r'
		case 't':
			c = '\t'
		case 'u':
			r := codeUnit(raw)
			raw = raw[min(4, len(raw)):]
			if utf16.IsSurrogate(r) {
				if len(raw) >= 6 && raw[0] == '\\' && raw[1] == 'u' {
					if pair := utf16.DecodeRune(r, codeUnit(raw[2:])); pair != utf8.RuneError {
						raw = raw[6:]
						dst = utf8.AppendRune(dst, pair)
						continue
					}
				}
				r = utf8.RuneError
			}
			dst = utf8.AppendRune(dst, r)
			continue
		}
		dst = append(dst, c)
	}
}

// codeUnit reads four hexadecimal digits; U+FFFD when there are none.
func codeUnit(b []byte) rune {
	if len(b) < 4 {
		return utf8.RuneError
	}
	var r rune
	for _, c := range b[:4] {
		d := hexDigit(c)
		if d < 0 {
			return utf8.RuneError
		}
		r = r<<4 | d
	}
	return r
}

// hexDigit is the value of a hexadecimal digit, -1 for any other byte.
func hexDigit(c byte) rune {
	switch {
	case '0' <= c && c <= '9':
		return rune(c - '0')
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return rune(c|0x20-'a') + 10
	}
	return -1
}

// AppendString appends s as a JSON string with its quotes. Quotes, backslashes,
// control characters, U+2028 and U+2029 are escaped, and every byte that is not
// valid UTF-8 becomes an escaped U+FFFD.
func AppendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	run := 0 // where the bytes begin that are copied as they are
	for i := 0; i < len(s); {
		c := s[i]
		if c < utf8.RuneSelf {
			i++
			if c >= ' ' && c != '"' && c != '\\' {
				continue
			}
			dst = append(dst, s[run:i-1]...)
			run = i
			switch c {
			case '"', '\\':
				dst = append(dst, '\\', c)
			case '\n':
				dst = append(dst, '\\', 'n')
			case '\r':
				dst = append(dst, '\\', 'r')
			case '\t':
				dst = append(dst, '\\', 't')
			default:
				dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
			}
			continue
		}
		r, n := utf8.DecodeRuneInString(s[i:])
		escape := ""
		switch {
		case r == utf8.RuneError && n == 1:
			escape = `\ufffd`
		case r == '\u2028':
			escape = `\u2028`
		case r == '\u2029':
			escape = `\u2029`
		}
		if escape != "" {
			dst = append(dst, s[run:i]...)
			dst = append(dst, escape...)
			run = i + n
		}
		i += n
	}
	dst = append(dst, s[run:]...)
	return append(dst, '"')
}
