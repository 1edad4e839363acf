package server

import (
	_ "embed"

	"github.com/valyala/fasthttp"
)

// openAPIDocument describes the API to programs; a test holds it against the
// routes, and against what a gateway answers.
//
//go:embed openapi.json
var openAPIDocument []byte

func (s *Server) openAPI(ctx *fasthttp.RequestCtx) {
	answer(ctx, fasthttp.StatusOK, "application/json", openAPIDocument)
}
