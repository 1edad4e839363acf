package rehearse

// seenKey stands for a message from one client to one recipient.
type seenKey struct{ from, id, to string }

// seenCopy is what the deduplication window knows of one: what became of it, and
// when it was given, in seconds since 1970.
type seenCopy struct {
	*letterCopy
	at int64
}

// repeated counts a message that a recipient was given before as what has become
// of it.
func (r *Result) repeated(l *letterCopy) {
	switch l.state {
	case Expired:
		r.refused(faultExpired)
	case Lost:
		r.refused(faultLost)
	case Queued:
		r.counts.Queued++
		l.results = append(l.results, r)
		r.again = append(r.again, l)
	default:
		r.counts.Delivered++
		r.again = append(r.again, l)
	}
}
