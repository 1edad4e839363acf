package coretest

import (
	"os"
	"strings"
	"testing"
	"text/scanner"
)

// Fences returns the fenced blocks of a Markdown file in the given language, so
// that a test can run what a README shows. The test fails when there is none.
func Fences(t testing.TB, file, language string) []string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var blocks []string
	_, rest, found := strings.Cut("\n"+string(text), "\n```"+language+"\n")
	for found {
		block, after, closed := strings.Cut(rest, "\n```\n")
		if !closed {
			t.Fatalf("%s: a block of %s has no end", file, language)
		}
		blocks = append(blocks, block+"\n")
		_, rest, found = strings.Cut("\n"+after, "\n```"+language+"\n")
	}
	if blocks == nil {
		t.Fatalf("%s: no block of %s", file, language)
	}
	return blocks
}

// Stage is one `stage.name { key = value }` of a script.
type Stage struct {
	Name   string
	Values map[string]any
}

// Stages reads Lua source that consists of such stages with literal values
// only: strings, numbers, booleans, tables and comments. Anything else fails
// the test; whole scripts are for the Lua engine.
func Stages(t testing.TB, source string) []Stage {
	t.Helper()
	r := &literals{t: t}
	r.Init(strings.NewReader(source))
	r.Mode = scanner.ScanIdents | scanner.ScanInts | scanner.ScanFloats | scanner.ScanStrings
	r.Error = func(_ *scanner.Scanner, problem string) { r.fail(problem) }
	var stages []Stage
	for r.next(); r.token != scanner.EOF; r.accept(',') {
		r.want("stage")
		r.want(".")
		s := Stage{Name: r.TokenText()}
		r.next()
		if r.token != '{' {
			r.fail("want a table")
		}
		switch v := r.value().(type) {
		case map[string]any:
			s.Values = v
		case []any:
			if len(v) > 0 {
				r.fail("want settings with names")
			}
			s.Values = map[string]any{}
		}
		stages = append(stages, s)
	}
	return stages
}
