package lua

import (
	"bytes"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	glua "github.com/yuin/gopher-lua"
)

// maxAdvance bounds how far a test moves its clock at once.
const maxAdvance = 720 * time.Hour

// Costs of what the verbs do in Go, in instructions.
const (
	costOfSend = 500
	costOfTick = 3 // so that a test can afford maxAdvance
)

// testVerbs are the verbs of t. Each is called on it.
func (c *testCase) testVerbs() functions {
	verbs := c.bareVerbs()
	for name, verb := range verbs {
		verbs[name] = func(L *glua.LState) int {
			if object, ok := L.Get(1).(*glua.LUserData); !ok || object.Value != c {
				L.RaiseError("a verb of t needs a colon, as in t:%s(...)", name)
			}
			return verb(L)
		}
	}
	return verbs
}

func (c *testCase) bareVerbs() functions {
	return functions{
		"connect": c.connect, "send": c.send, "client": c.client, "upstream": c.upstream,
		"advance": c.advance, "at": c.at, "now": c.now, "fill_kv": c.fillKv,
		"eq": c.eq, "ok": c.ok, "match": c.match, "error": c.raises,
		"log": c.print, "skip": c.skip,
	}
}

// connect is t:connect(id, {reliable=, groups=, remote=, claims=}).
func (c *testCase) connect(L *glua.LState) int {
	a := rehearse.Arrival{ID: argString(L, 2, "connect", "a ClientID"), Remote: netip.AddrFrom4([4]byte{127, 0, 0, 1})}
	options := optTable(L, 3, "connect", connectKeys)
	a.Reliable = glua.LVAsBool(options.RawGetString("reliable"))
	if v := options.RawGetString("groups"); v != glua.LNil {
		a.Groups = argNames(L, v, "connect: groups")
	}
	if v := options.RawGetString("claims"); v != glua.LNil {
		a.Claims = c.claims(L, v)
	}
	if v := options.RawGetString("remote"); v != glua.LNil {
		remote, err := netip.ParseAddr(v.String())
		if err != nil {
			L.RaiseError("connect: remote %q is no address, such as 192.0.2.7", v.String())
		}
		a.Remote = remote
	}
	L.Push(c.clientValue(c.arrive(L, a)))
	return 1
}

// claims are what a client was admitted with, as JSON.
func (c *testCase) claims(L *glua.LState, v glua.LValue) []byte {
	claims := bytes.Clone(c.in.encoder.encode(L, v))
	if claims[0] != '{' {
		L.RaiseError(`connect: claims is a table of names and values, as in {claims={role="admin"}}`)
	}
	return claims
}

func (c *testCase) arrive(L *glua.LState, a rehearse.Arrival) *rehearse.Client {
	if why := core.CheckName(a.ID, core.MaxClientID); why != "" {
		L.RaiseError("the ClientID %.40q %s", a.ID, why)
	}
	c.in.vm.charge(costOfSend)
	client := c.world.Connect(a)
	c.settled(L)
	return client
}

// client is t:client(id): the connected client, or nil.
func (c *testCase) client(L *glua.LState) int {
	if found := c.world.Client(argString(L, 2, "client", "a ClientID")); found != nil {
		L.Push(c.clientValue(found))
	} else {
		L.Push(glua.LNil)
	}
	return 1
}

// upstream is t:upstream(name): what would have been posted there so far.
func (c *testCase) upstream(L *glua.LState) int {
	name := argString(L, 2, "upstream", "the name of an upstream")
	if !c.world.HasUpstream(name) {
		L.RaiseError("unknown upstream %q: the scripts name no such upstream", name)
	}
	c.world.Settle()
	var posts [][]byte
	for _, p := range c.world.Posts {
		if p.Upstream == name {
			posts = append(posts, p.Body)
		}
	}
	L.Push(c.frames(posts))
	return 1
}

// connectKeys are the options of t:connect.
var connectKeys = []string{"reliable", "groups", "remote", "claims"}

// sendKeys are what t:send and c:send take; raw stands for all others.
var sendKeys = []string{"from", "to", "data", "id", "headers", "priority", "ttl", "receipt", "raw"}

// send is t:send{from=, ...}: a message of a client, which connects if it has not.
func (c *testCase) send(L *glua.LState) int {
	m := optTable(L, 2, "send", sendKeys)
	from, ok := m.RawGetString("from").(glua.LString)
	if !ok {
		L.RaiseError(`send takes a table with the sender, as in t:send{ from = "a", data = 1 }`)
	}
	sender := c.world.Client(string(from))
	if sender == nil {
		sender = c.arrive(L, rehearse.Arrival{ID: string(from), Remote: netip.AddrFrom4([4]byte{127, 0, 0, 1})})
	}
	return c.sendBy(L, sender, m)
}

// sendBy sends the message m of a client.
func (c *testCase) sendBy(L *glua.LState, sender *rehearse.Client, m *glua.LTable) int {
	if !sender.Connected {
		why := "is not connected"
		if sender.Refused != "" {
			why = "was refused by on_connect: " + sender.Refused
		}
		L.RaiseError("the client %s %s", sender.ID, why)
	}
	return c.deliver(L, sender, c.frame(L, m))
}

// deliver gives a frame to the World and pushes what becomes of it.
func (c *testCase) deliver(L *glua.LState, sender *rehearse.Client, frame []byte) int {
	c.in.vm.charge(costOfSend + len(frame)/bytesPerInstruction)
	r := sender.Send(frame)
	c.note(r)
	c.most = max(c.most, r.Decision.Instructions)
	c.settled(L)
	object := L.NewUserData()
	object.Value, object.Metatable = r, c.resultType
	L.Push(object)
	return 1
}

