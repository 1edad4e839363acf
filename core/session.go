package core

import (
	"net/netip"
	"strconv"
)

// Session is what stages and hooks may know of a connected client. It belongs
// to its shard; a stage may read it during Handle and must not keep it.
type Session struct {
	// ID is the ClientID: 1 to 128 bytes of printable text.
	ID string
	// Remote is the address that the client connected from.
	Remote netip.Addr
	// Grant is what it was admitted with, and is read-only; nil for none.
	Grant *Grant
}

// Bounds on names that a stranger can send.
const (
	MaxClientID  = 128  // bytes
	MaxGroupName = 128  // bytes
	MaxMessageID = 128  // bytes, after JSON decoding
	MaxTargets   = 1024 // targets of one message
)

// CheckName says why s cannot be a ClientID or a group name: it must hold 1 to
// max bytes of valid UTF-8 without control characters. "" means that it can.
func CheckName(s string, max int) string {
	switch {
	case s == "":
		return "is empty"
	case len(s) > max:
		return "is longer than " + strconv.Itoa(max) + " bytes"
	case !printable(s):
		return "holds characters that are not printable"
	}
	return ""
}
