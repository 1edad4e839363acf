package server

import (
	"net"
	"time"

	"github.com/valyala/fasthttp"
)

// noted are the routes whose use stands in the log, with the parameters of the query
// that are told: whatever changes something, and what shows what clients have sent
// or the scripts. What is published is traffic, and is not.
var noted = map[string][]string{
	"DELETE /v1/clients/{id}":                {"reason"},
	"PUT /v1/clients/{id}/groups/{group}":    nil,
	"DELETE /v1/clients/{id}/groups/{group}": nil,
	"GET /v1/clients/{id}/pending":           {"data"}, // with data=1 only
	"POST /v1/reload":                        {"gate"},
	"POST /v1/rollback":                      {"to"},
	"GET /v1/generations/{name}":             nil,
	"GET /v1/traffic":                        nil,
	"GET /v1/profile":                        {"seconds", "format"},
	"POST /v1/profile":                       {"seconds", "format"},
}

// maxNoted bounds what is told of a path or a parameter, in bytes.
const maxNoted = 300

// note writes into the log what who did on this route, when it is done.
func (s *Server) note(ctx *fasthttp.RequestCtx, rt *route, who *caller) {
	params, is := noted[rt.method+" "+rt.path]
	if !is || rt.path == "/v1/clients/{id}/pending" && string(ctx.QueryArgs().Peek("data")) != "1" {
		return
	}
	args := []any{"did", string(ctx.Method()) + " " + shortened(ctx.Path())}
	for _, name := range params {
		if value := ctx.QueryArgs().Peek(name); len(value) > 0 {
			args = append(args, name, shortened(value))
		}
	}
	args = append(args, "by", who.name, "with", who.with(), "remote", sentFrom(ctx), "status", ctx.Response.StatusCode())
	s.opt().Log.Info("an operator used the API", args...)
}

// turnedAway warns of a request that its key or token, if there is one, did not open
// the API for: one a minute, on each of the two sides. Nothing of the key is told but
// the name of one that is known.
func (s *Server) turnedAway(ctx *fasthttp.RequestCtx, who *caller, admin bool, code string) {
	gate, side := &s.turned[0], "public"
	if admin {
		gate, side = &s.turned[1], "admin"
	}
	missed, ok := gate.pass(time.Now())
	if !ok {
		return
	}
	args := []any{"wanted", string(ctx.Method()) + " " + shortened(ctx.Path()), "reason", code, "side", side}
	if who != nil {
		args = append(args, "by", who.name, "with", who.with())
	}
	s.opt().Log.Warn("a request to the API is refused", append(args, "remote", sentFrom(ctx), "unlogged", missed)...)
}

// sentFrom is where a request comes from.
func sentFrom(ctx *fasthttp.RequestCtx) string {
	if _, private := ctx.LocalAddr().(*net.UnixAddr); private {
		return "unix"
	}
	return ctx.RemoteAddr().String()
}

func shortened(text []byte) string { return string(text[:min(len(text), maxNoted)]) }
