package server

import (
	"fmt"

	"github.com/valyala/fasthttp"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/apikey"
)

// Directory is what operators ask about clients and groups, and do to them. What
// is returned is encoded as JSON; errors are Problems. All are required where
// there is an admin listener.
type Directory struct {
	Clients func(Page) (any, error)
	Client  func(id string) (any, error)
	// Disconnect closes a client's connection; the client is told the reason.
	Disconnect  func(id, reason string) error
	Join, Leave func(id, group string) error
	// Pending is the first messages that wait for a client, with their data or
	// without.
	Pending func(id string, limit int, data bool) (any, error)
	Groups  func(Page) (any, error)
	// Routes is what the stages of the pipeline route by.
	Routes func() any
}

// maxReason bounds the reason of a disconnect in bytes: a close frame has no room
// for more.
const maxReason = 120

func (s *Server) listClients(ctx *fasthttp.RequestCtx) { s.list(ctx, s.opt().Directory.Clients) }

func (s *Server) listGroups(ctx *fasthttp.RequestCtx) { s.list(ctx, s.opt().Directory.Groups) }

func (s *Server) list(ctx *fasthttp.RequestCtx, of func(Page) (any, error)) {
	p, ok := pageOf(ctx)
	if !ok {
		return
	}
	s.give(ctx)(of(p))
}

// give answers with what was found, or the error.
func (s *Server) give(ctx *fasthttp.RequestCtx) func(any, error) {
	return func(found any, err error) {
		if err != nil {
			fail(ctx, err)
			return
		}
		s.writeJSON(ctx, found)
	}
}

// done answers that something is done, or the error.
func done(ctx *fasthttp.RequestCtx, err error) {
	if err != nil {
		fail(ctx, err)
		return
	}
	ctx.SetStatusCode(fasthttp.StatusNoContent)
}

func (s *Server) client(ctx *fasthttp.RequestCtx) {
	if id, ok := pathName(ctx, "id"); ok {
		s.give(ctx)(s.opt().Directory.Client(id))
	}
}

func (s *Server) disconnect(ctx *fasthttp.RequestCtx) {
	id, ok := pathName(ctx, "id")
	if !ok {
		return
	}
	q, ok := known(ctx, "reason")
	if !ok {
		return
	}
	reason, given := q["reason"]
	if !given {
		reason = "disconnected by an operator"
	}
	if wrong := core.CheckName(reason, maxReason); wrong != "" {
		problem(ctx, fasthttp.StatusBadRequest, "reason "+wrong)
		return
	}
	done(ctx, s.opt().Directory.Disconnect(id, reason))
}

func (s *Server) join(ctx *fasthttp.RequestCtx) { s.membership(ctx, s.opt().Directory.Join) }

func (s *Server) leave(ctx *fasthttp.RequestCtx) { s.membership(ctx, s.opt().Directory.Leave) }

func (s *Server) membership(ctx *fasthttp.RequestCtx, change func(id, group string) error) {
	id, ok := pathName(ctx, "id")
	if !ok {
		return
	}
	if group, ok := pathName(ctx, "group"); ok {
		done(ctx, change(id, group))
	}
}

// pending shows what waits for a client. What is in it is shown to those only who
// may do everything.
func (s *Server) pending(ctx *fasthttp.RequestCtx, who *caller) {
	id, ok := pathName(ctx, "id")
	if !ok {
		return
	}
	q, ok := known(ctx, "limit", "data")
	if !ok {
		return
	}
	limit, err := q.number("limit", defaultLimit, 1, maxLimit)
	if err != nil {
		fail(ctx, err)
		return
	}
	data := false
	switch text, given := q["data"]; {
	case text == "1":
		data = true
	case given && text != "0":
		problem(ctx, fasthttp.StatusBadRequest, fmt.Sprintf("data must be 0 or 1, not %q", text))
		return
	}
	if data && !who.scopes.Has(apikey.Admin) {
		s.turnedAway(ctx, who, true, noScope)
		fail(ctx, &Problem{Status: fasthttp.StatusForbidden, Code: noScope, Detail: "data=1 needs the scope admin"})
		return
	}
	s.give(ctx)(s.opt().Directory.Pending(id, limit, data))
}

func (s *Server) listRoutes(ctx *fasthttp.RequestCtx) { s.writeJSON(ctx, s.opt().Directory.Routes()) }
