package wire

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

// slow is a slow second opinion on b, up to its first syntax error: whether an
// object has a key twice, and how deep the values nest.
func slow(b []byte) (duplicate bool, deepest int) {
	type open struct {
		keys  map[string]bool // nil for an array
		isKey bool
	}
	var stack []open
	d := json.NewDecoder(bytes.NewReader(b))
	d.UseNumber()
	for {
		token, err := d.Token()
		if err != nil {
			return duplicate, deepest
		}
		if token == json.Delim('}') || token == json.Delim(']') {
			stack = stack[:len(stack)-1]
			if len(stack) == 0 {
				return duplicate, deepest
			}
			continue
		}
		if n := len(stack); n > 0 && stack[n-1].keys != nil {
			top := &stack[n-1]
			if top.isKey {
				text := token.(string)
				duplicate = duplicate || top.keys[text]
				top.keys[text] = true
			}
			top.isKey = !top.isKey
		}
		switch token {
		case json.Delim('{'):
			stack = append(stack, open{map[string]bool{}, true})
		case json.Delim('['):
			stack = append(stack, open{})
		default:
			if len(stack) == 0 {
				return duplicate, deepest
			}
		}
		deepest = max(deepest, len(stack))
	}
}

// holds fails the test unless the code, "" for none, is a true statement on b.
func holds(t *testing.T, b []byte, code string) {
	t.Helper()
	duplicate, deepest := slow(b)
	valid := json.Valid(b)
	ok := valid && !duplicate && deepest <= MaxDepth // for "" and the faults of the envelope
	switch code {
	case CodeBadJSON:
		ok = !valid
	case CodeDuplicateKey:
		ok = duplicate
	case CodeTooDeep:
		ok = deepest > MaxDepth
	}
	if !ok {
		t.Errorf("%q: fault %q, but valid=%t duplicate=%t deepest=%d", b, code, valid, duplicate, deepest)
	}
}

func code(fault *Fault) string {
	if fault == nil {
		return ""
	}
	return fault.Code
}

func FuzzParse(f *testing.F) {
	p := NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		if !utf8.Valid(b) {
			if got := code(p.Valid(b)); got != CodeBadJSON {
				t.Errorf("Valid(%q) = %q, but it is not UTF-8", b, got)
			}
			return
		}
		given := bytes.Clone(b)
		holds(t, b, code(p.Valid(b)))
		var frame Frame
		fault := p.Parse(b, &frame)
		holds(t, b, code(fault))
		if !bytes.Equal(b, given) {
			t.Errorf("Parse changed %q to %q", given, b)
		}
		if fault != nil {
			if len(fault.Text) > 300 {
				t.Errorf("Parse(%q): the fault's text has %d bytes", b, len(fault.Text))
			}
			return
		}
		fields := map[string]json.RawMessage{}
		if err := json.Unmarshal(b, &fields); err != nil {
			t.Fatal(err)
		}
		read := func(name string, into any) {
			if raw, ok := fields[name]; ok {
				if err := json.Unmarshal(raw, into); err != nil {
					t.Errorf("%q: %s: %v", b, name, err)
				}
			}
		}
		same := func(name string, got []byte) {
			if want := fields[name]; !bytes.Equal(got, want) {
				t.Errorf("%q: %s is %q, want %q", b, name, got, want)
			}
		}
		kind := -1
		read("type", &kind)
		if frame.Type != kind {
			t.Errorf("%q: type is %d, want %d", b, frame.Type, kind)
		}
		same("messageId", frame.ID)
		switch frame.Type {
		case TypeMessage:
			same("data", frame.Data)
			if frame.To != nil || string(fields["to"]) != "null" {
				same("to", frame.To)
			}
			same("headers", frame.Headers)
			var headers map[string]string
			var ttl uint32
			var priority uint8
			var receipt bool
			read("headers", &headers)
			read("ttl", &ttl)
			read("priority", &priority)
			read("receipt", &receipt)
			if frame.TTL != ttl || frame.Priority != priority || frame.Receipt != receipt {
				t.Errorf("%q: got %s", b, show(&frame))
			}
		case TypeAck, TypeHello:
			var seq uint64
			read("seq", &seq)
			if frame.Seq != seq {
				t.Errorf("%q: seq is %d, want %d", b, frame.Seq, seq)
			}
		case TypeJoin, TypeLeave:
			same("groups", frame.Groups)
		case TypeRenew:
			same("token", frame.Token)
		}
	})
}

