package server

import (
	"net/url"

	"github.com/valyala/fasthttp"
)

func (s *Server) listGenerations(ctx *fasthttp.RequestCtx) { s.writeJSON(ctx, s.opt().Generations()) }

func (s *Server) traffic(ctx *fasthttp.RequestCtx, who *caller) { s.stream(ctx, who, s.opt().Traffic) }

// generation answers with the files of a generation.
func (s *Server) generation(ctx *fasthttp.RequestCtx) {
	raw, _ := ctx.UserValue("name").(string)
	name, err := url.PathUnescape(raw)
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the name in the path is not percent-encoded as it must be")
		return
	}
	files, err := s.opt().Generation(name)
	if err != nil {
		problem(ctx, fasthttp.StatusNotFound, err.Error())
		return
	}
	s.writeJSON(ctx, files)
}

// rollBack answers with the status after it.
func (s *Server) rollBack(ctx *fasthttp.RequestCtx) {
	q, ok := known(ctx, "to")
	if !ok {
		return
	}
	if err := s.opt().RollBack(q["to"]); err != nil {
		problem(ctx, fasthttp.StatusConflict, err.Error())
		return
	}
	s.writeStatus(ctx)
}
