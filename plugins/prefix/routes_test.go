package prefix

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

// longest is what find must say, the slow way.
func longest(routes []route, id string) int32 {
	best := int32(-1)
	for i, r := range routes {
		if strings.HasPrefix(id, r.prefix) && (best < 0 || len(r.prefix) > len(routes[best].prefix)) {
			best = int32(i)
		}
	}
	return best
}

// encode writes routes as a file that reads back the same.
func encode(t *testing.T, routes []route) []byte {
	t.Helper()
	file := map[string][]any{}
	for _, r := range routes {
		for _, target := range r.targets {
			var v any = target.Kind.String()
			if target.Kind != core.ToSender {
				v = map[string]string{target.Kind.String(): target.Name}
			}
			file[r.prefix] = append(file[r.prefix], v)
		}
	}
	text, err := json.Marshal(file)
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func FuzzRoutes(f *testing.F) {
	f.Add([]byte(`{"client-": "sender", "desk-": {"group": "desks"}, "": {"prefix": "ops-"}}`), "client-1")
	f.Add([]byte(`{"a": "sender", "ab": [{"client": "x"}, "sender"], "abc": {"client": "y"}}`), "abb")
	f.Add([]byte(`{"a": {"client": "x", "client": "y"}}`), "a")
	f.Add([]byte(`{"a": "sender", "a": "sender"} {}`), "a")
	f.Add([]byte("{\"\\u00e9\": \"sender\",\n}"), "\xc3")
	f.Fuzz(func(t *testing.T, text []byte, id string) {
		routes, err := fromJSON("routes.json", text)
		if err != nil {
			var line int
			if n, _ := fmt.Sscanf(err.Error(), "routes.json:%d:", &line); n != 1 || line < 1 || line > 1+strings.Count(string(text), "\n") {
				t.Fatalf("the error names no line of the file: %v", err)
			}
			return
		}
		if !json.Valid(text) {
			t.Fatal("accepted what is not JSON")
		}
		x := newIndex(routes)
		back, err := fromJSON("routes.json", encode(t, x))
		if err != nil {
			t.Fatalf("written and read again: %v", err)
		}
		if again := newIndex(back); !reflect.DeepEqual(again, x) {
			t.Fatalf("written and read again:\n got %v\nwant %v", again, x)
		}
		for i, r := range x {
			if r.outer != longest(x[:i], r.prefix) {
				t.Fatalf("%q nests in route %d, want %d", r.prefix, r.outer, longest(x[:i], r.prefix))
			}
			if n := len(r.targets); n < 1 || n > maxTargets {
				t.Fatalf("%q has %d targets", r.prefix, n)
			}
		}
		cached := (&stage{index: x, entries: 2}).ForShard(0).(*stage)
		ids := []string{id}
		for _, r := range x {
			ids = append(ids, r.prefix, r.prefix+"0", r.prefix+"~", r.prefix+id, strings.TrimSuffix(r.prefix, "-"))
		}
		for _, id := range append(ids, ids...) {
			want := longest(x, id)
			if got := x.find(id); got != want {
				t.Fatalf("%q: found %d, want %d", id, got, want)
			}
			if got := cached.find(id); got != want {
				t.Fatalf("%q: remembered %d, want %d", id, got, want)
			}
		}
	})
}

// All words over a small alphabet, so that nearly every prefix nests in others.
func TestFindAgreesWithALinearSearch(t *testing.T) {
	var words []string
	for size := range 5 {
		for n := range 1 << (2 * size) {
			word := make([]byte, size)
			for i := range word {
				word[i] = "abc\xff"[n>>(2*i)&3]
			}
			words = append(words, string(word))
		}
	}
	for step := 1; step < 40; step++ {
		var routes []route
		for i := step % 7; i < len(words); i += step {
			routes = append(routes, route{prefix: words[i]})
		}
		x := newIndex(routes)
		for _, id := range words {
			if got, want := x.find(id), longest(x, id); got != want {
				t.Fatalf("every %dth of the words: %q: found %d, want %d", step, id, got, want)
			}
		}
	}
}

func BenchmarkHandle(b *testing.B) {
	table := map[string]any{}
	for i := range 1000 {
		table[fmt.Sprintf("site-%03d-", i)] = "sender"
	}
	routes, err := fromTable(table)
	if err != nil {
		b.Fatal(err)
	}
	x := newIndex(routes)
	f := func(name string, s core.Stage, sender string) {
		b.Run(name, func(b *testing.B) {
			m := coretest.Message(sender, `1`)
			b.ReportAllocs()
			for b.Loop() {
				m.Effects.Targets = m.Effects.Targets[:0]
				_, _ = s.Handle(m)
			}
		})
	}
	searched := &stage{index: x}
	cached := (&stage{index: x, entries: defaultCache}).ForShard(0)
	f("remembered", cached, "site-512-client-00042")
	f("remembered, no route", cached, "unknown-client-00042")
	f("searched", searched, "site-512-client-00042")
	f("searched, no route", searched, "unknown-client-00042")
}
