package lua

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core/wire"
	"github.com/tidwall/gjson"
	"github.com/tidwall/sjson"
)

// maxPaths bounds the compiled paths that a VM remembers; a script that builds
// paths from the messages' own words starts the memory anew.
const maxPaths = 1024

// path is a compiled path of msg:get, msg:set and msg:del: a part of the
// message, then keys. Keys are separated by dots, arrays are counted from 0, a
// trailing # is an array's length, a backslash takes the next character as it
// is.
type path struct {
	text string
	root string
	keys []pathKey
	// plain is the keys as one gjson path, or "" where gjson's own syntax
	// could read something else into them: then they are walked one by one.
	plain string
}

type pathKey struct {
	name    string
	escaped string // name as a gjson path element
	index   int    // position in an array, or -1
	length  bool   // the trailing #
}

// special are the characters that mean something in a gjson path. They are
// refused unless escaped, so that no script depends on them by accident.
const special = `*?|#@!()[]{}`

// compilePath reads a path. The error names what is wrong with it.
func compilePath(text string) (*path, error) {
	if !utf8.ValidString(text) {
		return nil, fmt.Errorf("path %q is not valid UTF-8", text)
	}
	p := &path{text: text}
	var name strings.Builder
	plain := true
	escaped := false // within the key at hand
	end := func(last bool) error {
		key := name.String()
		name.Reset()
		switch {
		case key == "":
			return fmt.Errorf("path %q has an empty key", text)
		case p.root == "":
			p.root = key
			return nil
		}
		k := pathKey{name: key, escaped: gjson.Escape(key), index: arrayIndex(key)}
		if key == "#" && !escaped {
			if !last {
				return fmt.Errorf("path %q: # (the length of an array) can only stand at the end", text)
			}
			k.length = true
		}
		if k.escaped != key || k.index < 0 && digits(key) {
			plain = false
		}
		escaped = false
		p.keys = append(p.keys, k)
		return nil
	}
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '.':
			if err := end(false); err != nil {
				return nil, err
			}
		case c == '\\':
			if i++; i == len(text) {
				return nil, fmt.Errorf("path %q ends within an escape", text)
			}
			escaped = true
			name.WriteByte(text[i])
		case c == '#' && name.Len() == 0 && (i+1 == len(text) || text[i+1] == '.'):
			name.WriteByte(c)
		case strings.IndexByte(special, c) >= 0:
			return nil, fmt.Errorf("path %q: %q needs a backslash before it; a path is keys joined by dots, arrays are counted from 0", text, c)
		default:
			name.WriteByte(c)
		}
	}
	if err := end(true); err != nil {
		return nil, err
	}
	if plain && len(p.keys) > 0 {
		names := make([]string, len(p.keys))
		for i, k := range p.keys {
			names[i] = k.name
		}
		p.plain = strings.Join(names, ".")
	}
	return p, nil
}

// headerPath is the path of one header within the headers.
func headerPath(name string) *path {
	k := pathKey{name: name, escaped: gjson.Escape(name), index: -1}
	p := &path{text: "headers." + name, root: "headers", keys: []pathKey{k}}
	if k.escaped == name {
		p.plain = name
	}
	return p
}

// arrayIndex reads a position in an array as JSON would write it, or -1.
func arrayIndex(s string) int {
	if !digits(s) || len(s) > 9 || len(s) > 1 && s[0] == '0' {
		return -1
	}
	n, _ := strconv.Atoi(s)
	return n
}

func digits(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < '0' || s[i] > '9' {
			return false
		}
	}
	return s != ""
}

// find returns what stands at the path's keys in json, one valid JSON value.
// The result points into json; its Index is only set for a plain path.
func (p *path) find(json string) gjson.Result {
	if len(p.keys) == 0 {
		return gjson.Parse(json)
	}
	if p.plain != "" {
		if !container(json) {
			return gjson.Result{}
		}
		return gjson.Get(json, p.plain)
	}
	at := gjson.Parse(json)
	for i := 0; i < len(p.keys) && at.Exists(); i++ {
		at = p.keys[i].step(at)
	}
	return at
}

