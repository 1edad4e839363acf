package trace

import (
	"strings"
	"unsafe"

	"github.com/tidwall/gjson"
)

// secretWords are what a member's name holds whose value is never shown.
var secretWords = [...]string{"token", "secret", "passw", "authorization", "cookie", "apikey", "api_key", "credential", "jwt"}

// secret reports whether a member of this name may hold a secret.
func secret(name []byte) bool {
	for _, word := range secretWords {
		if holds(name, word) {
			return true
		}
	}
	return false
}

// holds reports whether b holds word, in letters of any case.
func holds(b []byte, word string) bool {
	for i := 0; i+len(word) <= len(b); i++ {
		if strings.EqualFold(view(b[i:i+len(word)]), word) {
			return true
		}
	}
	return false
}

// mark stands for what a preview leaves out.
const mark = "…"

// appendPreview appends the beginning of a JSON value, as a string of at most most
// bytes and a mark. The values of members that may hold secrets are left out.
func appendPreview(dst, json []byte, most int) []byte {
	most = min(most, MaxPreview)
	at := len(dst)
	dst = append(dst, 0, 0) // two bytes of length
	if most > 0 {
		dst = preview(dst, json, most)
	}
	n := len(dst) - at - 2
	dst[at], dst[at+1] = byte(n)|0x80, byte(n>>7)
	return dst
}

func preview(dst, json []byte, most int) []byte {
	end := len(dst) + most
	for i := 0; i < len(json); {
		from, to := i, i+1
		if json[i] == '"' {
			to = endOfString(json, i)
		}
		part := json[from:to]
		if len(dst)+len(part) > end {
			room := max(0, end-len(dst)) // a mark may have taken more
			for room > 0 && room < len(part) && part[room]&0xC0 == 0x80 {
				room-- // not within a character
			}
			dst = append(dst, part[:room]...)
			return append(dst, mark...)
		}
		dst = append(dst, part...)
		i = to
		if colon := skipSpace(json, i); json[from] == '"' && colon < len(json) && json[colon] == ':' && secret(part) {
			dst = append(append(dst, ':'), mark...)
			i = endOfValue(json, skipSpace(json, colon+1))
		}
	}
	return dst
}

func skipSpace(json []byte, i int) int {
	for i < len(json) && (json[i] == ' ' || json[i] == '\t' || json[i] == '\n' || json[i] == '\r') {
		i++
	}
	return i
}

// endOfString is the index behind the string that begins at i.
func endOfString(json []byte, i int) int {
	for i++; i < len(json); i++ {
		switch json[i] {
		case '\\':
			i++
		case '"':
			return i + 1
		}
	}
	return len(json)
}

// endOfValue is the index behind the JSON value that begins at i.
func endOfValue(json []byte, i int) int {
	depth := 0
	for i < len(json) {
		switch json[i] {
		case '"':
			i = endOfString(json, i)
			if depth == 0 {
				return i
			}
			continue
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // behind a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',':
			if depth == 0 {
				return i
			}
		}
		i++
	}
	return len(json)
}

const (
	// keysUntil is the longest JSON of which the changed members are named.
	keysUntil = 16 << 10
	// keysAmong is how many members an object may have for that.
	keysAmong = 32
	// keyBytes is how much of a name is shown.
	keyBytes = 32
)

// member is one member of a JSON object. Both parts are as they stand there.
type member struct{ name, value string }

// appendKeys appends the names of the members in which two JSON objects differ, as
// "+added -removed ~changed"; nothing if they are no objects, or large ones.
func appendKeys(dst, was, is []byte) []byte {
	at := len(dst)
	dst = append(dst, 0, 0)
	if len(was) <= keysUntil && len(is) <= keysUntil {
		var before, after [keysAmong]member
		b, okBefore := membersOf(before[:0], was)
		a, okAfter := membersOf(after[:0], is)
		if okBefore && okAfter {
			dst = differences(dst, b, a)
		}
	}
	n := len(dst) - at - 2
	dst[at], dst[at+1] = byte(n)|0x80, byte(n>>7)
	return dst
}

func differences(dst []byte, before, after []member) []byte {
	left := maxKeys
	add := func(sign byte, name string) {
		if left--; left < 0 {
			if left == -1 {
				dst = append(dst, " "+mark...)
			}
			return
		}
		if left < maxKeys-1 {
			dst = append(dst, ' ')
		}
		dst = append(dst, sign)
		if len(name) > keyBytes {
			n := keyBytes
			for n > 0 && name[n]&0xC0 == 0x80 {
				n--
			}
			dst = append(append(dst, name[:n]...), mark...)
			return
		}
		dst = append(dst, name...)
	}
	for _, m := range after {
		switch old, had := valueOf(before, m.name); {
		case !had:
			add('+', m.name)
		case old != m.value:
			add('~', m.name)
		}
	}
	for _, m := range before {
		if _, has := valueOf(after, m.name); !has {
			add('-', m.name)
		}
	}
	return dst
}

func valueOf(members []member, name string) (string, bool) {
	for i := range members {
		if members[i].name == name {
			return members[i].value, true
		}
	}
	return "", false
}

// membersOf appends the members of a JSON object; false if it is none, or has
// more than members has room for. Nothing is an object without members.
func membersOf(members []member, json []byte) ([]member, bool) {
	if len(json) == 0 {
		return members, true
	}
	object := gjson.Parse(view(json))
	ok := object.IsObject()
	if ok {
		object.ForEach(func(name, value gjson.Result) bool {
			if ok = len(members) < cap(members); ok {
				members = append(members, member{name.Raw[1 : len(name.Raw)-1], value.Raw})
			}
			return ok
		})
	}
	return members, ok
}

// view is b as a string, for as long as b is not written to.
func view(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
