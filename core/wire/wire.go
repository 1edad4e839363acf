// Package wire holds the JSON envelope of the wire protocol: it checks and
// parses the frames that clients send and encodes the ones the gateway sends.
// It works on bytes only; sockets and WebSocket framing are elsewhere.
package wire

// The frame types, the value of "type".
const (
	TypeMessage = 0
	TypeAck     = 1
	TypeError   = 2
	TypeHello   = 3
	TypePing    = 4
	TypePong    = 5
	TypeGoodbye = 6
	TypeGap     = 7
	TypeJoin    = 8
	TypeLeave   = 9
	TypeRenew   = 10
)

// Bounds on what a client may send; those on names are in core.
const (
	MaxDepth    = 64                // objects and arrays inside each other
	MaxHeaders  = 64                // headers of one message
	MaxGroups   = 256               // groups of one join or leave
	MaxRanges   = 4096              // ranges of one ack or hello
	MaxPriority = 9                 // the most urgent
	MaxTTL      = 30 * 24 * 60 * 60 // seconds
)

// Frame is a parsed client frame. Its slices are raw JSON that aliases the
// bytes given to Parse. Fields that do not belong to the frame's type are zero.
type Frame struct {
	// Type is one of those a client may send: 0, 1, 3, 4, 5, 8, 9 or 10.
	Type int
	// ID is the messageId as a JSON string, quotes included; nil when absent.
	ID []byte
	// Data is the payload of a message; never nil there.
	Data []byte
	// To is what a message names as its target, not yet checked (see
	// ParseTargets); nil when it is absent or null.
	To []byte
	// Headers is an object of at most MaxHeaders string values; nil when absent.
	Headers []byte
	// Groups is the array of a join or leave; its elements are not yet checked
	// (see ParseNames).
	Groups []byte
	// Seq is the sequence number of an ack or a hello; 0 when a hello has none.
	Seq uint64
	// Also is the array of ranges of an ack or a hello, not yet checked (see
	// ParseRanges); nil when absent.
	Also []byte
	// Epoch is the epoch of a hello as a JSON string, quotes included; nil when
	// absent.
	Epoch []byte
	// Token is the token of a renewal as a JSON string, quotes included.
	Token []byte
	// TTL is the message's time to live in seconds, 0 when absent.
	TTL uint32
	// Priority goes from 0, which is also the default, to MaxPriority.
	Priority uint8
	// Receipt asks for a second acknowledgement on delivery.
	Receipt bool
}

// The codes of a Fault, as the sender sees them.
const (
	CodeBadJSON      = "bad_json"      // not one JSON value
	CodeDuplicateKey = "duplicate_key" // an object has the same key twice
	CodeTooDeep      = "too_deep"      // nested deeper than MaxDepth
	CodeBadMessage   = "bad_message"   // a field has the wrong type or is out of bounds
	CodeMissingType  = "missing_type"  // there is no "type"
	CodeUnknownType  = "unknown_type"  // no client may send this type
)

// Fault says why a frame is refused. Text names what and where; it is one line
// of bounded length, and may quote what the client sent.
type Fault struct{ Code, Text string }
