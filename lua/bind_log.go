package lua

import (
	"context"
	"log/slog"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// logLevels are the functions of log.
var logLevels = map[string]slog.Level{
	"debug": slog.LevelDebug, "info": slog.LevelInfo, "warn": slog.LevelWarn, "error": slog.LevelError,
}

func (in *instance) logFunctions() functions {
	levels := functions{}
	for name, level := range logLevels {
		levels[name] = in.logAt(level)
	}
	return levels
}

// logAt makes a function of log: log.info(text, {fields}?).
func (in *instance) logAt(level slog.Level) glua.LGFunction {
	return func(L *glua.LState) int {
		text := argString(L, 1, "log", "a text and perhaps a table of fields")
		fields, given := L.Get(2).(*glua.LTable)
		if !given && L.Get(2) != glua.LNil {
			L.RaiseError("log takes a table of fields after its text, not a %s", L.Get(2).Type())
		}
		in.vm.charge(costOfLog)
		if in.muted || !in.load.log.Enabled(context.Background(), level) {
			return 0
		}
		var attrs []slog.Attr
		if given {
			for key, v := fields.Next(glua.LNil); key != glua.LNil; key, v = fields.Next(key) {
				attrs = append(attrs, in.attr(L, key, v))
			}
		}
		in.write(level, in.vm.where(), text, attrs...)
		return 0
	}
}

// write puts a line of the script at pos into the gateway's log.
func (in *instance) write(level slog.Level, pos, text string, attrs ...slog.Attr) {
	if in.muted {
		return
	}
	attrs = append(attrs, slog.String("script", pos), slog.Uint64("generation", uint64(in.load.number)))
	in.load.log.LogAttrs(context.Background(), level, cut(text), attrs...)
}

func (in *instance) attr(L *glua.LState, key, v glua.LValue) slog.Attr {
	name := key.String()
	switch v := v.(type) {
	case glua.LString:
		return slog.String(name, cut(string(v)))
	case glua.LNumber:
		if n := int64(v); glua.LNumber(n) == v {
			return slog.Int64(name, n)
		}
		return slog.Float64(name, float64(v))
	case glua.LBool:
		return slog.Bool(name, bool(v))
	}
	return slog.String(name, cut(string(in.encoder.encode(L, v))))
}

func cut(s string) string {
	if len(s) > maxLogText {
		s = strings.ToValidUTF8(s[:maxLogText], "") + "..."
	}
	return s
}
