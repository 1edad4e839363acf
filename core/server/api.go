package server

import (
	"net/url"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

// route is one method of one path of the API.
type route struct {
	method, path string
	scope        apikey.Scopes
	handle       func(s *Server, ctx *fasthttp.RequestCtx, who *caller)
}

// stays is a handler that does not ask who is calling.
func stays(h func(*Server, *fasthttp.RequestCtx)) func(*Server, *fasthttp.RequestCtx, *caller) {
	return func(s *Server, ctx *fasthttp.RequestCtx, _ *caller) { h(s, ctx) }
}

const (
	get    = fasthttp.MethodGet
	post   = fasthttp.MethodPost
	put    = fasthttp.MethodPut
	remove = fasthttp.MethodDelete
)

// routes are the API. openapi.json describes them. What shows payloads or the
// scripts needs admin.
var routes = []route{
	{get, "/v1/openapi.json", apikey.Publish | apikey.Read, stays((*Server).openAPI)},
	{get, "/v1/whoami", apikey.Publish | apikey.Read, (*Server).whoAmI},
	{post, publishPath, apikey.Publish, (*Server).publishHere},

	{get, "/v1/clients", apikey.Read, stays((*Server).listClients)},
	{get, "/v1/clients/{id}", apikey.Read, stays((*Server).client)},
	{remove, "/v1/clients/{id}", apikey.Admin, stays((*Server).disconnect)},
	{put, "/v1/clients/{id}/groups/{group}", apikey.Admin, stays((*Server).join)},
	{remove, "/v1/clients/{id}/groups/{group}", apikey.Admin, stays((*Server).leave)},
	{get, "/v1/clients/{id}/pending", apikey.Read, (*Server).pending},
	{get, "/v1/groups", apikey.Read, stays((*Server).listGroups)},

	{get, "/v1/status", apikey.Read, stays((*Server).writeStatus)},
	{get, "/v1/settings", apikey.Read, stays((*Server).writeSettings)},
	{get, "/v1/routes", apikey.Read, stays((*Server).listRoutes)},
	{post, "/v1/reload", apikey.Admin, stays((*Server).reload)},
	{post, "/v1/rollback", apikey.Admin, stays((*Server).rollBack)},
	{get, "/v1/generations", apikey.Read, stays((*Server).listGenerations)},
	{get, "/v1/generations/{name}", apikey.Admin, stays((*Server).generation)},

	{get, "/v1/messages/{id:*}", apikey.Read, (*Server).message},
	{get, "/v1/tail", apikey.Read, (*Server).tail},
	{get, "/v1/live", apikey.Read, (*Server).live},
	{get, "/v1/traffic", apikey.Admin, (*Server).traffic},
	{get, "/v1/profile", apikey.Admin, stays((*Server).profileScripts)},
	{post, "/v1/profile", apikey.Admin, stays((*Server).profileScripts)},

	{get, profiles + "{name:*}", apikey.Admin, stays((*Server).profileProcess)},
	{post, profiles + "{name:*}", apikey.Admin, stays((*Server).profileProcess)},
}

// streams are the paths whose answers do not end by themselves: HEAD has nothing
// to say of them.
var streams = map[string]bool{"/v1/tail": true, "/v1/live": true, "/v1/traffic": true, "/v1/profile": true}

// newRouter makes the router of the admin address. It takes paths as they came:
// names may hold what a path must not.
func (s *Server) newRouter() *router.Router {
	r := router.New()
	r.RedirectTrailingSlash, r.RedirectFixedPath = false, false
	r.NotFound = func(ctx *fasthttp.RequestCtx) {
		switch folder := string(ctx.Path()) + "/"; {
		case folder == profiles, folder == consolePath:
			ctx.Redirect(folder, fasthttp.StatusPermanentRedirect)
		case folder == "//" && (ctx.IsGet() || ctx.IsHead()):
			ctx.Redirect(consolePath, fasthttp.StatusFound)
		default:
			nothing(ctx)
		}
	}
	r.MethodNotAllowed = func(ctx *fasthttp.RequestCtx) {
		list := string(ctx.Response.Header.Peek(fasthttp.HeaderAllow))
		problem(ctx, fasthttp.StatusMethodNotAllowed, "this path takes "+list)
		ctx.Response.Header.Set(fasthttp.HeaderAllow, list)
	}
	r.GlobalOPTIONS = func(ctx *fasthttp.RequestCtx) { ctx.SetStatusCode(fasthttp.StatusNoContent) }
	for _, rt := range routes {
		h := func(ctx *fasthttp.RequestCtx) {
			if who := s.authorize(ctx, rt.scope, true); who != nil {
				rt.handle(s, ctx, who)
				s.note(ctx, &rt, who)
			}
		}
		r.Handle(rt.method, rt.path, h)
		if rt.method == get && !streams[rt.path] {
			r.Handle(fasthttp.MethodHead, rt.path, h)
		}
	}
	s.routeConsole(r)
	return r
}

func nothing(ctx *fasthttp.RequestCtx) {
	problem(ctx, fasthttp.StatusNotFound, "there is nothing at this path")
}

// pathName reads a ClientID or the name of a group in the path; false if it has
// answered what is wrong with it.
func pathName(ctx *fasthttp.RequestCtx, key string) (name string, ok bool) {
	raw, _ := ctx.UserValue(key).(string)
	name, err := url.PathUnescape(raw)
	wrong := core.CheckName(name, core.MaxClientID)
	switch {
	case err != nil:
		problem(ctx, fasthttp.StatusBadRequest, "the "+key+" in the path is not percent-encoded as it must be")
	case wrong != "":
		problem(ctx, fasthttp.StatusBadRequest, "the "+key+" in the path "+wrong)
	default:
		return name, true
	}
	return "", false
}
