package wire

import (
	"bytes"
	"hash/maphash"
	"math"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

// Parser checks and parses client frames. It holds scratch space and the last
// Fault, so one goroutine uses it at a time. A steady flow of frames allocates
// nothing.
type Parser struct {
	fault Fault
	text  []byte // decoded text of the strings that hold escapes
	keys  []key  // of the open objects that have few, innermost last
	set   keySet // of the objects that have many
}

// keptText is how much decoded text the Parser keeps room for between frames.
const keptText = 64 << 10

// NewParser makes a Parser.
func NewParser() *Parser {
	return &Parser{keys: make([]key, 0, 2*fewKeys), set: keySet{seed: maphash.MakeSeed()}}
}

// Parse reads b, one client frame that is known to be valid UTF-8, into f. It
// checks that b is one JSON object and nothing more, no deeper than MaxDepth,
// without duplicate keys at any level, and that the fields of its type are well
// formed; other fields are ignored. A Fault is valid until the next call. With
// a Fault only f.ID means something: it is set if a well-formed messageId came
// before the place where parsing ended.
func (p *Parser) Parse(b []byte, f *Frame) *Fault { return p.parse(b, f, nil) }

// typeMessage is TypeMessage as JSON.
var typeMessage = []byte("0")

// Message is Parse for a message that may leave its type out.
func (p *Parser) Message(b []byte, f *Frame) *Fault {
	fault := p.parse(b, f, typeMessage)
	if fault == nil && f.Type != TypeMessage {
		return p.fail(CodeBadMessage, "type must be 0, or left out")
	}
	return fault
}

// parse is Parse; kind is the type of a frame that names none.
func (p *Parser) parse(b []byte, f *Frame, kind []byte) *Fault {
	*f = Frame{}
	p.begin()
	in := scalars{kind: kind}
	at := space(b, 0)
	isObject := at < len(b) && b[at] == '{'
	var end int
	if isObject {
		end = p.envelope(b, at, f, &in)
	} else {
		end = p.value(b, at, 0)
	}
	if fault := p.finish(b, end); fault != nil {
		return fault
	}
	if !isObject {
		return p.fail(CodeBadMessage, "a frame must be a JSON object")
	}
	return p.check(f, &in)
}

// Valid checks that b is one JSON value and nothing more, by the rules of
// Parse, and also that it is valid UTF-8. A Fault is valid until the next call.
func (p *Parser) Valid(b []byte) *Fault {
	p.begin()
	if !utf8.Valid(b) {
		return p.fail(CodeBadJSON, "invalid UTF-8")
	}
	return p.finish(b, p.value(b, space(b, 0), 0))
}

func (p *Parser) begin() {
	p.text = p.text[:0]
	p.keys = p.keys[:0]
	p.set.begin()
	if p.fault.Code != "" {
		p.fault = Fault{}
	}
}

// finish returns the fault of a scan that ended at end, which is negative when
// it failed, and gives back scratch space that grew huge.
func (p *Parser) finish(b []byte, end int) *Fault {
	p.set.trim()
	if cap(p.text) > keptText {
		p.text = nil
	}
	if end >= 0 {
		if end = space(b, end); end == len(b) {
			return nil
		}
		end = ^end
	}
	if p.fault.Code == "" {
		p.fault = syntaxFault(b, ^end)
	}
	return &p.fault
}

func (p *Parser) fail(code, text string) *Fault {
	p.fault = Fault{code, text}
	return &p.fault
}

// scalars are the raw values of the fields that Frame holds decoded, and of the
// messageId even when it is not well formed.
type scalars struct{ kind, id, priority, ttl, receipt, seq []byte }

// envelope scans the outermost object, which begins at b[i].
func (p *Parser) envelope(b []byte, i int, f *Frame, in *scalars) int {
	if i = space(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1
	}
	var s scope
	for {
		var name []byte
		if name, i = p.key(b, i, &s); i < 0 {
			return i
		}
		at := i
		if i = p.value(b, i, 1); i < 0 {
			return i
		}
		raw := b[at:i:i]
		switch string(name) {
		case "type":
			in.kind = raw
		case "messageId":
			in.id = raw
			if p.isMessageID(raw) {
				f.ID = raw
			}
		case "data":
			f.Data = raw
		case "to":
			if raw[0] != 'n' {
				f.To = raw
			}
		case "headers":
			f.Headers = raw
		case "groups":
			f.Groups = raw
		case "priority":
			in.priority = raw
		case "ttl":
			in.ttl = raw
		case "receipt":
			in.receipt = raw
		case "seq":
			in.seq = raw
		case "also":
			f.Also = raw
		case "epoch":
			f.Epoch = raw
		case "token":
			f.Token = raw
		}
		var more bool
		if i, more = next(b, i, '}'); !more {
			return i
		}
	}
}

func (p *Parser) isMessageID(raw []byte) bool {
	if raw[0] != '"' {
		return false
	}
	n := len(raw) - 2
	if n > 6*core.MaxMessageID { // \u0041 is the longest way to write a byte
		return false
	}
	if bytes.IndexByte(raw, '\\') >= 0 {
		at := len(p.text)
		p.text = Unquote(p.text, raw)
		n = len(p.text) - at
		p.text = p.text[:at]
	}
	return n >= 1 && n <= core.MaxMessageID
}

// check looks at the fields of the frame's type and decodes the scalars.
func (p *Parser) check(f *Frame, in *scalars) *Fault {
	if in.kind == nil {
		return p.fail(CodeMissingType, "type is missing")
	}
	n, ok := integer(in.kind)
	if !ok {
		return p.fail(CodeBadMessage, "type must be an integer")
	}
	if in.id != nil && f.ID == nil {
		return p.fail(CodeBadMessage, "messageId must be a string of 1 to 128 bytes")
	}
	if n != TypeMessage {
		f.Data, f.To, f.Headers = nil, nil, nil
	}
	if n != TypeJoin && n != TypeLeave {
		f.Groups = nil
	}
	if n != TypeAck && n != TypeHello {
		f.Also = nil
	}
	if n != TypeHello {
		f.Epoch = nil
	}
	if n != TypeRenew {
		f.Token = nil
	}
	switch n {
	case TypeMessage:
		if why := f.message(in); why != "" {
			return p.fail(CodeBadMessage, why)
		}
	case TypeAck, TypeHello:
		seq, ok := integer(in.seq)
		if (!ok || seq < 0 || seq == math.MaxInt64) && (n == TypeAck || in.seq != nil) {
			return p.fail(CodeBadMessage, "seq must be an integer of at least 0")
		}
		f.Seq = uint64(seq)
		if f.Epoch != nil && f.Epoch[0] != '"' {
			return p.fail(CodeBadMessage, "epoch must be a string")
		}
		if f.Also != nil && f.Also[0] != '[' {
			return p.fail(CodeBadMessage, badRanges)
		}
	case TypePing, TypePong:
	case TypeJoin, TypeLeave:
		if f.Groups == nil || f.Groups[0] != '[' {
			return p.fail(CodeBadMessage, "groups must be an array of strings")
		}
	case TypeRenew:
		if f.Token == nil || f.Token[0] != '"' || len(f.Token) <= 2 || len(f.Token)-2 > core.MaxToken {
			return p.fail(CodeBadMessage, "token must be a string of 1 to 8192 bytes")
		}
	default:
		return p.fail(CodeUnknownType, "no client may send this type")
	}
	f.Type = int(n)
	return nil
}

// message checks the fields of a type 0 frame and says what is wrong with them.
func (f *Frame) message(in *scalars) string {
	if f.Data == nil {
		return "data is missing"
	}
	if in.priority != nil {
		n, ok := integer(in.priority)
		if !ok || n < 0 || n > MaxPriority {
			return "priority must be an integer from 0 to 9"
		}
		f.Priority = uint8(n)
	}
	if in.ttl != nil {
		n, ok := integer(in.ttl)
		if !ok || n < 0 || n > MaxTTL {
			return "ttl must be an integer of seconds from 0 to 2592000"
		}
		f.TTL = uint32(n)
	}
	if in.receipt != nil {
		f.Receipt = in.receipt[0] == 't'
		if !f.Receipt && in.receipt[0] != 'f' {
			return "receipt must be true or false"
		}
	}
	if f.Headers != nil && !areHeaders(f.Headers) {
		return "headers must be an object of at most 64 strings"
	}
	return ""
}

// integer reads a valid JSON value that is a number without fraction and
// exponent. Values that do not fit become the nearest that does.
func integer(raw []byte) (n int64, ok bool) {
	digits := bytes.TrimPrefix(raw, []byte{'-'})
	for _, c := range digits {
		if c < '0' || c > '9' {
			return 0, false
		}
		d := int64(c - '0')
		if n > (math.MaxInt64-d)/10 {
			n = math.MaxInt64
		} else {
			n = n*10 + d
		}
	}
	if len(digits) < len(raw) {
		n = -n
	}
	return n, len(digits) > 0
}
