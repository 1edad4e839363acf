package frame

import (
	"encoding/binary"
	"strconv"
	"strings"
	"unicode/utf8"
)

// The close codes that this package gives or treats specially.
const (
	CloseProtocol = 1002 // the peer broke RFC 6455 or 7692
	CloseNoStatus = 1005 // stands for a close frame without a code; never sent
	CloseInvalid  = 1007 // text or a close reason is not UTF-8, or a message does not inflate
	CloseTooBig   = 1009 // a message is longer than Config.MaxMessage
)

// maxReason is the longest close reason in bytes: a control frame's payload
// less the code.
const maxReason = maxControl - 2

// CloseError says what a connection must be closed with. Reason is plain ASCII
// and fits a close frame.
type CloseError struct {
	Code   int
	Reason string
}

func (e *CloseError) Error() string {
	return "frame: close " + strconv.Itoa(e.Code) + ": " + e.Reason
}

func violation(reason string) error { return &CloseError{CloseProtocol, reason} }
func invalid(reason string) error   { return &CloseError{CloseInvalid, reason} }
func tooBig() error                 { return &CloseError{CloseTooBig, "message too big"} }

// closeEvent reads the payload of a close frame.
func closeEvent(payload []byte) (Event, error) {
	if len(payload) == 0 {
		return Event{Op: OpClose, Code: CloseNoStatus}, nil
	}
	if len(payload) == 1 {
		return Event{}, violation("close payload of one byte")
	}
	code, reason := int(binary.BigEndian.Uint16(payload)), payload[2:]
	if !mayReceive(code) {
		return Event{}, violation("invalid close code")
	}
	if !utf8.Valid(reason) {
		return Event{}, invalid("close reason is not UTF-8")
	}
	return Event{Op: OpClose, Payload: reason, Code: code}, nil
}

// mayReceive reports whether a peer may send code: those registered with IANA
// for the wire (1004, 1005, 1006 and 1015 are not) and the private ranges.
func mayReceive(code int) bool {
	return code >= 1000 && code <= 1003 || code >= 1007 && code <= 1014 || code >= 3000 && code <= 4999
}

// AppendClose appends an unmasked close frame. The reason is cut to 123 bytes
// at the border of a rune, and what is not UTF-8 in it is replaced. With
// CloseNoStatus the frame is empty, so that the code of an Event can be echoed.
func AppendClose(dst []byte, code int, reason string) []byte {
	if code == CloseNoStatus {
		return AppendHeader(dst, OpClose, 0)
	}
	reason = strings.ToValidUTF8(reason, "\uFFFD")
	if len(reason) > maxReason {
		end := maxReason
		for !utf8.RuneStart(reason[end]) {
			end--
		}
		reason = reason[:end]
	}
	dst = AppendHeader(dst, OpClose, 2+len(reason))
	dst = binary.BigEndian.AppendUint16(dst, uint16(code))
	return append(dst, reason...)
}
