package upstream

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

func TestAReplySaysWhatCameOfEachMessage(t *testing.T) {
	f := func(reply, bad string, want ...string) {
		t.Helper()
		synctest.Test(t, func(t *testing.T) {
			n := 0
			var posts []string
			u := start(t, settings(t, map[string]any{"linger": "1ms", "retries": 1.0}), func(r *http.Request) (*http.Response, error) {
				posts = append(posts, fmt.Sprint(idsIn(r)))
				if n++; n > 1 {
					return says(200, "")
				}
				return says(200, reply)
			})
			o := newOwner()
			u.Offer(o.post("a", "1"))
			u.Offer(o.post("b", "1"))
			u.Offer(o.post("a", "2é"))
			equal(t, reply, o.wait(3), want...)
			if st := u.stats(); st.LastError != bad && bad != "" {
				t.Errorf("%s: %q, want %q", reply, st.LastError, bad)
			}
		})
	}
	all := []string{"a delivered after 1", "b delivered after 1", "a delivered after 1"}
	f("", "", all...)
	f("ok", "", all...)
	f("[1]", "", all...)
	f(`{"status":"ok"}`, "", all...)
	f(`{"replies":[{"from":"a","messageId":"1","data":{"n":1}},{"from":"a","messageId":"1","data":null}]}`, "",
		`a delivered after 1 reply {"n":1} reply null`, "b delivered after 1", "a delivered after 1")
	f(`{"replies":[{"from":"a","messageId":"2\u00e9","data":2,"status":"delivered"}]}`, "",
		"a delivered after 1", "b delivered after 1", "a delivered after 1 reply 2")
	f(`{"replies":[{"from":"b","messageId":"1","status":"failed","error":"sold out","data":"sorry"}]}`, "",
		"a delivered after 1", `b lost after 1: it said: sold out reply "sorry"`, "a delivered after 1")
	f(`{"replies":[{"from":"a","messageId":"1","status":"retry"}]}`, "",
		"b delivered after 1", "a delivered after 1", "a delivered after 2")

	// Nobody else is written to.
	f(`{"replies":[{"from":"c","messageId":"1","data":1}]}`, "it replied to a message that is not in the post (item 1)", all...)
	f(`{"replies":[{"messageId":"1","data":1},{"from":"a","data":1}]}`, "it replied to a message that is not in the post (item 2)", all...)
	// What is no reply is no reason to post again.
	f(`{"replies":`, "its reply is not as expected: unexpected end of JSON input", all...)
	f("{\"replies\":\"\xff\"}", "its reply is not valid UTF-8", all...)
	f(`{"replies":[{"from":"a","messageId":"1","status":"later"}]}`, "the status of a reply is none of delivered, failed and retry (item 1)", all...)
}

// FuzzReply holds the reader of replies to any bytes: it names only posts of the
// batch, and gives only JSON in UTF-8.
func FuzzReply(f *testing.F) {
	for _, seed := range []string{
		"", "ok", `{"replies":[{"from":"a","messageId":"1","data":[1]}]}`, `{"replies":[{"from":"a","messageId":"1","status":"retry","error":"\ud800"}]}`,
		`{"replies":{}}`, `{"replies":[null]}`, "{\"replies\":[{\"data\":\"\xff\"}]}", `{"replies":[{"from":"b","messageId":null,"data":1}]}`,
		strings.Repeat("[", 20000),
	} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		a := answer{body: body}
		batch := []*core.Post{{From: "a", ID: []byte(`"1"`)}, {From: "b"}}
		all := a.results(batch)
		if all != nil && len(all) != len(batch) {
			t.Fatalf("%d results", len(all))
		}
		for _, r := range all {
			if len(r.reason) > maxReason+20 || !utf8.ValidString(r.reason) {
				t.Errorf("reason %q", r.reason)
			}
			for _, data := range r.replies {
				if !validJSON(data) {
					t.Errorf("reply %q", data)
				}
			}
		}
	})
}