// frame is the message m as a client writes it.
func (c *testCase) frame(L *glua.LState, m *glua.LTable) []byte {
	if raw, ok := m.RawGetString("raw").(glua.LString); ok {
		return []byte(raw)
	}
	frame := []byte(`{"type":0`)
	for _, f := range [][2]string{
		{"id", "messageId"}, {"data", "data"}, {"to", "to"}, {"headers", "headers"},
		{"priority", "priority"}, {"ttl", "ttl"}, {"receipt", "receipt"},
	} {
		if v := m.RawGetString(f[0]); v != glua.LNil {
			frame = append(append(frame, `,"`+f[1]+`":`...), c.in.encoder.encode(L, v)...)
		}
	}
	return append(frame, '}')
}

// fillKv is t:fill_kv(): from now on stratix.kv has no room.
func (c *testCase) fillKv(*glua.LState) int {
	c.load.shared.kv.Fill()
	return 0
}

// advance is t:advance("31s"): the clock moves, and what is due happens.
func (c *testCase) advance(L *glua.LState) int {
	var d time.Duration
	switch v := L.Get(2).(type) {
	case glua.LNumber:
		d = time.Duration(float64(v) * float64(time.Second))
	case glua.LString:
		var err error
		if d, err = time.ParseDuration(string(v)); err != nil {
			L.RaiseError("advance takes a time such as \"31s\", \"1h30m\" or a number of seconds, not %q", string(v))
		}
	default:
		L.RaiseError("advance takes a time such as \"31s\" or a number of seconds, not a %s", v.Type())
	}
	if d < 0 || d > maxAdvance {
		L.RaiseError("advance takes up to %v, not %v", maxAdvance, d)
	}
	c.world.Advance(d, func() { c.in.vm.charge(costOfTick) })
	c.settled(L)
	return 0
}

// layoutsOfAt are what t:at takes.
var layoutsOfAt = []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"}

// at is t:at("2026-03-01 22:30"): the clock is set, in UTC, without any tick.
func (c *testCase) at(L *glua.LState) int {
	text := argString(L, 2, "at", "a time")
	for _, layout := range layoutsOfAt {
		if to, err := time.Parse(layout, text); err == nil {
			c.world.Set(to.UTC())
			c.settled(L)
			return 0
		}
	}
	L.RaiseError("at takes a time such as \"2026-03-01 22:30\", not %q", text)
	return 0
}

func (c *testCase) now(L *glua.LState) int {
	L.Push(glua.LNumber(c.clock.Now().UnixMilli()))
	return 1
}

// print is t:log(...): it is shown where the test fails.
func (c *testCase) print(L *glua.LState) int {
	c.in.vm.charge(costOfLog)
	words := make([]string, 0, L.GetTop())
	for i := 2; i <= L.GetTop(); i++ {
		if text, ok := L.Get(i).(glua.LString); ok {
			words = append(words, strings.ReplaceAll(string(text), "\n", " "))
		} else {
			words = append(words, c.show(L.Get(i)))
		}
	}
	c.log.add(c.in.vm.where() + ": " + cut(strings.Join(words, " ")))
	return 0
}

func (c *testCase) skip(L *glua.LState) int {
	c.skipped, c.reason = true, L.OptString(2, "")
	L.RaiseError(endOfTest)
	return 0
}

// optTable is argument n, a table with none but these keys, or an empty one.
func optTable(L *glua.LState, n int, verb string, keys []string) *glua.LTable {
	if L.Get(n) == glua.LNil {
		return L.NewTable()
	}
	t, ok := L.Get(n).(*glua.LTable)
	if !ok {
		L.RaiseError("%s takes a table, not a %s", verb, L.Get(n).Type())
	}
	for key, _ := t.Next(glua.LNil); key != glua.LNil; key, _ = t.Next(key) {
		if !slices.Contains(keys, key.String()) {
			L.RaiseError("%s: unknown key %q%s", verb, key.String(), didYouMean(key.String(), keys))
		}
	}
	return t
}

// argNames is a name or a list of names.
func argNames(L *glua.LState, v glua.LValue, what string) []string {
	if s, ok := v.(glua.LString); ok {
		return []string{string(s)}
	}
	t, ok := v.(*glua.LTable)
	if !ok {
		L.RaiseError("%s takes a name or a list of names, not a %s", what, v.Type())
	}
	names := make([]string, 0, t.Len())
	for i := 1; i <= t.Len(); i++ {
		names = append(names, t.RawGetInt(i).String())
	}
	return names
}

// objectWithFields makes the metatable of an object with verbs, and with fields
// that are read when they are asked for.
func (in *instance) objectWithFields(what string, verbs functions, field func(L *glua.LState, key string) glua.LValue, fields []string) *glua.LTable {
	L := in.vm.L
	meta := in.objectType(what, verbs)
	table := in.vm.library(verbs)
	known := append(slices.Collect(maps.Keys(verbs)), fields...)
	meta.RawSetString("__index", L.NewFunction(func(L *glua.LState) int {
		key := L.Get(2).String()
		switch {
		case verbs[key] != nil:
			L.Push(table.RawGetString(key))
		case slices.Contains(fields, key):
			L.Push(field(L, key))
		default:
			L.RaiseError("unknown %s %q%s", what, key, didYouMean(key, known))
		}
		return 1
	}))
	return meta
}
