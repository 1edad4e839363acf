package lua

import (
	"bytes"
	"fmt"
	"strings"

	glua "github.com/yuin/gopher-lua"
	"github.com/yuin/gopher-lua/parse"
)

// mainFile is the script that defines the pipeline and the hooks.
const mainFile = "main.lua"

// maxSource bounds one script, in bytes.
const maxSource = 1 << 20

// Sources are the files of a scripts folder: slash path relative to the folder
// -> content.
type Sources map[string][]byte

// Chunk is one compiled file. It is immutable and shared between VMs.
type Chunk struct {
	Name  string // path in Sources; "stdlib/list.lua" for the built-in modules
	Proto *glua.FunctionProto
	// Globals are the globals that the file defines, with the line that does so
	// first. Only main.lua and the tests have any.
	Globals map[string]int
}

// isTest reports whether a file holds tests of the scripts.
func isTest(name string) bool { return strings.HasSuffix(name, "_test.lua") }

// definesGlobals reports whether a file may define globals: the hooks, or the
// tests.
func definesGlobals(name string) bool { return name == mainFile || isTest(name) }

// compile parses, checks, rewrites and compiles one file.
func compile(name string, src []byte, known knownGlobals) (chunk *Chunk, problems []Problem) {
	if len(src) > maxSource {
		return nil, []Problem{{position(name, 1), fmt.Sprintf("%d bytes are more than a script may have (%d)", len(src), maxSource)}}
	}
	src = bytes.TrimPrefix(src, []byte("\ufeff")) // some editors begin a file with it
	// Both the parser and the compiler panic on input that they did not expect.
	defer func() {
		if r := recover(); r != nil {
			chunk, problems = nil, []Problem{{position(name, 1), "cannot be compiled: " + oneLine(fmt.Sprint(r))}}
		}
	}()
	stmts, err := parse.Parse(bytes.NewReader(src), name)
	if err != nil {
		return nil, []Problem{compileProblem(name, src, err)}
	}
	if line := tooDeep(stmts); line > 0 {
		return nil, []Problem{{position(name, line), fmt.Sprintf("nested deeper than %d levels", maxNesting)}}
	}
	globals, problems := lint(name, stmts, known)
	if len(problems) > 0 {
		return nil, problems
	}
	proto, err := glua.Compile(rewrite(stmts), name)
	if err != nil {
		return nil, []Problem{compileProblem(name, src, err)}
	}
	return &Chunk{Name: name, Proto: proto, Globals: globals}, nil
}
