package wire

import (
	"strconv"

	"github.com/stratix-gateway/stratix/core"
)

// The Append functions append one whole frame of the gateway to dst, except
// AppendHead, AppendBody and AppendReply, which append a part. A nil id leaves
// the messageId out; any other, and groups and data, is valid JSON and copied as
// it is. The words stored and status need no escapes.

// Counts says what became of a message's recipients.
type Counts struct {
	Delivered, Queued, Offline, Refused uint32
	Repeats                             uint32 // of all of these: they were given it before
}

// AppendAck appends the acknowledgement of a message.
func AppendAck(dst, id []byte, stored, status string) []byte {
	return append(appendAck(dst, id, stored, status), '}')
}

// AppendAckCounts appends the acknowledgement of a message with several
// recipients; counts that are 0 are left out.
func AppendAckCounts(dst, id []byte, stored, status string, c Counts) []byte {
	dst = appendAck(dst, id, stored, status)
	dst = appendCount(dst, `,"delivered":`, c.Delivered)
	dst = appendCount(dst, `,"queued":`, c.Queued)
	dst = appendCount(dst, `,"offline":`, c.Offline)
	dst = appendCount(dst, `,"refused":`, c.Refused)
	return append(dst, '}')
}

func appendAck(dst, id []byte, stored, status string) []byte {
	dst = append(dst, `{"type":1`...)
	dst = appendID(dst, id)
	dst = append(dst, `,"stored":"`...)
	dst = append(dst, stored...)
	dst = append(dst, `","status":"`...)
	dst = append(dst, status...)
	return append(dst, '"')
}

func appendCount(dst []byte, key string, n uint32) []byte {
	if n == 0 {
		return dst
	}
	return strconv.AppendUint(append(dst, key...), uint64(n), 10)
}

func appendID(dst, id []byte) []byte {
	if id == nil {
		return dst
	}
	return append(append(dst, `,"messageId":`...), id...)
}

// AppendGroupsAck appends the acknowledgement of a join (t is TypeJoin) or a
// leave; groups is the array of names that the client sent.
func AppendGroupsAck(dst, id []byte, t int, groups []byte) []byte {
	dst = append(dst, `{"type":1`...)
	dst = appendID(dst, id)
	if t == TypeJoin {
		dst = append(dst, `,"joined":`...)
	} else {
		dst = append(dst, `,"left":`...)
	}
	return append(append(dst, groups...), '}')
}

// AppendError appends an error.
func AppendError(dst, id []byte, code, text string) []byte {
	dst = append(dst, `{"type":2`...)
	dst = appendID(dst, id)
	dst = append(dst, `,"code":`...)
	dst = AppendString(dst, code)
	dst = append(dst, `,"error":`...)
	return append(AppendString(dst, text), '}')
}

// AppendExpires appends when the recipient's session ends, in milliseconds since
// 1970, 0 for never: the warning before it, and the answer to a renewal.
func AppendExpires(dst, id []byte, millis int64) []byte {
	dst = appendID(append(dst, `{"type":10`...), id)
	dst = append(dst, `,"expires":`...)
	return append(strconv.AppendInt(dst, millis, 10), '}')
}

// AppendRetry is AppendError with the time in which the client may send its message
// again, in milliseconds.
func AppendRetry(dst, id []byte, code, text string, retryAfterMillis int64) []byte {
	dst = AppendError(dst, id, code, text)
	dst = append(dst[:len(dst)-1], `,"retryAfter":`...)
	return append(strconv.AppendInt(dst, retryAfterMillis, 10), '}')
}

// AppendPong appends the answer to a ping frame.
func AppendPong(dst []byte) []byte { return append(dst, `{"type":5}`...) }

// AppendGoodbye appends the announcement that the gateway will close the
// connection and when the client may come back.
func AppendGoodbye(dst []byte, retryAfterMillis int64, reason string) []byte {
	dst = append(dst, `{"type":6,"retryAfter":`...)
	dst = strconv.AppendInt(dst, retryAfterMillis, 10)
	dst = append(dst, `,"reason":`...)
	return append(AppendString(dst, reason), '}')
}

const head = `{"type":0,"seq":`

// noSeq is the head of a message that is not kept.
const noSeq = `{"type":0,`

// AppendHead appends a message's recipient's own part: the opening brace, the
// type, the sequence number (none if it is 0) and a comma. A body follows.
func AppendHead(dst []byte, seq uint64) []byte {
	if seq == 0 {
		return append(dst, noSeq...)
	}
	return append(strconv.AppendUint(append(dst, head...), seq, 10), ',')
}

// HeadSize is how many bytes AppendHead appends.
func HeadSize(seq uint64) int {
	if seq == 0 {
		return len(noSeq)
	}
	n := len(head) + 2
	for ; seq >= 10; seq /= 10 {
		n++
	}
	return n
}

// AppendBody appends the part of a message that its recipients share, up to the
// closing brace. m.Data is not nil.
func AppendBody(dst []byte, m *core.Message) []byte {
	return AppendEnvelope(dst, m.From.ID, m.ID, m.Data, m.Headers, m.Time)
}

// AppendEnvelope is AppendBody for a message that is kept as its parts; id and
// headers may be empty, and from is of what comes from the gateway itself.
func AppendEnvelope(dst []byte, from string, id, data, headers []byte, millis int64) []byte {
	if from != "" {
		dst = append(dst, `"from":`...)
		dst = append(AppendString(dst, from), ',')
	}
	dst = appendPayload(dst, id, data, millis)
	if len(headers) > 0 {
		dst = append(dst, `,"headers":`...)
		dst = append(dst, headers...)
	}
	return append(dst, '}')
}

// AppendReply appends the body of a message that a script answers m with: it
// comes from the gateway, so it has no "from".
func AppendReply(dst []byte, m *core.Message, data []byte) []byte {
	return append(appendPayload(dst, m.ID, data, m.Time), '}')
}

func appendPayload(dst, id, data []byte, millis int64) []byte {
	if len(id) > 0 {
		dst = append(dst, `"messageId":`...)
		dst = append(append(dst, id...), ',')
	}
	dst = append(dst, `"data":`...)
	dst = append(dst, data...)
	dst = append(dst, `,"ts":`...)
	return strconv.AppendInt(dst, millis, 10)
}
