package server

import (
	"bytes"
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core/apikey"
)

const eventStream = "text/event-stream"

// tail follows messages, as lines or as server-sent events.
func (s *Server) tail(ctx *fasthttp.RequestCtx, who *caller) {
	s.stream(ctx, who, func(query url.Values) (Stream, error) { return s.opt().Tail(query, who.scopes.Has(apikey.Admin)) })
}

// live follows how the gateway is, as lines or as server-sent events.
func (s *Server) live(ctx *fasthttp.RequestCtx, who *caller) { s.stream(ctx, who, s.opt().Live) }

// wantsEvents reports whether the request asks for server-sent events.
func wantsEvents(ctx *fasthttp.RequestCtx) bool {
	for kind := range strings.SplitSeq(string(ctx.Request.Header.Peek(fasthttp.HeaderAccept)), ",") {
		kind, _, _ = strings.Cut(kind, ";")
		if strings.EqualFold(strings.TrimSpace(kind), eventStream) {
			return true
		}
	}
	return false
}

// appendEvents appends JSON lines as events; an empty line is a comment, which
// readers skip.
func appendEvents(dst, lines []byte) []byte {
	for line := range bytes.Lines(lines) {
		if line = bytes.TrimSuffix(line, []byte("\n")); len(line) == 0 {
			dst = append(dst, ":\n\n"...)
			continue
		}
		dst = append(dst, "data: "...)
		dst = append(dst, line...)
		dst = append(dst, "\n\n"...)
	}
	return dst
}
