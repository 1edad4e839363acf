package lua

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core"
	glua "github.com/yuin/gopher-lua"
)

// The hooks are global functions of these names.
const (
	onConnect    = "on_connect"    // (conn)
	onDisconnect = "on_disconnect" // (conn, reason)
	onTick       = "on_tick"       // (now)
	onPolicy     = "on_policy"     // (conn, action, kind, name) -> allowed, reason?
)

var hookNames = []string{onConnect, onDisconnect, onTick, onPolicy}

// The actions that on_policy decides about.
var (
	actionSend glua.LValue = glua.LString("send")
	actionJoin glua.LValue = glua.LString("join")
)

// notAllowed is the reason for a refusal that on_policy gives none for.
const notAllowed = "not allowed by the policy"

// hooks are the hook functions that a generation's scripts define, nil where
// they do not.
type hooks struct {
	connect, disconnect, tick, policy *glua.LFunction
}

// hookCalls runs the hooks of one shard.
type hookCalls struct{ *runner }

// findHooks takes the hooks from the globals that main.lua defined. One whose
// name looks like a hook and is none is a problem.
func (in *instance) findHooks(main *Chunk) Problems {
	in.hooks = hooks{}
	var problems Problems
	for _, name := range slices.Sorted(maps.Keys(main.Globals)) {
		line := main.Globals[name]
		if !strings.HasPrefix(name, "on_") {
			continue
		}
		value := in.vm.L.GetGlobal(name)
		fn, _ := value.(*glua.LFunction)
		switch {
		case !slices.Contains(hookNames, name):
			problems = append(problems, Problem{position(mainFile, line), fmt.Sprintf("unknown hook %q%s", name, didYouMean(name, hookNames))})
		case fn == nil && value != glua.LNil || fn != nil && fn.IsG:
			problems = append(problems, Problem{position(mainFile, line), fmt.Sprintf("the hook %s is not a function of the scripts", name)})
		default:
			*in.hooks.named(name) = fn
		}
	}
	return problems
}

func (h *hooks) named(name string) **glua.LFunction {
	switch name {
	case onConnect:
		return &h.connect
	case onDisconnect:
		return &h.disconnect
	case onTick:
		return &h.tick
	}
	return &h.policy
}

// Connect runs on_connect.
func (h hookCalls) Connect(c *core.Conn) error {
	fn := h.in.hooks.connect
	if fn == nil {
		return nil
	}
	conn := h.in.newConn(c.Session, c)
	h.client, h.message = c.Session.ID, nil
	err := h.call(onConnect, fn, 0, &conn.object)
	conn.session, conn.c = nil, nil
	return err
}

// Disconnect runs on_disconnect.
func (h hookCalls) Disconnect(s *core.Session, reason string) error {
	fn := h.in.hooks.disconnect
	if fn == nil {
		return nil
	}
	conn := h.in.newConn(s, nil)
	h.client, h.message = s.ID, nil
	err := h.call(onDisconnect, fn, 0, &conn.object, h.in.boxes.str(reason))
	conn.session = nil
	return err
}

// Tick runs on_tick.
func (h hookCalls) Tick(unixMillis int64) error {
	fn := h.in.hooks.tick
	if fn == nil {
		return nil
	}
	h.client, h.message = "", nil
	h.in.moment = unixMillis
	return h.call(onTick, fn, 0, glua.LNumber(unixMillis))
}

// MaySend asks on_policy about a target.
func (h hookCalls) MaySend(s *core.Session, t core.Target) (refused string, err error) {
	return h.allowed(s, actionSend, t)
}

// MayJoin asks on_policy about a group.
func (h hookCalls) MayJoin(s *core.Session, group string) (refused string, err error) {
	return h.allowed(s, actionJoin, core.Target{Kind: core.ToGroup, Name: group})
}

// allowed runs on_policy, which allows by returning true and nothing else. Of a
// reason the first maxReason bytes count.
func (h hookCalls) allowed(s *core.Session, action glua.LValue, t core.Target) (refused string, err error) {
	in := h.in
	if in.hooks.policy == nil {
		return "", nil
	}
	conn := in.newConn(s, nil)
	h.client, h.message = s.ID, nil
	err = h.call(onPolicy, in.hooks.policy, 2, &conn.object, action, in.boxes.str(t.Kind.String()), in.boxes.str(t.Name))
	conn.session = nil
	if err != nil {
		return "", err
	}
	verdict, reason := in.vm.L.Get(1), in.vm.L.Get(2)
	if verdict == glua.LTrue {
		return "", nil
	}
	if text, ok := reason.(glua.LString); ok && text != "" {
		return string(text[:min(len(text), maxReason)]), nil // what is not UTF-8 is replaced on its way out
	}
	return notAllowed, nil
}
