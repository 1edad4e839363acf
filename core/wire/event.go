package wire

import (
	"net/netip"
	"strconv"
)

// AppendConnect appends what upstreams are told of a client that has come.
func AppendConnect(dst []byte, from string, remote netip.Addr, millis int64) []byte {
	dst = AppendString(append(dst, `{"event":"connect","from":`...), from)
	if remote.IsValid() {
		dst = append(remote.AppendTo(append(dst, `,"address":"`...)), '"')
	}
	return appendTime(dst, millis)
}

// AppendDisconnect appends what upstreams are told of a client that has gone.
func AppendDisconnect(dst []byte, from, reason string, millis int64) []byte {
	dst = AppendString(append(dst, `{"event":"disconnect","from":`...), from)
	dst = AppendString(append(dst, `,"reason":`...), reason)
	return appendTime(dst, millis)
}

// AppendDeadLetter appends what is said about a post that was given up after so
// many tries. body is what the upstream should have got.
func AppendDeadLetter(dst []byte, upstream, reason string, tries int, body []byte) []byte {
	dst = AppendString(append(dst, `{"upstream":`...), upstream)
	dst = AppendString(append(dst, `,"reason":`...), reason)
	dst = strconv.AppendInt(append(dst, `,"tries":`...), int64(tries), 10)
	return append(append(append(dst, `,"message":`...), body...), '}')
}

func appendTime(dst []byte, millis int64) []byte {
	return append(strconv.AppendInt(append(dst, `,"ts":`...), millis, 10), '}')
}
