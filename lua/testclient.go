package lua

import (
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

// clientFields are what a client in a test can be asked for beside its verbs.
var clientFields = []string{"id", "connected", "refused", "reliable"}

// clientVerbs are the verbs of a client.
func (c *testCase) clientVerbs() functions {
	return functions{
		"send": c.clientSend, "join": c.clientJoin, "leave": c.clientLeave, "close": c.clientClose,
		"received": c.clientReceived, "last": c.clientLast, "frames": c.clientFrames, "groups": c.clientGroups,
	}
}

// clientValue is the Lua value of a client: the same each time.
func (c *testCase) clientValue(client *rehearse.Client) *glua.LUserData {
	object := c.clients[client]
	if object == nil {
		object = c.in.vm.L.NewUserData()
		object.Value, object.Metatable = client, c.clientType
		c.clients[client] = object
	}
	return object
}

// clientOf is the client that a verb was called on.
func clientOf(L *glua.LState) *rehearse.Client {
	if object, ok := L.Get(1).(*glua.LUserData); ok {
		if client, ok := object.Value.(*rehearse.Client); ok {
			return client
		}
	}
	L.RaiseError("a verb of a client needs a colon, as in c:received()")
	return nil
}

func (c *testCase) clientField(L *glua.LState, key string) glua.LValue {
	client := clientOf(L)
	switch key {
	case "id":
		return glua.LString(client.ID)
	case "connected":
		return glua.LBool(client.Connected)
	case "reliable":
		return glua.LBool(client.Reliable)
	}
	return textOrNil(client.Refused)
}

func (c *testCase) clientSend(L *glua.LState) int {
	return c.sendBy(L, clientOf(L), optTable(L, 2, "send", sendKeys[1:]))
}

func (c *testCase) clientJoin(L *glua.LState) int {
	return c.membership(L, "join", `{"type":8,"groups":`)
}

func (c *testCase) clientLeave(L *glua.LState) int {
	return c.membership(L, "leave", `{"type":9,"groups":`)
}

// membership sends the frame with which a client joins or leaves groups.
func (c *testCase) membership(L *glua.LState, verb, frame string) int {
	client := clientOf(L)
	if !client.Connected {
		L.RaiseError("the client %s is not connected", client.ID)
	}
	groups := L.NewTable()
	for _, g := range argNames(L, L.Get(2), verb) {
		groups.Append(glua.LString(g))
	}
	return c.deliver(L, client, append(append([]byte(frame), c.in.encoder.encode(L, groups)...), '}'))
}

func (c *testCase) clientClose(L *glua.LState) int {
	clientOf(L).Close()
	c.settled(L)
	return 0
}

// clientReceived is the list of the messages that the client has got.
func (c *testCase) clientReceived(L *glua.LState) int {
	c.world.Settle()
	list := c.list()
	for _, frame := range clientOf(L).Frames {
		if isMessage(frame) {
			list.Append(c.in.value(gjson.ParseBytes(frame)))
		}
	}
	L.Push(list)
	return 1
}

func (c *testCase) clientLast(L *glua.LState) int {
	c.world.Settle()
	frames := clientOf(L).Frames
	for i := len(frames) - 1; i >= 0; i-- {
		if isMessage(frames[i]) {
			L.Push(c.in.value(gjson.ParseBytes(frames[i])))
			return 1
		}
	}
	L.Push(glua.LNil)
	return 1
}

// clientFrames is the list of all that the gateway has sent to the client.
func (c *testCase) clientFrames(L *glua.LState) int {
	c.world.Settle()
	L.Push(c.frames(clientOf(L).Frames))
	return 1
}

func (c *testCase) clientGroups(L *glua.LState) int {
	L.Push(c.names(clientOf(L).Groups()))
	return 1
}

func isMessage(frame []byte) bool { return gjson.GetBytes(frame, "type").Int() == 0 }

// list makes an empty list, which is an array as JSON.
func (c *testCase) list() *glua.LTable {
	return &glua.LTable{Metatable: c.in.arrayMark}
}

func (c *testCase) names(names []string) *glua.LTable {
	list := c.list()
	for _, s := range names {
		list.Append(glua.LString(s))
	}
	return list
}

func (c *testCase) frames(frames [][]byte) *glua.LTable {
	list := c.list()
	for _, frame := range frames {
		list.Append(c.in.value(gjson.ParseBytes(frame)))
	}
	return list
}

func textOrNil(s string) glua.LValue {
	if s == "" {
		return glua.LNil
	}
	return glua.LString(s)
}
