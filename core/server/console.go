package server

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"fmt"
	"path"

	"github.com/fasthttp/router"
	"github.com/valyala/fasthttp"
)

// consolePath is where the console is: a page for operators, which asks the API
// for all that it shows. Its files hold no secrets and need no key.
const consolePath = "/console/"

//go:embed console
var consoleFiles embed.FS

// consolePolicy lets the page run its own scripts, and ask this address, and
// nothing else. Without trusted types no text can become markup: what clients are
// called is shown to operators.
const consolePolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self'; " +
	"frame-ancestors 'none'; base-uri 'none'; form-action 'none'; require-trusted-types-for 'script'; trusted-types 'none'"

// consoleTypes are the kinds of files that the console is made of.
var consoleTypes = map[string]string{
	".html": "text/html; charset=utf-8",
	".css":  "text/css; charset=utf-8",
	".js":   "text/javascript; charset=utf-8",
	".svg":  "image/svg+xml",
}

// page is one file of the console.
type page struct {
	body      []byte
	mediaType string
	tag       []byte // its ETag
}

func newPage(name string, body []byte) page {
	sum := sha256.Sum256(body)
	return page{body, consoleTypes[path.Ext(name)], fmt.Appendf(nil, `"%x"`, sum[:12])}
}

// routeConsole gives each file of the console a path. There is no other way to
// one, so no path leads out of the folder.
func (s *Server) routeConsole(r *router.Router) {
	entries, _ := consoleFiles.ReadDir("console") // embedded: cannot fail
	for _, e := range entries {
		body, _ := consoleFiles.ReadFile("console/" + e.Name())
		p, at := newPage(e.Name(), body), consolePath+e.Name()
		if e.Name() == "index.html" {
			at = consolePath
		}
		r.GET(at, p.serve)
		r.HEAD(at, p.serve)
	}
}

// serve answers with the page, or that the reader has it already.
func (p page) serve(ctx *fasthttp.RequestCtx) {
	h := &ctx.Response.Header
	h.Set(fasthttp.HeaderContentSecurityPolicy, consolePolicy)
	h.Set(fasthttp.HeaderXContentTypeOptions, "nosniff")
	h.Set(fasthttp.HeaderReferrerPolicy, "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("Cross-Origin-Resource-Policy", "same-origin")
	h.Set(fasthttp.HeaderCacheControl, "no-cache") // may be kept, and is asked for each time
	h.SetBytesV(fasthttp.HeaderETag, p.tag)
	if has(ctx.Request.Header.Peek(fasthttp.HeaderIfNoneMatch), p.tag) {
		ctx.SetStatusCode(fasthttp.StatusNotModified)
		return
	}
	answer(ctx, fasthttp.StatusOK, p.mediaType, p.body)
}

// has reports whether the value of an If-None-Match header names this tag.
func has(list, tag []byte) bool {
	for one := range bytes.SplitSeq(list, []byte(",")) {
		one = bytes.TrimPrefix(bytes.TrimSpace(one), []byte("W/"))
		if bytes.Equal(one, tag) || string(one) == "*" {
			return true
		}
	}
	return false
}
