package lua

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/tidwall/gjson"
	glua "github.com/yuin/gopher-lua"
)

// resultFields are what a result of t:send can be asked for.
var resultFields = []string{
	"verdict", "stage", "code", "reason", "retry_after", "problem", "steps", "text", "instructions",
	"targets", "replies", "joins", "leaves", "data", "headers", "priority", "ttl", "storage", "overflow", "key",
	"status", "stored", "delivered", "queued", "repeated", "answers",
}

// resultField reads a field when it is asked for: a message that waits, or that a
// stage holds, goes on meanwhile.
func (c *testCase) resultField(L *glua.LState, key string) glua.LValue {
	object, _ := L.Get(1).(*glua.LUserData)
	r, ok := object.Value.(*rehearse.Result)
	if !ok {
		L.RaiseError("this is no result of t:send")
	}
	c.world.Settle()
	switch d := &r.Decision; key {
	case "verdict":
		if r.Waits {
			return glua.LString(core.Hold.String())
		}
		return glua.LString(d.Verdict.String())
	case "stage":
		return textOrNil(d.Stage)
	case "code":
		return textOrNil(d.Code)
	case "reason":
		return textOrNil(d.Reason)
	case "retry_after":
		if d.RetryAfter == 0 {
			return glua.LNil
		}
		return glua.LNumber(d.RetryAfter)
	case "problem":
		if d.Err == nil {
			return glua.LNil
		}
		return glua.LString(causeOf(d.Err))
	case "steps":
		return c.names(stepTexts(r.Steps))
	case "text":
		return glua.LString(decided(r))
	case "instructions":
		return glua.LNumber(d.Instructions)
	case "status":
		return textOrNil(r.Status())
	case "stored":
		return textOrNil(r.Stored)
	case "delivered":
		return c.names(r.Reached())
	case "queued":
		return c.names(r.Waiting())
	case "repeated":
		return glua.LBool(r.Repeated())
	case "answers":
		return c.frames(r.Told)
	default:
		return c.decisionField(d, key)
	}
}

// decisionField reads what an accepted message has become.
func (c *testCase) decisionField(d *rehearse.Decision, key string) glua.LValue {
	switch key {
	case "targets":
		return c.names(rehearse.TargetTexts(d.Targets, ":"))
	case "replies":
		return c.frames(d.Replies)
	case "joins":
		return c.names(d.Joins)
	case "leaves":
		return c.names(d.Leaves)
	case "data":
		return c.json(d.Data)
	case "headers":
		return c.json(d.Headers)
	case "priority":
		return glua.LNumber(d.Priority)
	case "ttl":
		return glua.LNumber(d.TTL)
	case "storage":
		if d.Verdict == core.Done && d.Storage == core.StorageUnset {
			return glua.LString(core.StorageNone.String())
		}
		return textOrNil(d.Storage.String())
	case "overflow":
		return textOrNil(d.Overflow.String())
	}
	return textOrNil(d.Key)
}

// json is a part of a message as msg:get reads it; nil where there is none.
func (c *testCase) json(raw []byte) glua.LValue {
	if raw == nil {
		return glua.LNil
	}
	return c.in.value(gjson.ParseBytes(raw))
}

// stepTexts are "main.lua:5 next" and so on.
func stepTexts(steps []rehearse.Step) []string {
	texts := make([]string, len(steps))
	for i, s := range steps {
		texts[i] = s.Stage + " " + s.Verdict
	}
	return texts
}
