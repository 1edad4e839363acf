package lua

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"unicode"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// Problem is one thing that is wrong with a script.
type Problem struct {
	Pos  string // "main.lua:12"
	Text string // one line
}

// Problems are the findings of a compilation, in the order of their places.
type Problems []Problem

// Error has one line for each problem.
func (p Problems) Error() string {
	lines := make([]string, len(p))
	for i, one := range p {
		lines[i] = one.Pos + ": " + one.Text
	}
	return strings.Join(lines, "\n")
}

// ScriptError is the failure of a script that was running.
type ScriptError struct {
	Pos    string // "main.lua:12", or "" where it is not known
	Text   string // one line
	Budget bool   // the budget of instructions or time is used up
	Panic  bool   // Go code panicked: the VM is broken and has to be discarded
}

func (e *ScriptError) Error() string {
	if e.Pos == "" {
		return e.Text
	}
	return e.Pos + ": " + e.Text
}

// maxErrorText bounds the text of a script's error, in bytes.
const maxErrorText = 512

// position joins the name of a chunk and a line.
func position(chunk string, line int) string { return chunk + ":" + strconv.Itoa(line) }

// compileProblem turns an error of the parser or the compiler into a Problem.
// src tells the last line, where the parser only says "at EOF".
func compileProblem(name string, src []byte, err error) Problem {
	var syntax *parse.Error
	if errors.As(err, &syntax) {
		text := strings.Replace(oneLine(syntax.Message), "parse error", "syntax error", 1)
		if syntax.Pos.Line == parse.EOF {
			return Problem{position(name, lastLine(src)), text + " at the end of the file"}
		}
		if syntax.Token != "" {
			text += fmt.Sprintf(" near '%s'", oneLine(syntax.Token))
		}
		return Problem{position(name, syntax.Pos.Line), text}
	}
	var compiler *glua.CompileError
	if errors.As(err, &compiler) {
		return Problem{position(name, max(min(compiler.Line, lastLine(src)), 1)), oneLine(compiler.Message)}
	}
	return Problem{position(name, 1), "cannot be compiled: " + oneLine(err.Error())}
}

func lastLine(src []byte) int {
	text := strings.TrimRight(string(src), "\r\n\t ")
	return strings.Count(text, "\n") + 1
}

// scriptError describes what ended a protected call.
func scriptError(err error) *ScriptError {
	var api *glua.ApiError
	if !errors.As(err, &api) {
		return &ScriptError{Text: oneLine(err.Error())}
	}
	e := &ScriptError{Panic: api.Type == glua.ApiErrorPanic}
	switch value := api.Object.(type) {
	case glua.LString:
		e.Pos, e.Text = splitPosition(string(value))
	case glua.LNumber:
		e.Text = value.String()
	default:
		e.Text = "error object is a " + value.Type().String() + " value"
	}
	e.Text = oneLine(e.Text)
	if e.Pos == "" {
		e.Pos = traceback(api.StackTrace)
	}
	return e
}

// splitPosition separates "main.lua:12: text" into its two parts.
func splitPosition(message string) (pos, text string) {
	end := strings.Index(message, ": ")
	if end < 0 || !isPosition(message[:end]) {
		return "", message
	}
	return message[:end], message[end+2:]
}

func isPosition(s string) bool {
	colon := strings.LastIndexByte(s, ':')
	if colon <= 0 || strings.ContainsAny(s[:colon], " \t\r\n") {
		return false
	}
	_, err := strconv.ParseUint(s[colon+1:], 10, 31)
	return err == nil
}

// traceback finds the innermost place of a script in a stack trace.
func traceback(trace string) string {
	for line := range strings.Lines(trace) {
		pos, _, found := strings.Cut(strings.TrimSpace(line), ": in ")
		if found && isPosition(pos) {
			return pos
		}
	}
	return ""
}

// oneLine makes text fit for a log line and a wire message.
func oneLine(s string) string {
	s = strings.TrimSpace(s)
	cut := len(s) > maxErrorText
	if cut {
		s = s[:maxErrorText]
	}
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, ""))
	if cut {
		s += "..."
	}
	return s
}
