package main

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/tidwall/gjson"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/traffic"
)

// luaTest is a test that sends the message and expects the decision.
func luaTest(in *traffic.Input, d *rehearse.Decision) string {
	var b strings.Builder
	at := time.UnixMilli(in.Time).UTC()
	fmt.Fprintf(&b, "-- recorded at %s\n", at.Format(time.RFC3339))
	fmt.Fprintf(&b, "function test_%s(t)\n", testName(in))
	fmt.Fprintf(&b, "  t:at(%s)\n", luaString(at.Format("2006-01-02 15:04:05.999")))
	if in.Claims != nil {
		fmt.Fprintf(&b, "  t:connect(%s, { claims = %s })\n", luaString(in.From), luaValue(gjson.ParseBytes(in.Claims), "  "))
	}
	fmt.Fprintf(&b, "  local r = t:send{\n    from = %s,\n", luaString(in.From))
	field := func(name string, raw []byte) {
		if raw != nil {
			fmt.Fprintf(&b, "    %s = %s,\n", name, luaValue(gjson.ParseBytes(raw), "    "))
		}
	}
	field("id", in.ID)
	field("to", in.To)
	field("data", in.Data)
	field("headers", in.Headers)
	if in.TTL > 0 {
		fmt.Fprintf(&b, "    ttl = %d,\n", in.TTL)
	}
	if in.Priority > 0 {
		fmt.Fprintf(&b, "    priority = %d,\n", in.Priority)
	}
	if in.Receipt {
		b.WriteString("    receipt = true,\n")
	}
	b.WriteString("  }\n")
	fmt.Fprintf(&b, "  t:eq(r.verdict, %s)\n", luaString(d.Verdict.String()))
	if d.Verdict != core.Done {
		if d.Code != "" {
			fmt.Fprintf(&b, "  t:eq(r.code, %s)\n", luaString(d.Code))
		}
		if d.Reason != "" && d.Err == nil {
			fmt.Fprintf(&b, "  t:eq(r.reason, %s)\n", luaString(d.Reason))
		}
		b.WriteString("end\n")
		return b.String()
	}
	fmt.Fprintf(&b, "  t:eq(r.targets, %s)\n", luaList(rehearse.TargetTexts(d.Targets, ":")))
	if len(d.Joins) > 0 {
		fmt.Fprintf(&b, "  t:eq(r.joins, %s)\n", luaList(d.Joins))
	}
	if len(d.Leaves) > 0 {
		fmt.Fprintf(&b, "  t:eq(r.leaves, %s)\n", luaList(d.Leaves))
	}
	if d.DataEdited {
		fmt.Fprintf(&b, "  t:eq(r.data, %s)\n", luaValue(gjson.ParseBytes(d.Data), "  "))
	}
	if d.HeadersEdited {
		fmt.Fprintf(&b, "  t:eq(r.headers, %s)\n", luaValue(gjson.ParseBytes(d.Headers), "  "))
	}
	if d.Priority != in.Priority {
		fmt.Fprintf(&b, "  t:eq(r.priority, %d)\n", d.Priority)
	}
	b.WriteString("end\n")
	return b.String()
}

var notInNames = regexp.MustCompile(`[^A-Za-z0-9]+`)

// testName makes a name of who sent what.
func testName(in *traffic.Input) string {
	name := strings.Trim(notInNames.ReplaceAllString(in.From+"_"+idOf(in), "_"), "_")
	if name == "" {
		return "recorded"
	}
	return name
}

// luaString is a string literal.
func luaString(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteByte('\\')
			b.WriteByte(c)
		case c == '\n':
			b.WriteString(`\n`)
		case c < ' ' || c == 0x7f:
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

func luaList(texts []string) string {
	parts := make([]string, len(texts))
	for i, text := range texts {
		parts[i] = luaString(text)
	}
	return "{ " + strings.Join(parts, ", ") + " }"
}

var luaName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// luaWords cannot be names of fields without brackets.
var luaWords = map[string]bool{
	"and": true, "break": true, "do": true, "else": true, "elseif": true, "end": true, "false": true, "for": true, "function": true, "goto": true,
	"if": true, "in": true, "local": true, "nil": true, "not": true, "or": true, "repeat": true, "return": true, "then": true, "true": true,
	"until": true, "while": true,
}

// luaValue is JSON as a Lua expression, whose lines after the first begin with
// indent.
func luaValue(v gjson.Result, indent string) string {
	switch {
	case v.IsArray():
		var parts []string
		for _, item := range v.Array() {
			parts = append(parts, luaValue(item, indent+"  "))
		}
		if len(parts) == 0 {
			return "stratix.array()"
		}
		return "{ " + strings.Join(parts, ", ") + " }"
	case v.IsObject():
		var b strings.Builder
		b.WriteString("{")
		v.ForEach(func(key, item gjson.Result) bool {
			name := key.String()
			if !luaName.MatchString(name) || luaWords[name] {
				name = "[" + luaString(name) + "]"
			}
			fmt.Fprintf(&b, "\n%s  %s = %s,", indent, name, luaValue(item, indent+"  "))
			return true
		})
		if b.Len() == 1 {
			return "{}"
		}
		return b.String() + "\n" + indent + "}"
	case v.Type == gjson.Null:
		return "stratix.null"
	case v.Type == gjson.String:
		return luaString(v.String())
	}
	return v.Raw // numbers, true and false
}