func FuzzTargets(f *testing.F) {
	p := NewParser()
	f.Fuzz(func(t *testing.T, b []byte) {
		targets, scratch, fault := ParseTargets(b, nil, nil)
		names, _, namesFault := ParseNames(b, nil, scratch)
		if !utf8.Valid(b) || len(b) == 0 || b[0] <= ' ' || p.Valid(b) != nil {
			return // neither promises more than not to panic
		}
		wanted := slowTargets(b)
		if (fault == nil) != (wanted != nil) {
			t.Fatalf("ParseTargets(%q): %v, want %v", b, fault, wanted)
		}
		if fault == nil && len(targets) != len(wanted) {
			t.Fatalf("ParseTargets(%q) = %v, want %v", b, targets, wanted)
		}
		for i := range wanted {
			if targets[i] != wanted[i] {
				t.Errorf("ParseTargets(%q)[%d] = %v, want %v", b, i, targets[i], wanted[i])
			}
		}
		isList := wanted != nil && b[0] == '[' && len(wanted) <= MaxGroups
		if (namesFault == nil) != isList {
			t.Fatalf("ParseNames(%q): %v", b, namesFault)
		}
		if isList {
			for i := range wanted {
				if names[i] != wanted[i].Name {
					t.Errorf("ParseNames(%q)[%d] = %q, want %q", b, i, names[i], wanted[i].Name)
				}
			}
		}
	})
}

// slowTargets reads targets by way of encoding/json; nil when there is a fault.
func slowTargets(b []byte) []core.Target {
	var value any
	if json.Unmarshal(b, &value) != nil {
		return nil
	}
	var targets []core.Target
	add := func(kind core.TargetKind, value any) bool {
		name, ok := value.(string)
		targets = append(targets, core.Target{Kind: kind, Name: name})
		return ok && core.CheckName(name, 128) == ""
	}
	switch value := value.(type) {
	case string:
		if add(core.ToClient, value) {
			return targets
		}
	case []any:
		for _, x := range value {
			if !add(core.ToClient, x) {
				return nil
			}
		}
		if len(targets) <= core.MaxTargets {
			return targets
		}
	case map[string]any:
		for key, kind := range map[string]core.TargetKind{"prefix": core.ToPrefix, "group": core.ToGroup} {
			if x, ok := value[key]; ok && len(value) == 1 && add(kind, x) {
				return targets
			}
		}
	}
	return nil
}

func FuzzAppendString(f *testing.F) {
	f.Fuzz(func(t *testing.T, s string) {
		raw := AppendString(nil, s)
		want := string([]rune(s)) // each byte that is not UTF-8 becomes U+FFFD
		var got string
		if err := json.Unmarshal(raw, &got); err != nil || got != want {
			t.Errorf("AppendString(%q) = %s: reads as %q, %v", s, raw, got, err)
		}
		if got := string(Unquote(nil, raw)); got != want {
			t.Errorf("Unquote(%s) = %q, want %q", raw, got, want)
		}
		if strings.ContainsAny(string(raw), "\u2028\u2029\n") {
			t.Errorf("AppendString(%q) = %s holds a line break", s, raw)
		}
		// As a raw JSON string, when it is one.
		if quoted := `"` + s + `"`; json.Unmarshal([]byte(quoted), &got) == nil && utf8.ValidString(s) {
			if text := string(Unquote(nil, []byte(quoted))); text != got {
				t.Errorf("Unquote(%s) = %q, want %q", quoted, text, got)
			}
		}
	})
}
