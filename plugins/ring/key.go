package ring

import (
	"fmt"
	"strings"
	"unicode/utf8"
	"unsafe"

	"github.com/stratix-gateway/stratix/core"
	"github.com/tidwall/gjson"
)

// special are the characters that mean something in a gjson path. They are
// refused: where it means something, gjson may allocate, and a script can take
// its key from anywhere.
const special = `*?|#@!()[]{}\`

// pathInPayload reads the setting key and returns it as a gjson path into the
// payload.
func pathInPayload(text string) (string, error) {
	if !utf8.ValidString(text) {
		return "", fmt.Errorf("the path %q is not valid UTF-8", text)
	}
	path, ok := strings.CutPrefix(text, "data.")
	if !ok {
		return "", fmt.Errorf("expected a path into the payload such as %q, got %.40q", "data.symbol", text)
	}
	for name := range strings.SplitSeq(path, ".") {
		if name == "" {
			return "", fmt.Errorf("the path %q has an empty key", text)
		}
		if at := strings.IndexAny(name, special); at >= 0 {
			return "", fmt.Errorf(`the path %q: %q cannot stand in it; a path is keys joined by dots, arrays are counted from 0; a script can say msg:overflow("conflate", key) instead`, text, name[at])
		}
	}
	return path, nil
}

// conflateKey is the value at path in data, one valid JSON value, as the bytes
// that stand there. It is nil where there is none, where it is null, and where
// it is too long for a key.
func conflateKey(data []byte, path string) []byte {
	if !container(data) {
		return nil
	}
	r := gjson.Get(unsafe.String(unsafe.SliceData(data), len(data)), path)
	if r.Type == gjson.Null || len(r.Raw) > core.MaxConflateKey {
		return nil
	}
	end := r.Index + len(r.Raw)
	return data[r.Index:end:end]
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
