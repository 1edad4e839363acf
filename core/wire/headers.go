package wire

// areHeaders reports whether a valid JSON value is an object of at most
// MaxHeaders string values.
func areHeaders(raw []byte) bool {
	if raw[0] != '{' {
		return false
	}
	i := space(raw, 1)
	if raw[i] == '}' {
		return true
	}
	for range MaxHeaders {
		i, _ = stringEnd(raw, i)
		i = space(raw, space(raw, i)+1)
		if raw[i] != '"' {
			return false
		}
		i, _ = stringEnd(raw, i)
		var more bool
		if i, more = next(raw, i, '}'); !more {
			return true
		}
	}
	return false
}
