package lua

import (
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// Bounds on the effects of one message, beside core.MaxTargets.
const (
	maxReplies = 64
	maxGroups  = 64   // joins, and as many leaves
	maxReason  = 1024 // bytes of the text of a drop or reject
	maxCode    = 64   // bytes of the code of a reject
)

func (in *instance) msgTo(L *glua.LState) int {
	h := in.message(L)
	list, ok := L.Get(2).(*glua.LTable)
	if !ok {
		h.target(L, core.ToClient, argString(L, 2, "to", "a ClientID or a list of them"))
		return 0
	}
	for i := 1; i <= list.MaxN(); i++ {
		id, ok := list.RawGetInt(i).(glua.LString)
		if !ok {
			L.RaiseError("to takes a ClientID or a list of them; [%d] is a %s", i, list.RawGetInt(i).Type())
		}
		h.target(L, core.ToClient, string(id))
	}
	return 0
}

func (in *instance) msgToPrefix(L *glua.LState) int {
	in.message(L).target(L, core.ToPrefix, argString(L, 2, "to_prefix", "the beginning of ClientIDs"))
	return 0
}

func (in *instance) msgToGroup(L *glua.LState) int {
	in.message(L).target(L, core.ToGroup, argString(L, 2, "to_group", "a group"))
	return 0
}

func (in *instance) msgToSender(L *glua.LState) int {
	if h := in.message(L); !h.ended {
		h.add(L, core.Target{Kind: core.ToSender})
	}
	return 0
}

func (in *instance) msgToUpstream(L *glua.LState) int {
	h, name := in.message(L), argString(L, 2, "to_upstream", "the name of an upstream")
	if !in.hasUpstream(name) {
		L.RaiseError("%s", in.noUpstream(name))
	}
	if t := (core.Target{Kind: core.ToUpstream, Name: name}); !h.ended && !slices.Contains(h.m.Effects.Targets, t) {
		h.add(L, t)
	}
	return 0
}

// msgToOwn keeps the sender's own target beside those that are added. Without one
// it does nothing: what else routes the message decides.
func (in *instance) msgToOwn(L *glua.LState) int {
	if h := in.message(L); !h.ended && len(h.m.To) > 0 {
		h.m.Effects.Own = true
	}
	return 0
}

// target adds a target, whose name must be one that a client or a group can have.
func (h *message) target(L *glua.LState, kind core.TargetKind, name string) {
	checkName(L, kind, name)
	if !h.ended {
		h.add(L, core.Target{Kind: kind, Name: name})
	}
}

func (h *message) add(L *glua.LState, t core.Target) {
	e := &h.m.Effects
	if len(e.Targets) >= core.MaxTargets {
		L.RaiseError("a message has at most %d targets", core.MaxTargets)
	}
	e.Targets = append(e.Targets, t)
}

func checkName(L *glua.LState, kind core.TargetKind, name string) {
	what, longest := "ClientID", core.MaxClientID
	switch kind {
	case core.ToPrefix:
		what = "prefix"
	case core.ToGroup:
		what, longest = "group", core.MaxGroupName
	}
	if why := core.CheckName(name, longest); why != "" {
		L.RaiseError("the %s %.40q %s", what, name, why)
	}
}

func (in *instance) msgReply(L *glua.LState) int {
	h := in.message(L)
	if L.GetTop() < 2 {
		L.RaiseError("reply takes a value; use stratix.null for null")
	}
	raw := in.encoder.encode(L, L.Get(2))
	if h.ended {
		return 0
	}
	e := &h.m.Effects
	if len(e.Replies) >= maxReplies {
		L.RaiseError("a message has at most %d replies", maxReplies)
	}
	in.checkGrowth(L, h.m, len(raw))
	e.Replies = append(e.Replies, append([]byte(nil), raw...))
	return 0
}

func (in *instance) msgJoin(L *glua.LState) int {
	h, group := in.message(L), argGroup(L, "join")
	if e := &h.m.Effects; !h.ended {
		moveGroup(L, group, &e.Joins, &e.Leaves, "joins")
	}
	return 0
}

func (in *instance) msgLeave(L *glua.LState) int {
	h, group := in.message(L), argGroup(L, "leave")
	if e := &h.m.Effects; !h.ended {
		moveGroup(L, group, &e.Leaves, &e.Joins, "leaves")
	}
	return 0
}

// moveGroup adds group to one list, once, and takes it out of the other: the
// last word counts.
func moveGroup(L *glua.LState, group string, to, from *[]string, what string) {
	*from = without(*from, group)
	*to = withGroup(L, *to, group, what)
}

func argGroup(L *glua.LState, verb string) string {
	group := argString(L, 2, verb, "a group")
	checkName(L, core.ToGroup, group)
	return group
}

// withGroup adds group to list, once.
func withGroup(L *glua.LState, list []string, group, what string) []string {
	switch {
	case slices.Contains(list, group):
		return list
	case len(list) >= maxGroups:
		L.RaiseError("at most %d %s are possible", maxGroups, what)
	}
	return append(list, group)
}

func without(list []string, group string) []string {
	if i := slices.Index(list, group); i >= 0 {
		return slices.Delete(list, i, i+1)
	}
	return list
}

func (in *instance) msgDrop(L *glua.LState) int {
	h := in.message(L)
	reason := "dropped"
	if L.GetTop() > 1 {
		reason = argReason(L, 2, "drop", "a reason")
	}
	if !h.ended {
		h.ended = true
		h.m.DropFor(reason)
	}
	return 0
}

func (in *instance) msgReject(L *glua.LState) int {
	h := in.message(L)
	code := argString(L, 2, "reject", "a code and a text")
	if !validCode(code) {
		L.RaiseError("reject: the code %.40q is not 1 to %d of a-z, 0-9 and _", code, maxCode)
	}
	text := argReason(L, 3, "reject", "a code and a text")
	if !h.ended {
		h.ended = true
		h.m.Reject(code, text)
	}
	return 0
}

// argReason returns argument n as a text that a client may be sent.
func argReason(L *glua.LState, n int, verb, takes string) string {
	s := argString(L, n, verb, takes)
	if len(s) > maxReason {
		L.RaiseError("%s: the text is longer than %d bytes", verb, maxReason)
	}
	if !utf8.ValidString(s) {
		return strings.ToValidUTF8(s, "\uFFFD")
	}
	return s
}

func validCode(s string) bool {
	for i := 0; i < len(s); i++ {
		if c := s[i]; (c < 'a' || c > 'z') && (c < '0' || c > '9') && c != '_' {
			return false
		}
	}
	return s != "" && len(s) <= maxCode
}
