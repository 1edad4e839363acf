package lua

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

func (in *instance) msgSet(L *glua.LState) int {
	h := in.message(L)
	p := in.editable(L, argString(L, 2, "set", "a path and a value"))
	v := L.Get(3)
	if v == glua.LNil {
		L.RaiseError("msg:set(%q) needs a value; use stratix.null for null or msg:del to remove", p.text)
	}
	if p.root == "headers" {
		in.checkHeader(L, p, v)
	}
	raw := in.encoder.encode(L, v)
	if h.ended {
		return 0
	}
	part := partOf(h.m, p.root)
	if len(p.keys) == 0 {
		in.replace(L, h.m, part, append([]byte(nil), raw...))
		return 0
	}
	whole := *part
	if whole == nil {
		whole = []byte("{}")
	}
	edited, err := p.splice(whole, raw)
	if err != nil {
		in.vm.charge(len(whole) / scanBytes)
		L.RaiseError("%s", err)
	}
	in.replace(L, h.m, part, edited)
	return 0
}

func (in *instance) msgDel(L *glua.LState) int {
	h := in.message(L)
	p := in.editable(L, argString(L, 2, "del", "a path"))
	part := partOf(h.m, p.root)
	if h.ended || *part == nil {
		return 0
	}
	if len(p.keys) == 0 {
		if p.root == "data" {
			L.RaiseError("msg:del: data itself cannot be removed, only set")
		}
		*part = nil
		return 0
	}
	edited, err := p.cut(*part)
	if err == nil && edited != nil {
		in.replace(L, h.m, part, edited)
		return 0
	}
	in.vm.charge(len(*part) / scanBytes)
	if err != nil {
		L.RaiseError("%s", err)
	}
	return 0
}

// replace puts the edited part of m in its place, when it is still JSON that
// the gateway would take.
func (in *instance) replace(L *glua.LState, m *core.Message, part *[]byte, edited []byte) {
	in.vm.chargeBytes(len(edited))
	if fault := in.parser.Valid(edited); fault != nil {
		L.RaiseError("the edited message is refused: %s", fault.Text)
	}
	if part == &m.Headers && membersOf(edited) > wire.MaxHeaders {
		L.RaiseError("a message has at most %d headers", wire.MaxHeaders)
	}
	in.checkGrowth(L, m, len(edited)-len(*part))
	*part = edited
}

func membersOf(object []byte) int {
	n := 0
	gjson.Parse(view(object)).ForEach(func(_, _ gjson.Result) bool {
		n++
		return true
	})
	return n
}

// checkGrowth raises an error when n more bytes make m too big.
func (in *instance) checkGrowth(L *glua.LState, m *core.Message, n int) {
	size := len(m.Data) + len(m.Headers) + n
	for _, r := range m.Effects.Replies {
		size += len(r)
	}
	if size > maxMessage {
		L.RaiseError("the message would grow to %d bytes; at most %d are allowed", size, maxMessage)
	}
}

// checkHeader holds headers to an object of strings.
func (in *instance) checkHeader(L *glua.LState, p *path, v glua.LValue) {
	switch t, isTable := v.(*glua.LTable); {
	case len(p.keys) > 1:
		L.RaiseError("path %q: headers hold strings, not tables", p.text)
	case len(p.keys) == 1 && v.Type() != glua.LTString:
		L.RaiseError("path %q: a header is a string, not a %s", p.text, v.Type())
	case len(p.keys) == 0 && !isTable:
		L.RaiseError("headers are a table of strings, not a %s", v.Type())
	case isTable:
		for key, v := t.Next(glua.LNil); key != glua.LNil; key, v = t.Next(key) {
			if key.Type() != glua.LTString || v.Type() != glua.LTString {
				L.RaiseError("headers are a table of strings; %s is a %s", key.String(), v.Type())
			}
		}
	}
}

// partOf returns the part of m that the root of an editable path names.
func partOf(m *core.Message, root string) *[]byte {
	if root == "headers" {
		return &m.Headers
	}
	return &m.Data
}

// editable compiles a path whose root set and del may change.
func (in *instance) editable(L *glua.LState, text string) *path {
	p := in.path(L, text)
	if p.root != "data" && p.root != "headers" {
		L.RaiseError("path %q: only data and headers can be edited, not %q", text, p.root)
	}
	return p
}
