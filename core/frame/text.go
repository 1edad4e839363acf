package frame

import "unicode/utf8"

// wholeRunes returns how many bytes of b are whole, valid runes when what is
// left after them could still become one. ok is false when it cannot: b is not
// the beginning of any UTF-8 text. It looks at each byte at most twice.
func wholeRunes(b []byte) (n int, ok bool) {
	n = len(b)
	for i := n - 1; i >= 0 && i > n-utf8.UTFMax; i-- {
		if utf8.RuneStart(b[i]) {
			if !utf8.FullRune(b[i:]) {
				n = i
			}
			break
		}
	}
	return n, utf8.Valid(b[:n])
}
