package wire

import (
	"bytes"
	"strconv"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
)

// ParseTargets appends to dst what to, a valid JSON value, names: "id",
// ["id", ...] of 1 to core.MaxTargets, {"prefix":"..."} or {"group":"..."}.
// Names alias to; those that hold escapes are appended to scratch, decoded, and
// alias it. After a Fault the targets mean nothing.
func ParseTargets(to []byte, dst []core.Target, scratch []byte) (targets []core.Target, grown []byte, fault *Fault) {
	if len(to) == 0 {
		return dst, scratch, badTo()
	}
	switch to[0] {
	case '"':
		end, _ := stringEnd(to, 0)
		if end < 0 {
			return dst, scratch, badTo()
		}
		name, scratch, why := decodeName(to[:end], scratch, core.MaxClientID)
		if why != "" {
			return dst, scratch, &Fault{CodeBadMessage, "to " + why}
		}
		return append(dst, core.Target{Kind: core.ToClient, Name: name}), scratch, nil
	case '[':
		for i, n := 0, 0; to[i] != ']'; n++ {
			if n == core.MaxTargets {
				return dst, scratch, &Fault{CodeBadMessage, "to names more than " + strconv.Itoa(n) + " targets"}
			}
			var raw []byte
			if raw, i = element(to, i); i < 0 {
				return dst, scratch, badTo()
			}
			var name, why string
			if name, scratch, why = decodeName(raw, scratch, core.MaxClientID); why != "" {
				return dst, scratch, &Fault{CodeBadMessage, "to[" + strconv.Itoa(n) + "] " + why}
			}
			dst = append(dst, core.Target{Kind: core.ToClient, Name: name})
		}
		return dst, scratch, nil
	case '{':
		return targetObject(to, dst, scratch)
	}
	return dst, scratch, badTo()
}

// targetObject reads {"prefix":"..."} or {"group":"..."}.
func targetObject(to []byte, dst []core.Target, scratch []byte) ([]core.Target, []byte, *Fault) {
	key, value, ok := onlyMember(to)
	if !ok {
		return dst, scratch, badTo()
	}
	word, scratch, _ := decodeName(key, scratch, len("prefix"))
	kind, most := core.ToPrefix, core.MaxClientID
	switch word {
	case "prefix":
	case "group":
		kind, most = core.ToGroup, core.MaxGroupName
	default:
		return dst, scratch, badTo()
	}
	name, scratch, why := decodeName(value, scratch, most)
	if why != "" {
		return dst, scratch, &Fault{CodeBadMessage, "to." + word + " " + why}
	}
	return append(dst, core.Target{Kind: kind, Name: name}), scratch, nil
}

// ParseNames appends to dst the group names of list, a valid JSON value: an
// array of 1 to MaxGroups strings. Names alias list or scratch as they do in
// ParseTargets. After a Fault the names mean nothing.
func ParseNames(list []byte, dst []string, scratch []byte) (names []string, grown []byte, fault *Fault) {
	if len(list) == 0 || list[0] != '[' {
		return dst, scratch, badGroups()
	}
	for i, n := 0, 0; list[i] != ']'; n++ {
		if n == MaxGroups {
			return dst, scratch, &Fault{CodeBadMessage, "groups has more than " + strconv.Itoa(n) + " names"}
		}
		var raw []byte
		if raw, i = element(list, i); i < 0 {
			return dst, scratch, badGroups()
		}
		var name, why string
		if name, scratch, why = decodeName(raw, scratch, core.MaxGroupName); why != "" {
			return dst, scratch, &Fault{CodeBadMessage, "groups[" + strconv.Itoa(n) + "] " + why}
		}
		dst = append(dst, name)
	}
	return dst, scratch, nil
}

func badTo() *Fault {
	return &Fault{CodeBadMessage, `to must be a ClientID, a list of them, {"prefix":"..."} or {"group":"..."}`}
}

func badGroups() *Fault {
	return &Fault{CodeBadMessage, "groups must be an array of strings that is not empty"}
}

// element returns the string that follows the opening bracket or comma at
// list[i], and the index of the comma or closing bracket behind it; -1 when
// that is not what is there.
func element(list []byte, i int) (raw []byte, next int) {
	at := space(list, i+1)
	if at >= len(list) || list[at] != '"' {
		return nil, -1
	}
	end, _ := stringEnd(list, at)
	if end < 0 {
		return nil, -1
	}
	next = space(list, end)
	if next >= len(list) || list[next] != ',' && list[next] != ']' {
		return nil, -1
	}
	return list[at:end], next
}

// onlyMember returns the key and the value of an object that holds one string
// and nothing else.
func onlyMember(object []byte) (key, value []byte, ok bool) {
	i := space(object, 1)
	if i >= len(object) || object[i] != '"' {
		return nil, nil, false
	}
	end, _ := stringEnd(object, i)
	if end < 0 {
		return nil, nil, false
	}
	key = object[i:end]
	i = space(object, end)
	if i >= len(object) || object[i] != ':' {
		return nil, nil, false
	}
	i = space(object, i+1)
	if i >= len(object) || object[i] != '"' {
		return nil, nil, false
	}
	if end, _ = stringEnd(object, i); end < 0 {
		return nil, nil, false
	}
	value = object[i:end]
	i = space(object, end)
	return key, value, i < len(object) && object[i] == '}'
}

// decodeName decodes a JSON string, into scratch only when it holds escapes,
// and says why it cannot be a name of 1 to most bytes, or "".
func decodeName(raw, scratch []byte, most int) (name string, grown []byte, why string) {
	text := raw[1 : len(raw)-1]
	if bytes.IndexByte(text, '\\') >= 0 {
		if len(text) > 6*most {
			return "", scratch, "is longer than " + strconv.Itoa(most) + " bytes"
		}
		at := len(scratch)
		scratch = Unquote(scratch, raw)
		text = scratch[at:]
	}
	name = unsafe.String(unsafe.SliceData(text), len(text))
	return name, scratch, core.CheckName(name, most)
}
