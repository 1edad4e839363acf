package lua

import (
	"fmt"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

const payload = `{"a":1,"s":"x","list":[10, 20,[]],"big":12345678901234567890,"n":null,"o":{"k":"v","a.b":2},"t":true,"f":1.5,"e":{}}`

// newMessage is a message as a shard hands it to the pipeline.
func newMessage() *core.Message {
	return &core.Message{
		From:    &core.Session{ID: "client-1", Remote: netip.MustParseAddr("192.0.2.7")},
		ID:      []byte(`"msg-\u0031"`),
		Data:    []byte(payload),
		Headers: []byte(`{"trace":"abc","x.y":"z"}`),
		To:      []byte(`{"group":"room"}`),
		Size:    99,
		TTL:     30, Priority: 2,
	}
}

// mustLoad loads files, given as name, text, name, text ...
func mustLoad(t testing.TB, opt Options, files ...string) *core.Generation {
	t.Helper()
	gen, err := tryLoad(opt, files...)
	if err != nil {
		t.Fatalf("load: %v", err)
	}
	return gen
}

func tryLoad(opt Options, files ...string) (*core.Generation, error) {
	src := Sources{}
	for i := 0; i < len(files); i += 2 {
		src[files[i]] = []byte(files[i+1])
	}
	if opt.Shards == 0 {
		opt.Shards = 1
	}
	if opt.Number == 0 {
		opt.Number = 7
	}
	return Load(src, opt)
}

// handle runs m through a pipeline of one function with this body.
func handle(t testing.TB, m *core.Message, body string) string {
	t.Helper()
	gen := mustLoad(t, Options{}, "main.lua", "local kept = {}\npipeline { function(msg)\n"+body+"\nend }\n")
	return describe(m, gen.Programs[0].Pipeline)
}

// describe runs m through p and says in one line what came of it.
func describe(m *core.Message, p *core.Pipeline) string {
	verdict, err := p.Run(m)
	if err != nil {
		return "error " + err.Error()
	}
	e := &m.Effects
	words := []string{verdict.String()}
	word := func(format string, args ...any) { words = append(words, fmt.Sprintf(format, args...)) }
	if verdict == core.Drop {
		word("%s: %s", e.Code, e.Reason)
		return strings.Join(words, " ")
	}
	for _, target := range e.Targets {
		word("%s:%s", target.Kind, target.Name)
	}
	if e.Own {
		word("own")
	}
	for _, reply := range e.Replies {
		word("reply=%s", reply)
	}
	for _, group := range e.Joins {
		word("join=%s", group)
	}
	for _, group := range e.Leaves {
		word("leave=%s", group)
	}
	if string(m.Data) != payload {
		word("data=%s", m.Data)
	}
	return strings.Join(words, " ")
}

// failure runs a message through a function with this body and returns the
// error of the script as it is logged.
func failure(t testing.TB, m *core.Message, body string) string {
	t.Helper()
	text := ""
	gen := mustLoad(t, Options{OnScriptError: func(_ string, e *ScriptError) { text = e.Error() }},
		"main.lua", "local kept = {}\npipeline { function(msg)\n"+body+"\nend }\n")
	if got := describe(m, gen.Programs[0].Pipeline); !strings.HasPrefix(got, "error script_error: the route script failed at main.lua:") {
		t.Errorf("%s: %s", body, got)
	}
	return text
}

// logLines is a slog handler's output, one line a record.
func logLines() (*slog.Logger, *strings.Builder) {
	var out strings.Builder
	return slog.New(slog.NewTextHandler(&out, &slog.HandlerOptions{Level: slog.LevelDebug, ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
		if a.Key == slog.TimeKey {
			return slog.Attr{}
		}
		return a
	}})), &out
}
