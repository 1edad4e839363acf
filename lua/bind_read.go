package lua

import (
	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

func (in *instance) msgGet(L *glua.LState) int {
	h := in.message(L)
	L.Push(in.get(L, h.m, in.path(L, argString(L, 2, "get", "a path"))))
	return 1
}

// msgHeader is get for one header, whose name is taken as it is.
func (in *instance) msgHeader(L *glua.LState) int {
	h := in.message(L)
	name := argString(L, 2, "header", "a name")
	if h.m.Headers == nil {
		L.Push(glua.LNil)
		return 1
	}
	p := in.headers[name]
	if p == nil {
		if len(in.headers) == maxPaths {
			clear(in.headers)
		}
		p = headerPath(name)
		in.headers[name] = p
	}
	L.Push(in.lookUp(p, h.m.Headers))
	return 1
}

// get reads what a path names; nil is what is absent.
func (in *instance) get(L *glua.LState, m *core.Message, p *path) glua.LValue {
	var part []byte
	switch p.root {
	case "data":
		part = m.Data
	case "headers":
		part = m.Headers
	case "to":
		part = m.To
	default:
		return in.getField(L, m, p)
	}
	if part == nil {
		return glua.LNil
	}
	return in.lookUp(p, part)
}

// lookUp finds p in json, which costs the bytes searched.
func (in *instance) lookUp(p *path, json []byte) glua.LValue {
	r := p.find(view(json))
	if !r.Exists() {
		in.vm.charge(len(json) / scanBytes)
		return glua.LNil
	}
	scanned := len(json)
	if r.Index > 0 {
		scanned = r.Index + len(r.Raw)
	}
	in.vm.charge(scanned / scanBytes)
	return in.value(r)
}

// getField reads the parts of a message that are no JSON.
func (in *instance) getField(L *glua.LState, m *core.Message, p *path) glua.LValue {
	if !readable(p.root) {
		L.RaiseError("path %q: a message has data, headers, messageId, from, to, priority and ttl, not %q", p.text, p.root)
	}
	if len(p.keys) > 0 {
		L.RaiseError("path %q: %s holds nothing further", p.text, p.root)
	}
	switch p.root {
	case "messageId":
		return in.messageID(m)
	case "from":
		return in.boxes.str(m.From.ID)
	case "priority":
		return in.boxes.number(float64(m.Priority))
	}
	return in.boxes.number(float64(m.TTL))
}

func readable(root string) bool {
	switch root {
	case "data", "headers", "messageId", "from", "to", "priority", "ttl":
		return true
	}
	return false
}

// path returns the compiled path, remembered while its VM lives.
func (in *instance) path(L *glua.LState, text string) *path {
	if p := in.paths[text]; p != nil {
		return p
	}
	p, err := compilePath(text)
	if err != nil {
		L.RaiseError("%s", err)
	}
	if len(in.paths) == maxPaths {
		clear(in.paths)
	}
	in.paths[text] = p
	return p
}
