package gateway

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
)

func TestABodyIsOneMessageOrSeveralOrRefused(t *testing.T) {
	f := func(body, want string) {
		t.Helper()
		got := ""
		messages, many, err := readPublication([]byte(body), 64)
		var p *server.Problem
		if errors.As(err, &p) {
			got = fmt.Sprintf("%d %s: %s", p.Status, p.Code, p.Detail)
		} else {
			got = fmt.Sprint(many)
			for _, m := range messages {
				got += fmt.Sprintf(" %s>%s:%s", m.ID, m.To, m.Data)
			}
		}
		if !strings.Contains(got, want) {
			t.Errorf("%.80s: got %s, want %s", body, got, want)
		}
	}
	f(`{"data":1,"to":"b","messageId":"m"}`, `false "m">"b":1`)
	f(` {"messages": [{"data":1}, {"data":{"messages":[]},"to":["b"]}]} `, `true >:1 >["b"]:{"messages":[]}`)
	f(`{"data":{"messages":1}}`, `false >:{"messages":1}`)
	f(``, "400 bad_json")
	f(`{"data":1`, "400 bad_json")
	f(`{"data":"`+"\xff"+`"}`, "400 bad_json: invalid UTF-8")
	f(`{"data":1,"data":2}`, "400 duplicate_key")
	f(strings.Repeat("[", 100), "400 too_deep")
	f(`[]`, "422 bad_message: a frame must be a JSON object")
	f(`[{"messages":[]}]`, "422 bad_message")
	f(`{}`, "422 bad_message: data is missing")
	f(`{"data":1,"prority":3}`, `422 bad_message: unknown member "prority"`)
	f(`{"data":1,"":3}`, `unknown member`)
	f(`{"data":1,"receipt":true}`, `422 bad_message: unknown member "receipt"`)
	f(`{"data":1,"type":4}`, `422 bad_message`)
	f(`{"data":"`+strings.Repeat("x", 64)+`"}`, "413 too_large: a message may have 64 bytes")
	f(`{"messages":[]}`, "422 limit: messages must hold 1 to 256")
	f(`{"messages":[`+strings.Repeat(`{"data":1},`, 256)+`{"data":1}]}`, "422 limit")
	f(`{"messages":[{"data":1}],"to":"b"}`, "422 bad_message: messages must be an array, and the only member")
	f(`{"messages":{"data":1}}`, "422 bad_message: messages must be an array")
	f(`{"messages":[{"data":1},7]}`, "422 bad_message: messages[1]: ")
	f(`{"messages":[{"data":1},{"data":1,"ttl":-1}]}`, "422 bad_message: messages[1]: ttl")
}

func TestAnAnswerHasAStatusThatFitsIt(t *testing.T) {
	f := func(code string, want int) {
		t.Helper()
		p := problemOf(&shard.Answer{Code: code})
		if p == nil || p.Status != want || p.Code != code && code != "" {
			t.Errorf("%s: got %+v, want %d", code, p, want)
		}
	}
	f("offline", 409)
	f("lost", 409)
	f("expired", 504)
	f("forbidden", 403)
	f("no_route", 422)
	f("dropped", 422)
	f("what_a_script_says", 422)
	f("stage_error", 500)
	f("overflow", 503)
	f("storage_full", 507)
	f("storage_failed", 503)
	f("rate_limited", 429)
	if p := problemOf(&shard.Answer{}); p == nil || p.Status != 504 || p.Code != "timeout" {
		t.Errorf("no answer: %+v", p)
	}
	if p := problemOf(&shard.Answer{Stored: "disk", Status: "queued"}); p != nil {
		t.Errorf("accepted: %+v", p)
	}
}

func FuzzReadPublication(f *testing.F) {
	f.Add([]byte(`{"data":1,"to":"b","messageId":"m"}`))
	f.Add([]byte(`{"messages":[{"data":1},{"data":[],"headers":{"a":"b"}}]}`))
	f.Add([]byte(`{"\u006dessages":[{"data":1}]}`))
	f.Fuzz(func(t *testing.T, body []byte) {
		messages, many, err := readPublication(body, 1<<10)
		if err != nil {
			var p *server.Problem
			if !errors.As(err, &p) || p.Status < 400 || p.Status > 499 || p.Code == "" || p.Detail == "" {
				t.Fatalf("%q: %v", body, err)
			}
			return
		}
		if len(messages) == 0 || len(messages) > MaxPublished || !many && len(messages) != 1 {
			t.Fatalf("%q: %d messages, %v", body, len(messages), many)
		}
		for _, m := range messages {
			if m.Data == nil || m.Size == 0 || m.Size > 1<<10 || m.Receipt || m.Type != 0 {
				t.Fatalf("%q: %+v", body, m)
			}
		}
	})
}
