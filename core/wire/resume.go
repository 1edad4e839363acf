package wire

import "strconv"

// Range is the seqs from From to To, both included.
type Range struct{ From, To uint64 }

// Gap is a range of seqs that will not come, and the cause.
type Gap struct {
	Range
	Cause string // needs no escapes
}

const badRanges = "also must be an array of at most 4096 pairs of integers, each with its lower end first"

// ParseRanges appends to dst the ranges of also, a valid JSON value:
// [[from,to],...] of at most MaxRanges. After a Fault they mean nothing.
func ParseRanges(also []byte, dst []Range) ([]Range, *Fault) {
	dst, ok := parseRanges(also, dst)
	if !ok {
		return dst, &Fault{CodeBadMessage, badRanges}
	}
	return dst, nil
}

func parseRanges(also []byte, dst []Range) ([]Range, bool) {
	if len(also) == 0 || also[0] != '[' {
		return dst, false
	}
	i := space(also, 1)
	if i < len(also) && also[i] == ']' {
		return dst, true
	}
	for range MaxRanges {
		if i >= len(also) || also[i] != '[' {
			return dst, false
		}
		var r Range
		var ok bool
		if r.From, i, ok = seqAt(also, i+1, ','); !ok {
			return dst, false
		}
		if r.To, i, ok = seqAt(also, i, ']'); !ok || r.To < r.From {
			return dst, false
		}
		dst = append(dst, r)
		var more bool
		if i, more = next(also, i, ']'); !more {
			return dst, i >= 0
		}
	}
	return dst, false
}

// seqAt reads an integer from b[i] on and the delimiter behind it.
func seqAt(b []byte, i int, delimiter byte) (seq uint64, next int, ok bool) {
	i = space(b, i)
	end := i
	for end < len(b) && b[end] >= '0' && b[end] <= '9' {
		end++
	}
	n, ok := integer(b[i:end])
	end = space(b, end)
	if !ok || end >= len(b) || b[end] != delimiter {
		return 0, 0, false
	}
	return uint64(n), end + 1, true
}

// AppendHello appends the gateway's answer to a hello: what follows begins after
// seq, the recipient's last message so far is last.
func AppendHello(dst []byte, epoch, seq, last uint64, recovered bool, gaps []Gap) []byte {
	dst = append(dst, `{"type":3,"epoch":"`...)
	dst = AppendEpoch(dst, epoch)
	dst = append(dst, `","seq":`...)
	dst = strconv.AppendUint(dst, seq, 10)
	dst = append(dst, `,"last":`...)
	dst = strconv.AppendUint(dst, last, 10)
	dst = append(dst, `,"recovered":`...)
	dst = strconv.AppendBool(dst, recovered)
	if len(gaps) > 0 {
		dst = appendGaps(append(dst, ','), gaps)
	}
	return append(dst, '}')
}

// AppendGaps appends the announcement that the messages of the gaps will not
// come.
func AppendGaps(dst []byte, gaps []Gap) []byte {
	return append(appendGaps(append(dst, `{"type":7,`...), gaps), '}')
}

func appendGaps(dst []byte, gaps []Gap) []byte {
	dst = append(dst, `"gaps":[`...)
	for i, g := range gaps {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, '[')
		dst = strconv.AppendUint(dst, g.From, 10)
		dst = append(dst, ',')
		dst = strconv.AppendUint(dst, g.To, 10)
		dst = append(dst, `,"`...)
		dst = append(dst, g.Cause...)
		dst = append(dst, `"]`...)
	}
	return append(dst, ']')
}

// AppendEpoch appends an epoch as the 16 hexadecimal digits that it has on the
// wire.
func AppendEpoch(dst []byte, epoch uint64) []byte {
	const digits = "0123456789abcdef"
	for shift := 60; shift >= 0; shift -= 4 {
		dst = append(dst, digits[epoch>>shift&15])
	}
	return dst
}

// ParseEpoch reads what AppendEpoch wrote, as a JSON string; false for any
// other.
func ParseEpoch(raw []byte) (epoch uint64, ok bool) {
	if len(raw) != 18 {
		return 0, false
	}
	for _, c := range raw[1:17] {
		switch {
		case c >= '0' && c <= '9':
			c -= '0'
		case c >= 'a' && c <= 'f':
			c -= 'a' - 10
		default:
			return 0, false
		}
		epoch = epoch<<4 | uint64(c)
	}
	return epoch, true
}
