package server

import (
	"bufio"
	"errors"
	"net"
	"net/url"
	"strings"
	"time"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core/apikey"
)

const messages = "/v1/messages/"

// ErrBusy is wrapped by the error of an Options function that cannot serve one
// more.
var ErrBusy = errors.New("busy")

// Stream is an answer that goes on: it calls write with whole lines, until write
// fails since the client is gone, or there will be no more.
type Stream func(write func(lines []byte) error)

// message answers what is known of the messages with the id in the path. It takes
// the path as it came: an id may hold what a path must not.
func (s *Server) message(ctx *fasthttp.RequestCtx, who *caller) {
	id, err := url.PathUnescape(strings.TrimPrefix(string(ctx.URI().PathOriginal()), messages))
	if err != nil || id == "" {
		problem(ctx, fasthttp.StatusBadRequest, "write "+messages+"ID, with what is no letter, digit or -_.~ in it percent-encoded")
		return
	}
	q, ok := known(ctx, "client")
	if !ok {
		return
	}
	s.writeJSON(ctx, s.opt().Message(id, q["client"], who.scopes.Has(apikey.Admin)))
}

// errEnded ends a stream.
var errEnded = errors.New("the key was revoked, or the token has expired")

// stream answers with a stream of JSON lines, or of events if those are asked for.
// It ends when the key is revoked, or the token expires, that it was opened with.
func (s *Server) stream(ctx *fasthttp.RequestCtx, who *caller, open func(url.Values) (Stream, error)) {
	query, ok := queryOf(ctx)
	if !ok {
		return
	}
	stream, err := open(query)
	switch {
	case errors.Is(err, ErrBusy):
		problem(ctx, fasthttp.StatusTooManyRequests, err.Error())
		return
	case err != nil:
		problem(ctx, fasthttp.StatusBadRequest, err.Error())
		return
	}
	events := wantsEvents(ctx)
	ctx.SetContentType("application/x-ndjson")
	if events {
		ctx.SetContentType(eventStream)
		ctx.Response.Header.Set(fasthttp.HeaderCacheControl, "no-store")
	}
	ctx.SetConnectionClose()
	ctx.Response.ImmediateHeaderFlush = true
	conn, down := ctx.Conn(), ctx.Done() // the stream must not touch ctx
	ctx.SetBodyStreamWriter(func(w *bufio.Writer) {
		ended := make(chan struct{})
		defer close(ended)
		go closeAfter(down, ended, conn)
		var event []byte
		stream(func(lines []byte) error {
			if !s.still(who) {
				return errEnded
			}
			if events {
				event = appendEvents(event[:0], lines)
				lines = event
			}
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

// closeAfter closes conn a moment after down, unless it has ended: a reader that
// has stopped must not hold up a shutdown.
func closeAfter(down, ended <-chan struct{}, conn net.Conn) {
	select {
	case <-ended:
		return
	case <-down:
	}
	select {
	case <-ended:
	case <-time.After(requestGrace):
		_ = conn.Close()
	}
}
