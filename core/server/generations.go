package server

import (
	"net/url"
	"strings"

	"github.com/valyala/fasthttp"
)

const (
	generations = "/v1/generations"
	rollback    = "/v1/rollback"
	recorded    = "/v1/traffic"
)

// serveScripts answers what is asked about generations and about the traffic that
// scripts can be run against; false if the path is another one.
func (s *Server) serveScripts(ctx *fasthttp.RequestCtx, path string) bool {
	switch {
	case path == generations:
		if allow(ctx, fasthttp.MethodGet, fasthttp.MethodHead) {
			s.writeJSON(ctx, s.opt.Generations())
		}
	case strings.HasPrefix(path, generations+"/"):
		if allow(ctx, fasthttp.MethodGet, fasthttp.MethodHead) {
			s.generation(ctx, strings.TrimPrefix(path, generations+"/"))
		}
	case path == rollback:
		if allow(ctx, fasthttp.MethodPost) {
			s.rollBack(ctx)
		}
	case path == recorded:
		if allow(ctx, fasthttp.MethodGet) {
			s.stream(ctx, s.opt.Traffic)
		}
	default:
		return false
	}
	return true
}

// generation answers with the files of a generation.
func (s *Server) generation(ctx *fasthttp.RequestCtx, name string) {
	files, err := s.opt.Generation(name)
	if err != nil {
		problem(ctx, fasthttp.StatusNotFound, err.Error())
		return
	}
	s.writeJSON(ctx, files)
}

// rollBack answers with the status after it.
func (s *Server) rollBack(ctx *fasthttp.RequestCtx) {
	if err := s.opt.RollBack(string(ctx.QueryArgs().Peek("to"))); err != nil {
		problem(ctx, fasthttp.StatusConflict, err.Error())
		return
	}
	s.writeStatus(ctx)
}

// queryOf reads the query; false if it has answered what is wrong with it.
func queryOf(ctx *fasthttp.RequestCtx) (query url.Values, ok bool) {
	query, err := url.ParseQuery(string(ctx.URI().QueryString()))
	if err != nil {
		problem(ctx, fasthttp.StatusBadRequest, "the query cannot be read: "+err.Error())
	}
	return query, err == nil
}
