package upstream

import (
	"bytes"
	"encoding/json"
	"fmt"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

// A reply is a JSON object with a list "replies". Each item names a message of the
// post by its "from" and its "messageId", and has "data" for its sender, or a
// "status" if it is not delivered ("failed", "retry", with an "error"), or both.
// Messages that no item names are delivered.

// status is what an upstream says of one message.
type status uint8

const (
	hasTaken status = iota
	wantsAgain
	wantsNot
)

// result is what an upstream says of one message of a post.
type result struct {
	status  status
	reason  string
	replies [][]byte
}

// item is one of "replies".
type item struct {
	From      string          `json:"from"`
	MessageID *string         `json:"messageId"`
	Data      json.RawMessage `json:"data"`
	Status    string          `json:"status"`
	Error     string          `json:"error"`
}

const maxReason = 200 // bytes of an upstream's error

// results are what the reply says of each post of the batch; nil if it is none.
// What is wrong with it is in a.bad: the upstream has taken the batch anyway.
func (a *answer) results(batch []*core.Post) []result {
	text := bytes.TrimSpace(a.body)
	if len(text) == 0 || text[0] != '{' {
		return nil // such as "ok"
	}
	var reply struct {
		Replies []item `json:"replies"`
	}
	if !utf8.Valid(text) {
		a.bad = "its reply is not valid UTF-8"
		return nil
	}
	if err := json.Unmarshal(text, &reply); err != nil {
		a.bad = "its reply is not as expected: " + err.Error()
		return nil
	}
	if len(reply.Replies) == 0 {
		return nil
	}
	named := map[string]int{}
	for i := len(batch) - 1; i >= 0; i-- { // of two that are named alike the first
		named[nameOf(batch[i].From, batch[i].ID)] = i
	}
	all := make([]result, len(batch))
	for n := range reply.Replies {
		it := &reply.Replies[n]
		var id []byte
		if it.MessageID != nil {
			id, _ = json.Marshal(*it.MessageID)
		}
		i, known := named[nameOf(it.From, id)]
		if !known { // nobody else is written to for an upstream
			a.bad = fmt.Sprintf("it replied to a message that is not in the post (item %d)", n+1)
			continue
		}
		if why := all[i].take(it); why != "" {
			a.bad = fmt.Sprintf("%s (item %d)", why, n+1)
		}
	}
	return all
}

// nameOf makes one key of a sender and a messageId, which is a JSON string that
// may be escaped in other ways.
func nameOf(from string, id []byte) string {
	if len(id) == 0 {
		return from
	}
	var text string
	if json.Unmarshal(id, &text) != nil {
		return from
	}
	return from + "\x00" + text
}

// take adds an item; it says what is wrong with it, or "".
func (r *result) take(it *item) string {
	if it.Data != nil {
		r.replies = append(r.replies, it.Data)
	}
	reason := it.Error
	if reason == "" {
		reason = it.Status
	}
	if len(reason) > maxReason {
		reason = reason[:maxReason]
		for !utf8.ValidString(reason) {
			reason = reason[:len(reason)-1]
		}
	}
	switch it.Status {
	case "", "delivered":
	case "failed":
		r.status, r.reason = wantsNot, "it said: "+reason
	case "retry":
		if r.status != wantsNot {
			r.status, r.reason = wantsAgain, "it said: "+reason
		}
	default:
		return "the status of a reply is none of delivered, failed and retry"
	}
	return ""
}
