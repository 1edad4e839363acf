package server

import (
	"bufio"
	"encoding/json"
	"errors"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
)

const (
	messages = "/v1/messages/"
	tail     = "/v1/tail"
)

// ErrBusy is wrapped by the error of an Options function that cannot serve one
// more.
var ErrBusy = errors.New("busy")

// Stream is an answer that goes on: it calls write with whole lines, until write
// fails since the client is gone, or there will be no more.
type Stream func(write func(lines []byte) error)

// message answers what is known of the messages with the id in the path. It takes
// the path as it came: an id may hold what a path must not.
func (s *Server) message(ctx *fasthttp.RequestCtx, path string) {
	id, err := url.PathUnescape(strings.TrimPrefix(path, messages))
	if err != nil || id == "" {
		problem(ctx, fasthttp.StatusBadRequest, "write "+messages+"ID, with what is no letter, digit or -_.~ in it percent-encoded")
		return
	}
	body, err := json.MarshalIndent(s.opt.Message(id, string(ctx.QueryArgs().Peek("client"))), "", "  ")
	if err != nil {
		problem(ctx, fasthttp.StatusInternalServerError, "encode the message: "+err.Error())
		return
	}
	answer(ctx, fasthttp.StatusOK, "application/json", append(body, '\n'))
}

// tail answers with a stream of JSON lines.
func (s *Server) tail(ctx *fasthttp.RequestCtx) {
	query, err := url.ParseQuery(string(ctx.URI().QueryString()))
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the query cannot be read: "+err.Error())
		return
	}
	stream, err := s.opt.Tail(query)
	switch {
	case errors.Is(err, ErrBusy):
		problem(ctx, fasthttp.StatusTooManyRequests, err.Error())
		return
	case err != nil:
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	ctx.SetContentType("application/x-ndjson")
	ctx.SetConnectionClose()
	ctx.Response.ImmediateHeaderFlush = true
	conn := ctx.Conn() // the stream must not touch ctx
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		stream(func(lines []byte) error {
			// The answer takes long, each of its lines must not.
			if err := conn.SetWriteDeadline(time.Now().Add(answerTimeout)); err != nil {
				return err
			}
			if _, err := w.Write(lines); err != nil {
				return err
			}
			return w.Flush()
		})
	})
}
