package lua

import (
	"bytes"
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"
	"unsafe"

	"github.com/stratix-gateway/stratix/core/wire"
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

// inScript runs f below a protected call, as bindings run.
func inScript(in *instance, f func(L *glua.LState)) error {
	return in.vm.call(in.vm.L.NewFunction(func(L *glua.LState) int {
		f(L)
		return 0
	}), 0)
}

func newInstance(t testing.TB) *instance {
	t.Helper()
	gen := mustLoad(t, Options{Budget: 10_000_000}, "main.lua", "pipeline {}")
	return gen.Programs[0].Hooks.(hookCalls).in
}

// FuzzValue checks values that cross the border: JSON becomes Lua and JSON
// again without a change of meaning, and an edit changes nothing but what its
// path names.
func FuzzValue(f *testing.F) {
	for _, seed := range [][2]string{
		{payload, "a"}, {payload, "list.1"}, {payload, "list.3"}, {payload, "o.a\\.b"}, {payload, "list.2.0"}, {payload, "new.x.5"},
		{`[]`, "0"}, {`{ }`, "x"}, {` [ 1 , 2 ] `, "2"}, {`"text {"`, "x"}, {`1e999`, "0"}, {`-0`, "a"}, {`[1.0,1e2,9007199254740993]`, "1"},
		{`{"\u0061":1,"\ud800":"\udc00\u2028"}`, "a"}, {`{"":{"":[[],{}]}}`, "a"}, {`{"a,\"]":[{"b":","}],"-1":2}`, "-1"},
	} {
		f.Add([]byte(seed[0]), seed[1])
	}
	in := newInstance(f)
	f.Fuzz(func(t *testing.T, text []byte, keys string) {
		if in.parser.Valid(text) != nil {
			return
		}
		roundTrip(t, in, text)
		p, err := compilePath("data." + keys)
		if err != nil {
			return
		}
		checkEdit(t, in.parser, p, text)
	})
}

func roundTrip(t *testing.T, in *instance, text []byte) {
	var again []byte
	err := inScript(in, func(L *glua.LState) {
		again = bytes.Clone(in.encoder.encode(L, in.value(gjson.Parse(view(text)))))
	})
	if err != nil {
		var e *ScriptError
		if !errors.As(err, &e) || !e.Budget && !strings.Contains(e.Text, "nested deeper") {
			t.Fatalf("%s: %v", text, err)
		}
		return
	}
	if fault := in.parser.Valid(again); fault != nil {
		t.Fatalf("%s became %s: %s", text, again, fault.Text)
	}
	if got, want := meaning(t, again), meaning(t, text); got != want {
		t.Fatalf("%s\nbecame %s", want, got)
	}
}

// meaning is text in the one form of encoding/json, with numbers that no
// float64 holds as strings.
func meaning(t *testing.T, text []byte) string {
	d := json.NewDecoder(bytes.NewReader(text))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		t.Fatal(err)
	}
	out, err := json.Marshal(numbersAsScriptsSeeThem(v))
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func numbersAsScriptsSeeThem(v any) any {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		if err != nil || math.Abs(f) >= 1<<53 && !strings.ContainsAny(string(v), ".eE") {
			return string(v)
		}
		return f
	case []any:
		for i := range v {
			v[i] = numbersAsScriptsSeeThem(v[i])
		}
	case map[string]any:
		for k := range v {
			v[k] = numbersAsScriptsSeeThem(v[k])
		}
	}
	return v
}

func checkEdit(t *testing.T, parser *wire.Parser, p *path, text []byte) {
	before := bytes.Clone(text)
	found := p.find(view(text))
	edited, err := p.splice(text, []byte(`"new"`))
	if err == nil {
		if fault := parser.Valid(edited); fault != nil && fault.Code != wire.CodeTooDeep {
			t.Fatalf("set %s in %s gives %s: %s", p.text, text, edited, fault.Text)
		}
		if got := p.find(view(edited)); got.Raw != `"new"` {
			t.Fatalf("set %s in %s gives %s, which has %s there", p.text, text, edited, got.Raw)
		}
		if found.Exists() {
			if want := replaced(text, found.Raw, `"new"`); string(edited) != want {
				t.Fatalf("set %s in %s gives %s, not %s", p.text, text, edited, want)
			}
		} else if !contains(edited, text) {
			t.Fatalf("set %s in %s gives %s: more than an insertion", p.text, text, edited)
		}
	}
	if edited, err = p.cut(text); err == nil && edited != nil {
		if fault := parser.Valid(edited); fault != nil {
			t.Fatalf("del %s in %s gives %s: %s", p.text, text, edited, fault.Text)
		}
		if !contains(text, edited) {
			t.Fatalf("del %s in %s gives %s: more than a removal", p.text, text, edited)
		}
	}
	if (edited != nil) != (err == nil && found.Exists()) {
		t.Fatalf("del %s in %s: found %v, error %v", p.text, text, found.Exists(), err)
	}
	if !bytes.Equal(before, text) {
		t.Fatalf("the message's own bytes changed to %s", text)
	}
}

