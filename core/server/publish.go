package server

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

const publishPath = "/v1/publish"

// Wait is what an answer to a publication waits for.
type Wait uint8

// What there is to wait for, each more than the one before.
const (
	Accepted  Wait = iota // the acknowledgement that a client gets
	OnDisk                // the same, if it says that the message is on the disk or delivered
	Delivered             // the recipients have it
)

var waits = map[string]Wait{"accepted": Accepted, "disk": OnDisk, "delivered": Delivered}

// Publication is a request to publish.
type Publication struct {
	From   string // the ClientID that the messages are from
	Body   []byte // one message, or several; valid until the answer is returned
	Wait   Wait
	Within time.Duration // how long the answer may take
}

const (
	// publishBytes is the largest body of a publication, unless one message may be
	// larger.
	publishBytes = 1 << 20
	// bodyRest is for what is in a body beside its largest message.
	bodyRest = 4 << 10

	// maxPublishing bounds the bodies of all publications without an answer.
	maxPublishing = 64 << 20

	defaultWithin = 5 * time.Second
	maxWithin     = 60 * time.Second
)

// publishHere is publish on the admin address.
func (s *Server) publishHere(ctx *fasthttp.RequestCtx, who *caller) { s.publish(ctx, who, true) }

// publish hands the body on as what the caller publishes.
func (s *Server) publish(ctx *fasthttp.RequestCtx, who *caller, admin bool) {
	p, err := s.publication(ctx, who)
	if err != nil {
		if wrong := (*Problem)(nil); errors.As(err, &wrong) && wrong.Code == noScope {
			s.turnedAway(ctx, who, admin, noScope)
		}
		fail(ctx, err)
		return
	}
	if !s.opt().Ready() {
		fail(ctx, &Problem{Status: fasthttp.StatusServiceUnavailable, Code: "draining", RetryAfter: 5 * time.Second, Detail: "the gateway takes no messages at the moment"})
		return
	}
	size := int64(len(p.Body))
	defer s.publishing.Add(-size)
	if s.publishing.Add(size) > maxPublishing {
		fail(ctx, &Problem{Status: fasthttp.StatusServiceUnavailable, Code: "overloaded", RetryAfter: 1 * time.Second, Detail: "too much of what is published has no answer yet"})
		return
	}
	status, outcome, err := s.opt().Publish(p)
	if err != nil {
		fail(ctx, err)
		return
	}
	body, err := json.Marshal(outcome)
	if err != nil {
		problem(ctx, fasthttp.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	answer(ctx, status, "application/json", append(body, '\n'))
}

// publication reads a request to publish.
func (s *Server) publication(ctx *fasthttp.RequestCtx, who *caller) (p Publication, err error) {
	kind, _, _ := bytes.Cut(ctx.Request.Header.ContentType(), []byte(";"))
	if !bytes.EqualFold(bytes.TrimSpace(kind), []byte("application/json")) {
		return p, &Problem{Status: fasthttp.StatusUnsupportedMediaType, Detail: "send JSON, with Content-Type: application/json"}
	}
	if len(ctx.Request.Header.Peek(fasthttp.HeaderContentEncoding)) > 0 {
		return p, &Problem{Status: fasthttp.StatusUnsupportedMediaType, Detail: "send the body without a Content-Encoding"}
	}
	q, err := readQuery(ctx, "wait", "timeout", "from")
	if err != nil {
		return p, err
	}
	p = Publication{From: who.sender, Body: ctx.PostBody(), Within: defaultWithin}
	if text, given := q["wait"]; given {
		var ok bool
		if p.Wait, ok = waits[text]; !ok {
			return p, fmt.Errorf("wait must be accepted, disk or delivered, not %q", text)
		}
	}
	if text, given := q["timeout"]; given {
		p.Within, err = time.ParseDuration(text)
		if err != nil || p.Within <= 0 || p.Within > maxWithin {
			return p, fmt.Errorf("timeout must be a duration up to %v such as 5s, not %q", maxWithin, text)
		}
	}
	if from, given := q["from"]; given {
		if wrong := core.CheckName(from, core.MaxClientID); wrong != "" {
			return p, fmt.Errorf("from %s", wrong)
		}
		if from != who.sender && !who.scopes.Has(apikey.Admin) {
			return p, &Problem{Status: fasthttp.StatusForbidden, Code: noScope, Detail: "from=" + from + " needs the scope admin: who calls publishes as " + who.sender}
		}
		p.From = from
	}
	return p, nil
}

// room says how large the body of a request may be, before it is read: one that
// publishes may be large, on the public address only with the key to do so.
func (s *Server) room(admin bool) func(*fasthttp.RequestHeader) fasthttp.RequestConfig {
	return func(h *fasthttp.RequestHeader) (c fasthttp.RequestConfig) {
		path, _, _ := bytes.Cut(h.RequestURI(), []byte("?"))
		if string(path) != publishPath || !h.IsPost() {
			return c
		}
		who := &operator
		if !admin {
			if !s.opt().PublicPublish {
				return c
			}
			var err error
			if who, err = s.identify(h, nil, false); err != nil {
				return c
			}
		}
		if who.scopes.Has(apikey.Publish) {
			c.MaxRequestBodySize = max(publishBytes, s.opt().MaxMessage+bodyRest)
		}
		return c
	}
}
