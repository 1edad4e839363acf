package wire

import (
	"encoding/json"
	"math"
	"testing"

	"github.com/stratix-gateway/stratix/core"
)

func TestFramesOfTheGateway(t *testing.T) {
	f := func(got []byte, want string) {
		t.Helper()
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not valid JSON", got)
		}
	}
	id := []byte(`"msg-001"`)
	f(AppendAck(nil, id, "memory", "delivered"), `{"type":1,"messageId":"msg-001","stored":"memory","status":"delivered"}`)
	f(AppendAck(nil, nil, "disk", "queued"), `{"type":1,"stored":"disk","status":"queued"}`)
	f(AppendAckCounts(nil, id, "memory", "delivered", Counts{}), `{"type":1,"messageId":"msg-001","stored":"memory","status":"delivered"}`)
	f(AppendAckCounts(nil, id, "memory", "queued", Counts{1, 2, 3, math.MaxUint32, 9}),
		`{"type":1,"messageId":"msg-001","stored":"memory","status":"queued","delivered":1,"queued":2,"offline":3,"refused":4294967295}`)
	f(AppendAckCounts(nil, id, "memory", "delivered", Counts{Delivered: 7, Refused: 1}),
		`{"type":1,"messageId":"msg-001","stored":"memory","status":"delivered","delivered":7,"refused":1}`)
	f(AppendGroupsAck(nil, id, TypeJoin, []byte(`["room:1"]`)), `{"type":1,"messageId":"msg-001","joined":["room:1"]}`)
	f(AppendGroupsAck(nil, nil, TypeLeave, []byte(`["a", "b"]`)), `{"type":1,"left":["a", "b"]}`)
	f(AppendError(nil, id, "no_route", `no "target"`), `{"type":2,"messageId":"msg-001","code":"no_route","error":"no \"target\""}`)
	f(AppendError(nil, nil, "bad_json", "x\xff"), `{"type":2,"code":"bad_json","error":"x\ufffd"}`)
	f(AppendRetry(nil, id, "rate_limited", "slowly", 1500), `{"type":2,"messageId":"msg-001","code":"rate_limited","error":"slowly","retryAfter":1500}`)
	f(AppendPong(nil), `{"type":5}`)
	f(AppendExpires(nil, nil, 1700000000000), `{"type":10,"expires":1700000000000}`)
	f(AppendExpires(nil, []byte(`"m"`), 0), `{"type":10,"messageId":"m","expires":0}`)
	f(AppendGoodbye(nil, 1500, "drain"), `{"type":6,"retryAfter":1500,"reason":"drain"}`)
	gaps := []Gap{{Range{117, 131}, "expired"}, {Range{140, 140}, "overflow"}}
	f(AppendGaps(nil, gaps[:1]), `{"type":7,"gaps":[[117,131,"expired"]]}`)
	f(AppendGaps(nil, gaps), `{"type":7,"gaps":[[117,131,"expired"],[140,140,"overflow"]]}`)
	f(AppendHello(nil, 0xab, 3, 9, true, nil), `{"type":3,"epoch":"00000000000000ab","seq":3,"last":9,"recovered":true}`)
	f(AppendHello(nil, math.MaxUint64, 0, 0, false, gaps[1:]), `{"type":3,"epoch":"ffffffffffffffff","seq":0,"last":0,"recovered":false,"gaps":[[140,140,"overflow"]]}`)
}

func TestMessagesOfTheGateway(t *testing.T) {
	f := func(body []byte, want string) {
		t.Helper()
		got := append(AppendHead(nil, 42), body...)
		if string(got) != want {
			t.Errorf("got %s, want %s", got, want)
		}
		if !json.Valid(got) {
			t.Errorf("%s is not valid JSON", got)
		}
	}
	m := &core.Message{From: &core.Session{ID: `c"1`}, Data: []byte(`{"a":[]}`), Time: 1700000000123}
	f(AppendBody(nil, m), `{"type":0,"seq":42,"from":"c\"1","data":{"a":[]},"ts":1700000000123}`)
	f(AppendReply(nil, m, []byte(`"pong"`)), `{"type":0,"seq":42,"data":"pong","ts":1700000000123}`)
	m.ID, m.Headers = []byte(`"m"`), []byte(`{"h":"v"}`)
	f(AppendBody(nil, m), `{"type":0,"seq":42,"from":"c\"1","messageId":"m","data":{"a":[]},"ts":1700000000123,"headers":{"h":"v"}}`)
	f(AppendReply(nil, m, []byte(`null`)), `{"type":0,"seq":42,"messageId":"m","data":null,"ts":1700000000123}`)
}

func TestHeadSizeIsWhatAppendHeadAppends(t *testing.T) {
	f := func(seq uint64) {
		t.Helper()
		if got, want := HeadSize(seq), len(AppendHead(nil, seq)); got != want {
			t.Errorf("HeadSize(%d) = %d, want %d", seq, got, want)
		}
	}
	f(0)
	f(math.MaxUint64)
	for n, i := uint64(1), 0; i < 20; n, i = n*10, i+1 {
		f(n - 1)
		f(n)
	}
}
