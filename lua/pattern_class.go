package lua

// byteSet is a set of bytes.
type byteSet [4]uint64

func (s *byteSet) has(c byte) bool { return s[c>>6]&(1<<(c&63)) != 0 }

func (s *byteSet) add(c byte) { s[c>>6] |= 1 << (c & 63) }

func (s *byteSet) addRange(first, last byte) {
	for c := int(first); c <= int(last); c++ {
		s.add(byte(c))
	}
}

func (s *byteSet) invert() {
	for i := range s {
		s[i] = ^s[i]
	}
}

// addClass adds what %c stands for: the bytes of a class, those outside of it
// for an upper-case letter, or c itself where c names no class.
func (s *byteSet) addClass(c byte) {
	in := class(c | 0x20)
	if !isAlpha(c) || in == nil {
		s.add(c)
		return
	}
	outside := isUpper(c)
	for b := range 256 {
		if in(byte(b)) != outside {
			s.add(byte(b))
		}
	}
}

// class is the test for the bytes of a class, or nil. Only ASCII counts, as in
// the C locale.
func class(name byte) func(byte) bool {
	switch name {
	case 'a':
		return isAlpha
	case 'c':
		return func(c byte) bool { return c < 0x20 || c == 0x7f }
	case 'd':
		return isDigit
	case 'l':
		return isLower
	case 'p':
		return func(c byte) bool { return c > 0x20 && c < 0x7f && !isAlpha(c) && !isDigit(c) }
	case 's':
		return func(c byte) bool { return c == ' ' || c >= '\t' && c <= '\r' }
	case 'u':
		return isUpper
	case 'w':
		return func(c byte) bool { return isAlpha(c) || isDigit(c) }
	case 'x':
		return func(c byte) bool { return isDigit(c) || 'a' <= c|0x20 && c|0x20 <= 'f' }
	case 'z':
		return func(c byte) bool { return c == 0 }
	}
	return nil
}

func isLower(c byte) bool { return 'a' <= c && c <= 'z' }
func isUpper(c byte) bool { return 'A' <= c && c <= 'Z' }
func isAlpha(c byte) bool { return isLower(c | 0x20) }
func isDigit(c byte) bool { return '0' <= c && c <= '9' }