// step goes from a value to what it holds at the key.
func (k *pathKey) step(from gjson.Result) gjson.Result {
	switch {
	case from.IsObject() && !k.length:
		return gjson.Get(from.Raw, k.escaped)
	case from.IsArray() && k.length:
		return gjson.Get(from.Raw, "#")
	case from.IsArray() && k.index >= 0:
		return gjson.Get(from.Raw, k.name)
	}
	return gjson.Result{}
}

// container reports whether json is an object or an array; gjson would look for
// one inside a string.
func container(json string) bool {
	for i := 0; i < len(json); i++ {
		switch json[i] {
		case ' ', '\t', '\n', '\r':
		case '{', '[':
			return true
		default:
			return false
		}
	}
	return false
}

// splice returns a fresh copy of json with raw at the path's keys; everything
// else keeps its bytes. Objects that are missing on the way are made.
func (p *path) splice(json, raw []byte) ([]byte, error) {
	at := gjson.Parse(view(json))
	begin := at.Index
	for i := range p.keys {
		k := &p.keys[i]
		if why := k.cannotBeSetIn(at); why != "" {
			return nil, fmt.Errorf("path %q: %s", p.text, why)
		}
		next := k.step(at)
		if !next.Exists() {
			end := begin + len(strings.TrimRight(at.Raw, " \t\r\n")) - 1
			return insert(json, end, at, p.keys[i:], raw), nil
		}
		begin += next.Index
		at = next
	}
	return slices.Concat(json[:begin], raw, json[begin+len(at.Raw):]), nil
}

// cannotBeSetIn says why nothing can be put at the key in a value, or "".
func (k *pathKey) cannotBeSetIn(v gjson.Result) string {
	switch {
	case k.length:
		return "the length of an array cannot be set"
	case v.IsObject():
		return ""
	case !v.IsArray():
		return fmt.Sprintf("what would hold %q is %s, not an object or an array", k.name, kindOf(v))
	case k.index < 0:
		return fmt.Sprintf("what would hold %q is an array", k.name)
	}
	if n := v.Get("#").Int(); int64(k.index) > n {
		return fmt.Sprintf("position %d is past the end of an array of %d", k.index, n)
	}
	return ""
}

// insert puts a new member before the bracket at json[end], which closes
// container: raw, within an object for each key but the first.
func insert(json []byte, end int, container gjson.Result, keys []pathKey, raw []byte) []byte {
	out := append(make([]byte, 0, len(json)+len(raw)+64), json[:end]...)
	if before := bytes.TrimRight(out, " \t\r\n"); before[len(before)-1] != container.Raw[0] {
		out = append(out, ',')
	}
	for i, k := range keys {
		if i > 0 {
			out = append(out, '{')
		}
		if i > 0 || container.IsObject() {
			out = append(wire.AppendString(out, k.name), ':')
		}
	}
	out = append(out, raw...)
	for range keys[1:] {
		out = append(out, '}')
	}
	return append(out, json[end:]...)
}

// cut returns a fresh copy of json without what stands at the path's keys, or
// nil when nothing stands there.
func (p *path) cut(json []byte) ([]byte, error) {
	from := gjson.Parse(view(json))
	if !p.find(view(json)).Exists() {
		return nil, nil
	}
	var at strings.Builder
	for i := range p.keys {
		k := &p.keys[i]
		if i > 0 {
			at.WriteByte('.')
		}
		switch {
		case k.length:
			return nil, fmt.Errorf("path %q: the length of an array cannot be deleted", p.text)
		case from.IsObject():
			at.WriteByte(':')
			at.WriteString(k.escaped)
		default:
			at.WriteString(k.name)
		}
		from = k.step(from)
	}
	return sjson.DeleteBytes(json, at.String())
}

// kindOf names the type of a JSON value with its article.
func kindOf(v gjson.Result) string {
	switch {
	case v.IsObject():
		return "an object"
	case v.IsArray():
		return "an array"
	case v.Type == gjson.String:
		return "a string"
	case v.Type == gjson.Number:
		return "a number"
	case v.Type == gjson.Null:
		return "null"
	}
	return "a boolean"
}
