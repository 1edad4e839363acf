// Package frame is RFC 6455 (WebSocket) and RFC 7692 (permessage-deflate) on
// bytes. It does no I/O and keeps nothing for a connection at rest: a Reader is
// shared by all the connections of one goroutine, and a connection holds a
// Partial only while a message or a frame of it is incomplete.
//
// A server reads masked frames and writes with AppendFrame; a client sets
// Config.Client, reads unmasked frames and writes with AppendMasked.
package frame

// Op is the opcode of a frame.
type Op uint8

// The opcodes of RFC 6455. All others are refused.
const (
	OpContinuation Op = 0
	OpText         Op = 1
	OpBinary       Op = 2
	OpClose        Op = 8
	OpPing         Op = 9
	OpPong         Op = 10
)

func (op Op) control() bool { return op >= OpClose }

// Event is one complete message or one control frame.
type Event struct {
	// Op is OpText or OpBinary for a message, else that of the control frame.
	Op Op
	// Payload is unmasked, reassembled and inflated; of a close frame it is the
	// reason. It aliases the input or the Reader's own memory: it is valid until
	// the next call of Next with the same Reader, or until the input is reused.
	Payload []byte
	// Code is the code of a close frame, CloseNoStatus when it has none. It is 0
	// for everything else.
	Code int
}

// Sizes of a frame.
const (
	maxHeader  = 14  // bytes: opcode and length, extended length, masking key
	maxControl = 125 // bytes of a control frame's payload

	finBit  = 0x80
	rsv1Bit = 0x40 // the message is deflated
	rsv2Bit = 0x20
	rsv3Bit = 0x10
	opBits  = 0x0f

	maskBit    = 0x80
	lengthBits = 0x7f
	length16   = 126 // the length follows in 2 bytes
	length64   = 127 // the length follows in 8 bytes
)
