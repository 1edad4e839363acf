package server

import (
	"encoding/json"
	"errors"
	"strconv"
	"time"

	"github.com/valyala/fasthttp"
)

// Problem is an error that a request ends with.
type Problem struct {
	Status int    // of HTTP
	Code   string // stable; "" takes that of the status
	Detail string
	// RetryAfter is after how long another try may do better; 0 for nothing to say.
	// The header has it in whole seconds.
	RetryAfter time.Duration
}

func (p *Problem) Error() string { return p.Detail }

// form is a problem as in RFC 9457. Code is what programs look at.
type form struct {
	Title     string          `json:"title"`
	Status    int             `json:"status"`
	Code      string          `json:"code"`
	Detail    string          `json:"detail"`
	MessageID json.RawMessage `json:"messageId,omitempty"` // of one message among several
	// RetryAfter is in milliseconds, as in an error frame.
	RetryAfter int64  `json:"retryAfter,omitempty"`
	RequestID  string `json:"requestId,omitempty"`
}

func (p *Problem) form() form {
	f := form{Title: fasthttp.StatusMessage(p.Status), Status: p.Status, Code: p.Code, Detail: p.Detail, RetryAfter: p.RetryAfter.Milliseconds()}
	if f.Code == "" {
		f.Code = codes[p.Status]
	}
	return f
}

// MarshalJSON writes p as in RFC 9457.
func (p *Problem) MarshalJSON() ([]byte, error) { return json.Marshal(p.form()) }

// MarshalFor writes p as the outcome of one message among several.
func (p *Problem) MarshalFor(messageID json.RawMessage) json.RawMessage {
	f := p.form()
	f.MessageID = messageID
	b, _ := json.Marshal(f) // an ID that was checked cannot fail
	return b
}

// codes are those of problems that have none of their own.
var codes = map[int]string{
	fasthttp.StatusBadRequest:                  "bad_request",
	fasthttp.StatusUnauthorized:                "unauthorized",
	fasthttp.StatusForbidden:                   "refused",
	fasthttp.StatusNotFound:                    "not_found",
	fasthttp.StatusMethodNotAllowed:            "method_not_allowed",
	fasthttp.StatusRequestTimeout:              "request_timeout",
	fasthttp.StatusConflict:                    "conflict",
	fasthttp.StatusRequestEntityTooLarge:       "too_large",
	fasthttp.StatusUnsupportedMediaType:        "unsupported_media_type",
	fasthttp.StatusUnprocessableEntity:         "rejected",
	fasthttp.StatusTooManyRequests:             "busy",
	fasthttp.StatusRequestHeaderFieldsTooLarge: "header_too_large",
	fasthttp.StatusInternalServerError:         "internal",
	fasthttp.StatusNotImplemented:              "not_implemented",
	fasthttp.StatusServiceUnavailable:          "unavailable",
	fasthttp.StatusGatewayTimeout:              "timeout",
	fasthttp.StatusHTTPVersionNotSupported:     "http_version",
}

// problem answers with an error that has the code of its status.
func problem(ctx *fasthttp.RequestCtx, status int, detail string) {
	fail(ctx, &Problem{Status: status, Detail: detail})
}

// fail answers with a problem; with the status 400 where err is none.
func fail(ctx *fasthttp.RequestCtx, err error) {
	var p *Problem
	if !errors.As(err, &p) {
		p = &Problem{Status: fasthttp.StatusBadRequest, Detail: err.Error()}
	}
	f := p.form()
	f.RequestID = string(ctx.Response.Header.Peek(requestID))
	if p.RetryAfter > 0 {
		ctx.Response.Header.Set(fasthttp.HeaderRetryAfter, strconv.FormatInt(int64((p.RetryAfter+time.Second-1)/time.Second), 10))
	}
	body, _ := json.Marshal(f) // cannot fail
	answer(ctx, p.Status, "application/problem+json", append(body, '\n'))
}
