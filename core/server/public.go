package server

import (
	"errors"
	"fmt"
	"os"
	"runtime/debug"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core/apikey"
)

func (s *Server) servePublic(ctx *fasthttp.RequestCtx) {
	if string(ctx.Path()) == "/ws" {
		s.upgrade(ctx)
		return
	}
	if s.serveCommon(ctx, false) {
		return
	}
	nameRequest(ctx)
	if s.opt().PublicPublish && string(ctx.Path()) == publishPath {
		s.publishPublic(ctx)
	} else {
		nothing(ctx)
	}
}

// publishPublic takes what strangers publish, if they have a key.
func (s *Server) publishPublic(ctx *fasthttp.RequestCtx) {
	if ctx.IsOptions() {
		ctx.Response.Header.Set(fasthttp.HeaderAllow, fasthttp.MethodOptions+", "+post)
		ctx.SetStatusCode(fasthttp.StatusNoContent)
		return
	}
	if !allow(ctx, post) {
		return
	}
	if who := s.authorize(ctx, apikey.Publish, false); who != nil {
		s.publish(ctx, who, false)
	}
}

// serveCommon answers what is on both listeners. It reports whether the path
// was one of these.
func (s *Server) serveCommon(ctx *fasthttp.RequestCtx, admin bool) bool {
	path := string(ctx.Path())
	switch {
	case path == "/metrics" && (admin || s.opt().PublicMetrics), path == "/healthz", path == "/readyz":
	default:
		return false
	}
	if !allow(ctx, fasthttp.MethodGet, fasthttp.MethodHead) {
		return true
	}
	switch {
	case path == "/metrics":
		ctx.SetContentType("text/plain; version=0.0.4; charset=utf-8")
		s.opt().Metrics(ctx, admin)
	case path == "/readyz" && !s.opt().Ready():
		answer(ctx, fasthttp.StatusServiceUnavailable, "text/plain", []byte("not ready\n"))
	default:
		answer(ctx, fasthttp.StatusOK, "text/plain", []byte("ok\n"))
	}
	return true
}

// allow reports whether the request's method is one of these, and answers 405
// otherwise.
func allow(ctx *fasthttp.RequestCtx, methods ...string) bool {
	list := ""
	for _, m := range methods {
		if string(ctx.Method()) == m {
			return true
		}
		if list != "" {
			list += ", "
		}
		list += m
	}
	problem(ctx, fasthttp.StatusMethodNotAllowed, "this path takes "+list)
	ctx.Response.Header.Set(fasthttp.HeaderAllow, list)
	return false
}

func answer(ctx *fasthttp.RequestCtx, status int, contentType string, body []byte) {
	ctx.SetStatusCode(status)
	ctx.SetContentType(contentType)
	ctx.SetBody(body)
}

// badRequest answers what could not be read as a request.
func badRequest(ctx *fasthttp.RequestCtx, err error) {
	var tooLarge *fasthttp.ErrSmallBuffer
	switch {
	case errors.Is(err, os.ErrDeadlineExceeded):
		problem(ctx, fasthttp.StatusRequestTimeout, "the request did not arrive in time")
	case errors.As(err, &tooLarge):
		problem(ctx, fasthttp.StatusRequestHeaderFieldsTooLarge, fmt.Sprintf("the request line and the headers are larger than %d bytes", headerBytes))
	case errors.Is(err, fasthttp.ErrBodyTooLarge):
		problem(ctx, fasthttp.StatusRequestEntityTooLarge, "the body is larger than this path takes, or without a key that may publish")
	default:
		problem(ctx, fasthttp.StatusBadRequest, "this is not a valid HTTP request")
	}
}

// answering is around each handler. While it runs, and while a stream is written,
// the connection makes way for nobody. What may be read in several ways does not reach it, and a panic in it
// does not end the process, which fasthttp would let it do.
func (s *Server) answering(h fasthttp.RequestHandler) fasthttp.RequestHandler {
	return func(ctx *fasthttp.RequestCtx) {
		if c, ok := ctx.Conn().(*conn); ok {
			c.waiting.move(c, &c.waiting.answering)
			defer func() {
				// A stream begins when the handler has ended, and the connection ends with it.
				if !ctx.Hijacked() && !ctx.Response.IsBodyStream() {
					c.waiting.move(c, &c.waiting.reading)
				}
			}()
		}
		defer func() {
			if p := recover(); p != nil {
				s.opt().Log.Error("panic while answering a request", "path", string(ctx.Path()), "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				ctx.Response.Reset()
				problem(ctx, fasthttp.StatusInternalServerError, "the gateway failed to answer; its log says more")
			}
		}()
		if status, wrong := ambiguous(&ctx.Request.Header); wrong != "" {
			problem(ctx, status, wrong)
			ctx.SetConnectionClose()
			return
		}
		h(ctx)
	}
}
