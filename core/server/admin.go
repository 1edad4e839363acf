package server

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/pprof"
	"net/netip"
	"strings"
	"time"

	"github.com/valyala/fasthttp"
	"github.com/valyala/fasthttp/fasthttpadaptor"
)

const profiles = "/debug/pprof/"

func (s *Server) serveAdmin(ctx *fasthttp.RequestCtx) {
	nameRequest(ctx)
	if wrong := suspicious(ctx); wrong != "" {
		if missed, ok := s.suspicion.pass(time.Now()); ok {
			s.opt().Log.Warn("admin request refused", "path", string(ctx.Path()), "remote", ctx.RemoteAddr().String(), "reason", wrong, "unlogged", missed)
		}
		problem(ctx, fasthttp.StatusForbidden, wrong)
		return
	}
	if s.serveCommon(ctx, true) {
		return
	}
	s.api(ctx)
}

// reload answers with the status after it.
func (s *Server) reload(ctx *fasthttp.RequestCtx) {
	q, ok := known(ctx, "gate")
	if !ok {
		return
	}
	if err := s.opt().Reload(q["gate"]); err != nil {
		problem(ctx, fasthttp.StatusUnprocessableEntity, err.Error())
		return
	}
	s.writeStatus(ctx)
}

func (s *Server) writeStatus(ctx *fasthttp.RequestCtx) { s.writeJSON(ctx, s.opt().Status()) }

func (s *Server) writeJSON(ctx *fasthttp.RequestCtx, v any) {
	body, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		problem(ctx, fasthttp.StatusInternalServerError, "encode the answer: "+err.Error())
		return
	}
	answer(ctx, fasthttp.StatusOK, "application/json", append(body, '\n'))
}

// profileProcess serves what net/http/pprof does. Index also serves profiles by
// name.
func (s *Server) profileProcess(ctx *fasthttp.RequestCtx) {
	h := pprof.Index
	switch strings.TrimPrefix(string(ctx.Path()), profiles) {
	case "cmdline":
		h = pprof.Cmdline
	case "profile":
		h = pprof.Profile
	case "symbol":
		h = pprof.Symbol
	case "trace":
		h = pprof.Trace
	}
	fasthttpadaptor.NewFastHTTPHandler(http.HandlerFunc(h))(ctx)
}

// suspicious says why a request may come from elsewhere than this machine: a
// web page in the operator's browser, through a rebound name or a foreign
// origin, or anybody behind a proxy on this machine. "" is a fine request.
func suspicious(ctx *fasthttp.RequestCtx) string {
	h := &ctx.Request.Header
	host := string(h.Host())
	_, isTCP := ctx.LocalAddr().(*net.TCPAddr)
	if isTCP && !(localHost(host) && localHost(string(ctx.Host()))) {
		return "the Host header must be localhost or a loopback address"
	}
	for key, value := range h.All() {
		switch name := strings.ToLower(string(key)); {
		case forwarded(name):
			return "the request came through a proxy: it has the header " + string(key)
		case name == "origin" && !strings.EqualFold(string(value), "http://"+host):
			return "the request came from a page of another origin"
		case name == "sec-fetch-site" && string(value) != "same-origin" && string(value) != "none":
			return "the request came from a page of another site"
		}
	}
	return ""
}

// forwarded reports whether a header with this name is that of a proxy.
func forwarded(name string) bool {
	name = strings.ToLower(name)
	return name == "forwarded" || name == "via" || name == "x-real-ip" || strings.HasPrefix(name, "x-forwarded-")
}

// localHost reports whether the value of a Host header names this machine in a
// way that no name server can change.
func localHost(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.TrimSuffix(strings.TrimPrefix(host, "["), "]")
	if strings.EqualFold(host, "localhost") {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
