package gateway

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/tidwall/gjson"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/ruling"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/wire"
)

// MaxPublished bounds the messages of one publication.
const MaxPublished = 256

// Acknowledged is what is told of a published message that was accepted: what a
// client's acknowledgement says, and the replies of the pipeline.
type Acknowledged struct {
	MessageID json.RawMessage `json:"messageId,omitempty"`
	Stored    string          `json:"stored"`
	Status    string          `json:"status"`
	// Of several recipients:
	Delivered uint32 `json:"delivered,omitempty"`
	Queued    uint32 `json:"queued,omitempty"`
	Offline   uint32 `json:"offline,omitempty"`
	Refused   uint32 `json:"refused,omitempty"`

	Replies []json.RawMessage `json:"replies,omitempty"`
	Cut     bool              `json:"repliesCut,omitempty"` // there were more than an answer holds
}

// Results is what is told of several published messages: for each, in their
// order, an Acknowledged or a Problem.
type Results struct {
	Results []json.RawMessage `json:"results"`
}

// publish runs what was published through the pipeline.
func (g *Gateway) publish(p server.Publication) (status int, outcome any, err error) {
	messages, many, err := readPublication(p.Body, g.opt().MaxMessage)
	if err != nil {
		return 0, nil, err
	}
	ctx, cancel := context.WithTimeout(g.ending, p.Within)
	defer cancel()
	pub := &shard.Publication{From: core.Session{ID: p.From}, Messages: messages, Delivered: p.Wait == server.Delivered}
	switch err := g.shards.Publish(ctx, pub); {
	case errors.Is(err, shard.ErrBusy):
		return 0, nil, &server.Problem{Status: http.StatusServiceUnavailable, Code: "overloaded", Detail: err.Error(), RetryAfter: 1 * time.Second}
	case err != nil:
		return 0, nil, &server.Problem{Status: http.StatusServiceUnavailable, Code: "draining", Detail: err.Error(), RetryAfter: 5 * time.Second}
	}
	status = http.StatusOK
	all := Results{Results: make([]json.RawMessage, 0, len(messages))}
	for i := range messages {
		m := &messages[i]
		if problem := problemOf(&m.Answer); problem != nil {
			if !many {
				return 0, nil, problem
			}
			status = http.StatusMultiStatus
			all.Results = append(all.Results, problem.MarshalFor(m.ID))
			continue
		}
		if status == http.StatusOK && !reached(p.Wait, &m.Answer) {
			status = http.StatusAccepted
		}
		ack := acknowledged(m)
		if !many {
			return status, ack, nil
		}
		one, err := json.Marshal(ack)
		if err != nil {
			return 0, nil, err
		}
		all.Results = append(all.Results, one)
	}
	return status, &all, nil
}

// reached reports whether an acknowledgement says what was waited for.
func reached(w server.Wait, a *shard.Answer) bool {
	switch w {
	case server.OnDisk:
		return a.Stored == "disk" || a.Status == "delivered"
	case server.Delivered:
		return a.Status == "delivered"
	}
	return true
}

func acknowledged(m *shard.Published) *Acknowledged {
	a := &Acknowledged{MessageID: m.ID, Stored: m.Answer.Stored, Status: m.Answer.Status, Cut: m.Answer.Cut}
	if n := &m.Answer.Counts; m.Answer.Many {
		a.Delivered, a.Queued, a.Offline, a.Refused = n.Delivered, n.Queued, n.Offline, n.Refused
	}
	for _, r := range m.Answer.Replies {
		a.Replies = append(a.Replies, r)
	}
	return a
}

// statuses are those of HTTP for the codes that the gateway gives; for those of
// scripts it is 422.
var statuses = map[string]int{
	wire.CodeBadJSON:         http.StatusBadRequest,
	wire.CodeDuplicateKey:    http.StatusBadRequest,
	wire.CodeTooDeep:         http.StatusBadRequest,
	ruling.CodeForbidden:     http.StatusForbidden,
	ruling.CodeStageError:    http.StatusInternalServerError,
	"script_error":           http.StatusInternalServerError,
	ruling.Offline.Code:      http.StatusConflict,
	ruling.GivenUp.Code:      http.StatusConflict,
	ruling.Expired.Code:      http.StatusGatewayTimeout,
	ruling.Full.Code:         http.StatusServiceUnavailable,
	ruling.UpstreamFull.Code: http.StatusServiceUnavailable,
	"rate_limited":           http.StatusTooManyRequests,
	"storage_failed":         http.StatusServiceUnavailable,
	"storage_full":           http.StatusInsufficientStorage,
}

