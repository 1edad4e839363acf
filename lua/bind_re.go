package lua

import (
	"errors"
	"fmt"
	"regexp"
	"regexp/syntax"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// Bounds on a regular expression.
const (
	maxExpression = 2048 // bytes
	maxProgram    = 2000 // instructions of its program
	maxSubmatches = 32
	maxTemplate   = 1024 // bytes of a replacement
	// expressionStep is how many instructions of a program cost one of the
	// budget for each byte of a text: at the worst all of them look at each byte.
	expressionStep = 16
	// compiledStep is how many bytes such an instruction takes, twice compiled.
	compiledStep = 160
)

// newExpression is stratix.re(pattern).
func (in *instance) newExpression(L *glua.LState) int {
	const name = "stratix.re"
	in.onlyWhileLoading(L, name)
	pattern := argString(L, 1, name, "a pattern")
	in.vm.charge(1 + len(pattern)*bytesPerInstruction)
	e, err := in.load.shared.expression(pattern)
	if err != nil {
		L.RaiseError("%s: %s", name, err)
	}
	in.vm.chargeBytes(e.steps * compiledStep) // also where another shard has compiled it
	L.Push(in.object(in.expressionType, e))
	return 1
}

// expression compiles a pattern once for all shards.
func (s *shared) expression(pattern string) (*expression, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if e := s.patterns[pattern]; e != nil {
		return e, nil
	}
	e, err := compileExpression(pattern)
	if err == nil {
		s.patterns[strings.Clone(pattern)] = e
	}
	return e, err
}

func compileExpression(pattern string) (*expression, error) {
	if len(pattern) > maxExpression {
		return nil, fmt.Errorf("the pattern is longer than %d bytes", maxExpression)
	}
	parsed, err := syntax.Parse(pattern, syntax.Perl)
	var program *syntax.Prog
	if err == nil {
		program, err = syntax.Compile(parsed.Simplify())
	}
	if err != nil {
		var fault *syntax.Error
		if errors.As(err, &fault) {
			return nil, fmt.Errorf("%s in the pattern: `%s`", fault.Code, fault.Expr)
		}
		return nil, err
	}
	switch n := len(program.Inst); {
	case n > maxProgram:
		return nil, fmt.Errorf("the pattern makes a program of %d steps, more than %d; smaller counts in {} help", n, maxProgram)
	case parsed.MaxCap() > maxSubmatches:
		return nil, fmt.Errorf("the pattern has %d groups, more than %d; (?:...) groups without capturing", parsed.MaxCap(), maxSubmatches)
	}
	compiled, err := regexp.Compile(pattern)
	if err != nil {
		return nil, err
	}
	return &expression{compiled, len(program.Inst), 1 + len(program.Inst)/expressionStep}, nil
}

func (in *instance) expressionVerbs() functions {
	return functions{"test": in.expressionTest, "match": in.expressionMatch, "replace": in.expressionReplace}
}

// expressionCall returns the object and the text of a call, which it charges.
func (in *instance) expressionCall(L *glua.LState, verb string) (*expression, string) {
	e := receiver[*expression](L, "re:"+verb+"(text)")
	text := argString(L, 2, "re:"+verb, "a text")
	in.vm.charge(1 + len(text)*e.cost)
	return e, text
}

func (in *instance) expressionTest(L *glua.LState) int {
	e, text := in.expressionCall(L, "test")
	L.Push(glua.LBool(e.MatchString(text)))
	return 1
}

// expressionMatch pushes the groups, or the match where there are none. A group
// that took no part is "".
func (in *instance) expressionMatch(L *glua.LState) int {
	e, text := in.expressionCall(L, "match")
	at := e.FindStringSubmatchIndex(text)
	if at == nil {
		L.Push(glua.LNil)
		return 1
	}
	if len(at) > 2 {
		at = at[2:]
	}
	for i := 0; i < len(at); i += 2 {
		part := ""
		if at[i] >= 0 {
			part = text[at[i]:at[i+1]]
		}
		in.vm.chargeBytes(len(part))
		L.Push(in.boxes.str(part))
	}
	return len(at) / 2
}

// expressionReplace is re:replace(text, with): with may have $1 and ${name}; the
// result is the text and how often something was replaced.
func (in *instance) expressionReplace(L *glua.LState) int {
	e, text := in.expressionCall(L, "replace")
	with := argString(L, 3, "re:replace", "a replacement after the text")
	if len(with) > maxTemplate {
		L.RaiseError("re:replace: the replacement is longer than %d bytes", maxTemplate)
	}
	all := e.FindAllStringSubmatchIndex(text, -1)
	if len(all) == 0 {
		L.Push(L.Get(2))
		L.Push(in.boxes.number(0))
		return 2
	}
	references := strings.Count(with, "$")
	var out []byte
	kept := 0
	for _, at := range all {
		out = in.vm.appendBounded(out, text[kept:at[0]])
		// What it may become is bounded before it is made.
		if most := len(with) + references*(at[1]-at[0]); len(out)+most > maxString {
			in.vm.makeRoom(maxString + 1)
		} else {
			in.vm.chargeBytes(most)
		}
		if references == 0 {
			out = append(out, with...)
		} else {
			out = e.ExpandString(out, with, text, at)
		}
		kept = at[1]
	}
	L.Push(luaString(in.vm.appendBounded(out, text[kept:])))
	L.Push(in.boxes.number(float64(len(all))))
	return 2
}
