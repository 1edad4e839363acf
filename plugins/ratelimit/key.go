package ratelimit

import (
	"errors"
	"fmt"
	"hash/maphash"
	"math"
	"net/netip"
	"slices"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
	"github.com/tidwall/gjson"
)

// per says who has a bucket.
type per uint8

const (
	perClient per = iota
	perAddress
	perPrefix
	perKey
)

// What keeps the hashes of different kinds of names apart.
const (
	ofAddress = 0x0101010101010101 * (iota + 1)
	ofPrefix
	ofKey
	ofNumber
	ofOther
	ofSender
)

// hashOf is who m counts for; 0 for nobody.
func (s *stage) hashOf(m *core.Message) uint64 {
	switch s.per {
	case perAddress:
		return s.limit.address(m.From.Remote)
	case perPrefix:
		prefix := s.prefixOf(m.From.ID)
		if prefix == "" {
			return 0
		}
		return s.limit.hash(prefix, ofPrefix)
	case perKey:
		return s.keyOf(m)
	}
	return s.limit.hash(m.From.ID, 0)
}

// hash is that of a name of a kind; never 0.
func (l *limit) hash(name string, kind uint64) uint64 {
	return max(1, maphash.String(l.seed, name)^kind)
}

// address is the hash of an address: of an IPv6 one its /64, since that is what
// one subscriber has. It is 0 for a unix socket, where all clients have the same.
func (l *limit) address(a netip.Addr) uint64 {
	if !a.IsValid() {
		return 0
	}
	b := a.Unmap().As16()
	network := b[:8]
	if a.Is4() || a.Is4In6() {
		network = b[12:]
	}
	return max(1, maphash.Bytes(l.seed, network)^ofAddress)
}

// prefixOf is the class of a ClientID, or "".
func (s *stage) prefixOf(id string) string {
	if s.PrefixLength > 0 {
		return id[:min(s.PrefixLength, len(id))]
	}
	for _, class := range s.classes {
		if strings.HasPrefix(id, class) {
			return class
		}
	}
	return ""
}

// classes reads the setting prefix: the longest first.
func classes(v any) ([]string, error) {
	var list []string
	switch v := v.(type) {
	case string:
		list = []string{v}
	case []any:
		for _, item := range v {
			text, ok := item.(string)
			if !ok {
				return nil, errors.New("expected a string or a list of strings")
			}
			list = append(list, text)
		}
	default:
		return nil, errors.New("expected a string or a list of strings")
	}
	if len(list) < 1 || len(list) > maxClasses {
		return nil, fmt.Errorf("expected 1 to %d prefixes, got %d", maxClasses, len(list))
	}
	for _, class := range list {
		if why := core.CheckName(class, core.MaxClientID); why != "" {
			return nil, fmt.Errorf("the prefix %.40q %s", class, why)
		}
	}
	slices.SortStableFunc(list, func(a, b string) int { return len(b) - len(a) })
	return list, nil
}

// keyOf is the hash of the key of m: what stands at the path, or without a path
// what a script has said, if it has. Where nothing stands at the path it is that of
// the sender: nobody gets around the limit by leaving the key out.
func (s *stage) keyOf(m *core.Message) uint64 {
	switch {
	case s.path.root != "":
	case m.LimitKey != nil:
		return s.limit.hash(text(m.LimitKey), ofKey)
	default:
		return 0
	}
	// What means the same is the same key, however it is written.
	switch r := s.path.find(m); r.Type {
	case gjson.String:
		return s.limit.hash(r.Str, ofKey)
	case gjson.Number:
		n := math.Float64bits(r.Num + 0) // -0 is 0
		b := [8]byte{byte(n), byte(n >> 8), byte(n >> 16), byte(n >> 24), byte(n >> 32), byte(n >> 40), byte(n >> 48), byte(n >> 56)}
		return max(1, maphash.Bytes(s.limit.seed, b[:])^ofNumber)
	case gjson.True, gjson.False:
		return s.limit.hash(r.Raw, ofOther)
	}
	return s.limit.hash(m.From.ID, ofSender)
}

// path is where a key stands: a part of the message, and a gjson path in it or "".
type path struct{ root, in string }

// special are the characters that mean something in a gjson path. They are
// refused: where one means something, gjson may allocate.
const special = `*?|#@!()[]{}\`

// parsePath reads the setting key.
func parsePath(text string) (path, error) {
	if !utf8.ValidString(text) {
		return path{}, fmt.Errorf("the path %q is not valid UTF-8", text)
	}
	var p path
	p.root, p.in, _ = strings.Cut(text, ".")
	switch p.root {
	case "data", "headers", "to":
	default:
		return path{}, fmt.Errorf("expected a path into data, headers or to such as %q, got %.40q", "data.room", text)
	}
	for name := range strings.SplitSeq(text, ".") {
		if name == "" {
			return path{}, fmt.Errorf("the path %q has an empty key", text)
		}
		if at := strings.IndexAny(name, special); at >= 0 {
			return path{}, fmt.Errorf(`the path %q: %q cannot stand in it; a path is keys joined by dots, arrays are counted from 0; a script can say msg:limit_key(value) instead`, text, name[at])
		}
	}
	return p, nil
}

// find is the value at p in m; one that does not exist is null.
func (p *path) find(m *core.Message) gjson.Result {
	json := m.Data
	switch p.root {
	case "headers":
		json = m.Headers
	case "to":
		json = m.To
	}
	if p.in == "" {
		return gjson.Parse(text(json))
	}
	if !container(json) {
		return gjson.Result{}
	}
	return gjson.Get(text(json), p.in)
}

// container reports whether json is an object or an array; gjson would look for
// one inside a string.
func container(json []byte) bool {
	for _, c := range json {
		switch c {
		case ' ', '\t', '\n', '\r':
		default:
			return c == '{' || c == '['
		}
	}
	return false
}

// text is b as a string, which is valid as long as b is.
func text(b []byte) string { return unsafe.String(unsafe.SliceData(b), len(b)) }
