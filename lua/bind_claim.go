package lua

import (
	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

func (in *instance) msgClaim(L *glua.LState) int {
	L.Push(in.claim(L, in.message(L).m.From))
	return 1
}

func (in *instance) connClaim(L *glua.LState) int {
	L.Push(in.claim(L, in.conn(L).session))
	return 1
}

// claim reads the claim that argument 2 names; nil where there is none, and
// where the client has brought no token.
func (in *instance) claim(L *glua.LState, s *core.Session) glua.LValue {
	p := in.claimPath(L, argString(L, 2, "claim", "a path"))
	if s.Grant == nil || s.Grant.Claims == nil {
		return glua.LNil
	}
	return in.lookUp(p, s.Grant.Claims)
}

// claimPath returns the compiled path within the claims, remembered while its VM
// lives.
func (in *instance) claimPath(L *glua.LState, text string) *path {
	if p := in.claims[text]; p != nil {
		return p
	}
	p, err := compilePath("claims." + text)
	if err != nil {
		L.RaiseError("%s", err)
	}
	if len(in.claims) == maxPaths {
		clear(in.claims)
	}
	in.claims[text] = p
	return p
}
