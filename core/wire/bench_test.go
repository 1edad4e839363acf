package wire

import (
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

const typical = `{"type":0,"messageId":"msg-000001","to":"client-456","data":{"kind":"chat","urgent":false,"text":"hello from the other side of"}}`

func typicalMessage() *core.Message {
	return &core.Message{
		From: &core.Session{ID: "client-123"}, ID: []byte(`"msg-000001"`), Time: 1700000000123,
		Data: []byte(`{"kind":"chat","urgent":false,"text":"hello from the other side of"}`),
	}
}

func TestNothingAllocates(t *testing.T) {
	if raceEnabled {
		t.Skip("the race detector allocates")
	}
	f := func(name string, run func()) {
		t.Helper()
		if n := testing.AllocsPerRun(100, run); n != 0 {
			t.Errorf("%s allocates %v times", name, n)
		}
	}
	p := NewParser()
	var frame Frame
	parse := func(in string) func() {
		b := []byte(in)
		return func() {
			if fault := p.Parse(b, &frame); fault != nil {
				t.Fatal(*fault)
			}
		}
	}
	f("Parse of a typical message", parse(typical))
	f("Parse of escaped keys and IDs", parse(`{"type":0,"messageId":"\u0041","data":{"\n":1,"\t":{"\n":2}},"headers":{"a":"b"}}`))
	f("Parse of a large object", parse(`{"type":0,"data":`+objectOf(5000)+`}`))
	targets, names, scratch := make([]core.Target, 0, 4), make([]string, 0, 4), make([]byte, 0, 64)
	for _, to := range []string{`"client-456"`, `["a","\u0062"]`, `{"prefix":"desk-"}`, `{"group":"room:\u0031"}`} {
		b := []byte(to)
		f("ParseTargets of "+to, func() { targets, scratch, _ = ParseTargets(b, targets[:0], scratch[:0]) })
	}
	list := []byte(`["room:1","room:\u0032"]`)
	f("ParseNames", func() { names, scratch, _ = ParseNames(list, names[:0], scratch[:0]) })

	m, dst, id := typicalMessage(), make([]byte, 0, 512), []byte(`"m"`)
	f("AppendHead and AppendBody", func() { dst = AppendBody(AppendHead(dst[:0], 12345), m) })
	f("AppendReply", func() { dst = AppendReply(dst[:0], m, m.Data) })
	f("AppendAckCounts", func() { dst = AppendAckCounts(dst[:0], id, "memory", "delivered", Counts{1, 2, 3, 4, 5}) })
	f("AppendGroupsAck", func() { dst = AppendGroupsAck(dst[:0], id, TypeJoin, list) })
	f("AppendError", func() { dst = AppendError(dst[:0], id, "no_route", "no \"route\" \xff\n") })
	f("AppendGoodbye", func() { dst = AppendGoodbye(dst[:0], 1500, "drain") })
	gaps := []Gap{{Range{117, 131}, "expired"}}
	f("AppendGaps", func() { dst = AppendGaps(dst[:0], gaps) })
	f("AppendHello", func() { dst = AppendHello(dst[:0], 1, 2, 3, true, gaps) })
	also, ranges := []byte(`[[44,50],[60,61]]`), make([]Range, 0, 4)
	f("ParseRanges", func() { ranges, _ = ParseRanges(also, ranges[:0]) })
}

func BenchmarkParse(b *testing.B) {
	f := func(name, in string) {
		b.Run(name, func(b *testing.B) {
			p, data := NewParser(), []byte(in)
			var frame Frame
			b.SetBytes(int64(len(in)))
			b.ReportAllocs()
			for b.Loop() {
				if fault := p.Parse(data, &frame); fault != nil {
					b.Fatal(*fault)
				}
			}
		})
	}
	f("typical", typical)
	f("text-8k", `{"type":0,"data":"`+strings.Repeat("lorem ipsum ", 683)+`"}`)
	f("keys-1000", `{"type":0,"data":`+objectOf(1000)+`}`)
	f("keys-6000", `{"type":0,"data":`+objectOf(6000)+`}`)
	f("keys-24000", `{"type":0,"data":`+objectOf(24000)+`}`)
	f("small-objects", `{"type":0,"data":[{}`+strings.Repeat(`,{"id":1,"name":"x","at":{"x":1,"y":2}}`, 200)+`]}`)
}

func BenchmarkParseTargets(b *testing.B) {
	to, targets := []byte(`"client-456"`), make([]core.Target, 0, 1)
	for b.Loop() {
		targets, _, _ = ParseTargets(to, targets[:0], nil)
	}
}

func BenchmarkAppendMessage(b *testing.B) {
	m, dst := typicalMessage(), make([]byte, 0, 512)
	for b.Loop() {
		dst = AppendBody(AppendHead(dst[:0], 12345), m)
	}
}

func BenchmarkAppendAck(b *testing.B) {
	dst, id := make([]byte, 0, 512), []byte(`"msg-000001"`)
	for b.Loop() {
		dst = AppendAck(dst[:0], id, "memory", "delivered")
	}
}
