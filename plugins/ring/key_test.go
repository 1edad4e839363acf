package ring

import (
	"bytes"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// reference finds what stands at the keys in data, the slow way; nil when
// nothing does.
func reference(data []byte, keys []string) []byte {
	at := bytes.TrimSpace(data)
	for _, key := range keys {
		var object map[string]json.RawMessage
		var list []json.RawMessage
		switch {
		case at[0] == '{' && json.Unmarshal(at, &object) == nil:
			at = object[key]
		case at[0] == '[' && json.Unmarshal(at, &list) == nil:
			n, err := strconv.Atoi(key)
			if err != nil || n < 0 || n >= len(list) || strconv.Itoa(n) != key {
				return nil
			}
			at = list[n]
		default:
			return nil
		}
		if at == nil {
			return nil
		}
		at = bytes.TrimSpace(at)
	}
	if string(at) == "null" || len(at) > core.MaxConflateKey {
		return nil
	}
	return at
}

// paddedNumber is a key that gjson takes for a position, and JSON does not.
func paddedNumber(key string) bool {
	return strings.Trim(key, "0123456789") == "" && (len(key) > 9 || len(key) > 1 && key[0] == '0')
}

func FuzzKey(f *testing.F) {
	f.Add("data.symbol", []byte(`{"symbol":"EURUSD","bid":1}`))
	f.Add("data.a.b", []byte(` { "a" : { "b" : [ 1, "]" ] } } `))
	f.Add("data.1.s", []byte(`[{"s":1},{"s":{"}":"\""}}]`))
	f.Add("data.a", []byte(`"{\"a\":1}"`))
	f.Add("data.a.b", []byte(`{"a":"{\"b\":1}"}`))
	f.Add("data.sy", []byte(`{"\u0073y":"\u0041","x":null}`))
	f.Add("data.~:x", []byte(`{"~:x":-1.5e7}`))
	f.Add("data.a\\.b", []byte(`{"a.b":1}`))
	f.Add("data.-1", []byte(`[1]`))
	f.Add("data.99999999999999999999", []byte(`[1]`))
	f.Fuzz(func(t *testing.T, text string, data []byte) {
		path, err := pathInPayload(text)
		if err != nil || wire.NewParser().Valid(data) != nil {
			return
		}
		keys := strings.Split(path, ".")
		before := bytes.Clone(data)
		got, want := conflateKey(data, path), reference(data, keys)
		if slices.ContainsFunc(keys, paddedNumber) {
			want = got // which element it takes is not promised
		}
		if !bytes.Equal(got, want) || (got == nil) != (want == nil) {
			t.Errorf("%s in %s: got %q, want %q", text, data, got, want)
		}
		if !bytes.Equal(data, before) {
			t.Errorf("the payload %q became %q", before, data)
		}
	})
}