// replaced is text with the part that raw is a view of replaced.
func replaced(text []byte, raw, by string) string {
	at := uintptr(unsafe.Pointer(unsafe.StringData(raw))) - uintptr(unsafe.Pointer(unsafe.SliceData(text)))
	return string(text[:at]) + by + string(text[int(at)+len(raw):])
}

// contains reports whether short is long without one run of bytes.
func contains(long, short []byte) bool {
	n := 0
	for n < len(short) && n < len(long) && short[n] == long[n] {
		n++
	}
	return len(long) > len(short) && bytes.HasSuffix(long, short[n:])
}

func TestJSONFunctions(t *testing.T) {
	f := func(expr, want string) {
		t.Helper()
		if got := handle(t, newMessage(), "msg:reply("+expr+")"); got != "done reply="+want {
			t.Errorf("%s = %s, want %s", expr, got, want)
		}
	}
	f(`json.encode{1, "a", true, stratix.null, {x = 1.5}}`, `"[1,\"a\",true,null,{\"x\":1.5}]"`)
	f(`json.encode(stratix.array())`, `"[]"`)
	f(`json.encode{}`, `"{}"`)
	f(`json.encode(1e15)`, `"1000000000000000"`)
	f(`json.encode(2^60)`, `"1152921504606847000"`)
	f(`json.encode(1e300)`, `"1e+300"`)
	f(`json.encode(-0.000001)`, `"-0.000001"`)
	f(`json.encode("cut \195")`, `"\"cut \\ufffd\""`)
	f(`json.decode('{"a":[1,null]}').a`, `[1,null]`)
	f(`json.decode("[]")`, `[]`)
	f(`json.encode(json.decode("[[],{}]"))`, `"[[],{}]"`)
	f(`(json.decode("{"))`+` == nil`, `true`)
	f(`type(select(2, json.decode("{")))`, `"string"`)
	f(`(function() local l = json.decode("[1]") table.insert(l, 2) return l end)()`, `[1,2]`)
	f(`stratix.now() > 1700000000000`, `true`)
	f(`stratix.generation`, `7`)
	f(`stratix.shard`, `0`)
}

func TestJSONFunctionsRefuse(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		if got := failure(t, newMessage(), body); got != "main.lua:3: "+want {
			t.Errorf("%s: %s", body, got)
		}
	}
	f(`json.encode()`, `json.encode takes a value`)
	f(`json.encode(print)`, `a function has no JSON form; use stratix.null for null`)
	f(`json.encode(msg)`, `a userdata has no JSON form; use stratix.null for null`)
	f(`json.decode(5)`, `json.decode takes a text, not a number`)
	f(`stratix.array("x")`, `stratix.array takes a table, not a string`)
	f(`stratix.array(setmetatable({}, {}))`, `stratix.array: the table has a metatable of its own`)
	f(`json.encode(stratix.array{ x = 1 })`, `the table is an array of 0 that also has the key "x"; JSON knows arrays and objects, not both in one`)
	f(`getmetatable(stratix.array()).__index = print`, `the mark of JSON arrays cannot be changed`)
}

func TestRepeatedValuesAreBoxedOnce(t *testing.T) {
	b := newBoxes()
	f := func(want float64, use func()) {
		t.Helper()
		if got := testing.AllocsPerRun(100, use); got != want {
			t.Errorf("%v allocations, want %v", got, want)
		}
	}
	long := strings.Repeat("x", maxBoxed+1)
	f(0, func() { b.str("client-456") })
	f(0, func() { b.number(1700000000000) })
	f(0, func() { b.number(0.1) })
	f(2, func() { b.str(long) })

	text := []byte("abc")
	boxed := b.str(view(text))
	text[0] = 'X'
	if boxed != glua.LString("abc") {
		t.Errorf("the box aliases the message: %v", boxed)
	}
}

func BenchmarkBoxedString(b *testing.B) {
	boxes := newBoxes()
	for b.Loop() {
		boxes.str("client-456")
	}
}
