package lua

import (
	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// conn is the conn of one call of a hook. Like a message it is spent when the
// hook returns.
type conn struct {
	object  glua.LUserData
	session *core.Session // nil when the hook has returned
	c       *core.Conn    // set within on_connect only
}

func (in *instance) newConn(s *core.Session, c *core.Conn) *conn {
	h := &conn{session: s, c: c}
	in.moment = 0
	h.object.Value = h
	h.object.Metatable = in.connType
	return h
}

// connVerbs are the verbs of conn.
func (in *instance) connVerbs() functions {
	return functions{
		"id": in.connID, "address": in.connAddress, "claim": in.connClaim,
		"join": in.connJoin, "leave": in.connLeave, "reject": in.connReject,
	}
}

// conn returns the conn that a verb was called on.
func (in *instance) conn(L *glua.LState) *conn {
	object, ok := L.Get(1).(*glua.LUserData)
	if ok {
		if h, ok := object.Value.(*conn); ok {
			if h.session == nil {
				L.RaiseError("conn used after its hook returned")
			}
			return h
		}
	}
	L.RaiseError("a verb of conn needs a colon, as in conn:id()")
	return nil
}

// connecting is conn for the verbs that decide about a new connection.
func (in *instance) connecting(L *glua.LState, verb string) *core.Conn {
	h := in.conn(L)
	if h.c == nil {
		L.RaiseError("conn:%s works in on_connect only", verb)
	}
	return h.c
}

func (in *instance) connID(L *glua.LState) int {
	L.Push(in.boxes.str(in.conn(L).session.ID))
	return 1
}

func (in *instance) connAddress(L *glua.LState) int {
	remote := ""
	if a := in.conn(L).session.Remote; a.IsValid() {
		remote = a.String()
	}
	L.Push(in.boxes.str(remote))
	return 1
}

func (in *instance) connJoin(L *glua.LState) int {
	c := in.connecting(L, "join")
	c.Joins = withGroup(L, c.Joins, argGroup(L, "join"), "joins")
	return 0
}

func (in *instance) connLeave(L *glua.LState) int {
	c := in.connecting(L, "leave")
	c.Joins = without(c.Joins, argGroup(L, "leave"))
	return 0
}

func (in *instance) connReject(L *glua.LState) int {
	c := in.connecting(L, "reject")
	reason := "refused"
	if L.GetTop() > 1 {
		reason = argReason(L, 2, "reject", "a reason")
	}
	if c.Refused == "" {
		c.Refused = reason
	}
	return 0
}