// problemOf is why a published message came to nothing; nil if it did not.
func problemOf(a *shard.Answer) *server.Problem {
	switch {
	case a.Code != "":
		p := &server.Problem{Status: http.StatusUnprocessableEntity, Code: a.Code, Detail: a.Text}
		if status, known := statuses[a.Code]; known {
			p.Status = status
		}
		if p.Status == http.StatusServiceUnavailable || p.Status == http.StatusInsufficientStorage || p.Status == http.StatusTooManyRequests {
			p.RetryAfter = time.Second
			if a.RetryAfter > 0 {
				p.RetryAfter = time.Duration(a.RetryAfter) * time.Millisecond
			}
		}
		return p
	case a.Status == "":
		return &server.Problem{Status: http.StatusGatewayTimeout, Code: "timeout",
			Detail: "there is no answer yet, and the message may still be delivered: send it again with the same messageId"}
	}
	return nil
}

var parsers = sync.Pool{New: func() any { return wire.NewParser() }}

// members are those that a published message may have.
var members = []string{"type", "messageId", "to", "data", "headers", "priority", "ttl"}

// readPublication reads a body: one message, or several under "messages", which
// are many then. One that is wrong refuses them all. They alias the body.
func readPublication(body []byte, most int) (messages []shard.Published, many bool, err error) {
	parser := parsers.Get().(*wire.Parser)
	defer parsers.Put(parser)
	if fault := parser.Valid(body); fault != nil {
		return nil, false, faulty("", fault)
	}
	raw := [][]byte{body}
	if list := gjson.GetBytes(body, "messages"); list.Exists() && gjson.ParseBytes(body).IsObject() {
		many = true
		if raw, err = elements(body, list); err != nil {
			return nil, false, err
		}
	}
	messages = make([]shard.Published, len(raw))
	for i, b := range raw {
		place := ""
		if many {
			place = fmt.Sprintf("messages[%d]: ", i)
		}
		if len(b) > most {
			return nil, false, &server.Problem{Status: http.StatusRequestEntityTooLarge, Code: "too_large", Detail: fmt.Sprintf("%sa message may have %d bytes", place, most)}
		}
		if fault := parser.Message(b, &messages[i].Frame); fault != nil {
			return nil, false, faulty(place, fault)
		}
		if name := strangeMember(b, members); name != "" {
			return nil, false, faulty(place, &wire.Fault{Code: wire.CodeBadMessage, Text: fmt.Sprintf("unknown member %.40q", name)})
		}
		messages[i].Size = len(b)
	}
	return messages, many, nil
}

// elements returns the messages in a list of them.
func elements(body []byte, list gjson.Result) (raw [][]byte, err error) {
	if !list.IsArray() || strangeMember(body, []string{"messages"}) != "" {
		return nil, faulty("", &wire.Fault{Code: wire.CodeBadMessage, Text: "messages must be an array, and the only member"})
	}
	list.ForEach(func(_, e gjson.Result) bool {
		raw = append(raw, []byte(e.Raw))
		return len(raw) <= MaxPublished
	})
	if len(raw) == 0 || len(raw) > MaxPublished {
		return nil, faulty("", &wire.Fault{Code: ruling.CodeLimit, Text: fmt.Sprintf("messages must hold 1 to %d of them", MaxPublished)})
	}
	return raw, nil
}

// strangeMember returns the name of a member of an object that is none of these;
// "" if there is none.
func strangeMember(object []byte, known []string) (name string) {
	gjson.ParseBytes(object).ForEach(func(key, _ gjson.Result) bool {
		if !slices.Contains(known, key.Str) {
			name = key.Str
			if name == "" {
				name = "(empty)"
			}
		}
		return name == ""
	})
	return name
}

// faulty refuses a body.
func faulty(place string, fault *wire.Fault) error {
	status, known := statuses[fault.Code]
	if !known {
		status = http.StatusUnprocessableEntity
	}
	return &server.Problem{Status: status, Code: fault.Code, Detail: place + fault.Text}
}
