package lua

import (
	"fmt"
	"strings"
	"testing"

	"github.com/yuin/gopher-lua/pm"
)

// matchText describes what a pattern finds in subject from init on, with all
// captures; "over" when it needs more than that many steps.
func matchText(p *pattern, subject string, init, steps int) string {
	m := matcher{pattern: p, subject: subject, steps: steps}
	from, to, ok := m.find(init)
	switch {
	case m.steps < 0:
		return "over"
	case !ok:
		return "none"
	}
	text := fmt.Sprintf("%d-%d", from, to)
	for i := range p.captures {
		if m.spans[i].to == positionOnly {
			text += fmt.Sprintf(" @%d", m.spans[i].from)
		} else {
			text += fmt.Sprintf(" %q", m.captured(i))
		}
	}
	return text
}

func TestPatterns(t *testing.T) {
	f := func(subject, source, want string) {
		t.Helper()
		p, err := compilePattern(source, true)
		if err != nil {
			t.Fatalf("%s: %v", source, err)
		}
		if got := matchText(p, subject, 0, 100_000); got != want {
			t.Errorf("%q in %q gives %s, want %s", source, subject, got, want)
		}
	}
	f("hello", "l", "2-3")
	f("hello", "", "0-0")
	f("", "a*", "0-0")
	f("", ".", "none")
	f("hello", "^h", "0-1")
	f("hello", "^e", "none")
	f("a^b", "a^b", "0-3")
	f("a$b", "a$b", "0-3")
	f("ab", "b$", "1-2")
	f("ab", "$", "2-2")
	f("*a", "*a", "0-2")
	f("a**", "a**", "0-2")
	f("a)b", "%)", "1-2")
	f("aab", "(a*)(a?)(a-)b", `0-3 "aa" "" ""`)
	f("xabcabcx", "(a(b)c)%1", `1-7 "abc" "b"`)
	f("key=val", "()(%w+)=(%w+)()", `0-7 @0 "key" "val" @7`)
	f("f(a(b)c)d", "%b()", "1-8")
	f("((", "%b()", "none")
	f("aba", "%baa", "0-3")
	f("THE fox", "%f[%l]%a+", "4-7")
	f("THE", "%f[%z]", "3-3")
	f("a-b]c", "[%-%]]+", "1-2")
	f("a-b]c", "[]-]+", "1-2")
	f("a%b", "[%%]", "1-2")
	f("a\x00b", "%z", "1-2")
	f("\xff\x80", "[\x80-\xff]+", "0-2")
	f(strings.Repeat("a", 5000), "(a?)a*$", "0-5000 \"a\"")
	f(strings.Repeat("a", 300), strings.Repeat("a-", 20)+"b", "over")
	f(strings.Repeat("a", 300), strings.Repeat("a*", 20)+"b", "over")
	f(strings.Repeat("(", 1000), "%b()", "over")
}

func TestTheStepLimitBoundsTheWork(t *testing.T) {
	f := func(subject, source string, steps int) {
		t.Helper()
		p, err := compilePattern(source, true)
		if err != nil {
			t.Fatal(err)
		}
		m := matcher{pattern: p, subject: subject, steps: steps}
		m.find(0)
		if m.steps < -maxRepeats {
			t.Errorf("%q on %d bytes went on for %d steps", source, len(subject), -m.steps)
		}
	}
	long := strings.Repeat("a", 10_000)
	for _, steps := range []int{0, 1, 10, 1000, 100_000} {
		f(long, strings.Repeat("a-", 50)+"b", steps)
		f(long, strings.Repeat("a*", 50)+"b", steps)
		f(long, strings.Repeat("a?", 200)+"b", steps)
		f(long, "(a*)%1b", steps)
		f(long, "%baab", steps)
		f(long, ".-.-b", steps)
	}
}

// FuzzPattern holds the matcher against gopher-lua's own, where that one
// follows Lua 5.1.
func FuzzPattern(f *testing.F) {
	for _, seed := range [][2]string{
		{"hello world", "o w"}, {"key = value", "(%w+)%s*=%s*(%w+)"}, {"  trim ", "^%s*(.-)%s*$"}, {"aaa", "(a*)(a?)b"},
		{"f(a(b)c)d", "%b()"}, {"xabcabcx", "(a(b)c)%1"}, {"a.b-c", "[%.%-]"}, {"abc", "()"}, {"a$b^c", "a$b^c"}, {"]]", "[]]+"}, {"x", "[^]]"},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, subject, source string) {
		if len(subject) > 12 || len(source) > 12 {
			return // gopher-lua takes exponential time
		}
		p, err := compilePattern(source, true)
		if err != nil {
			return
		}
		got := matchText(p, subject, 0, 1_000_000)
		if !comparable51(source) {
			return
		}
		found, err := pm.Find(source, []byte(subject), 0, 1)
		if err != nil {
			t.Fatalf("%q is refused: %v", source, err)
		}
		want := "none"
		if len(found) > 0 {
			md := found[0]
			want = fmt.Sprintf("%d-%d", md.Capture(0), md.Capture(1))
			for i := 2; i < md.CaptureLength(); i += 2 {
				if md.IsPosCapture(i) {
					want += fmt.Sprintf(" @%d", md.Capture(i)-1)
				} else {
					want += fmt.Sprintf(" %q", subject[md.Capture(i):md.Capture(i+1)])
				}
			}
		}
		if got != want {
			t.Errorf("%q in %q gives %s, gopher-lua %s", source, subject, got, want)
		}
	})
}

// comparable51 leaves out what gopher-lua reads in another way than Lua 5.1:
// the frontier, classes that are no letters, ranges of sets and what a $, a ) or
// a repetition means in odd places.
func comparable51(source string) bool {
	for i := 0; i < len(source); i++ {
		switch c := source[i]; {
		case c >= 0x80, c == '[', c == ']':
			return false
		case c == '%':
			if i++; i == len(source) || !strings.ContainsRune("acdlpsuwxzACDLPSUWXZ.-+*?()[]^$%", rune(source[i])) {
				return false
			}
		case c == '$' && i < len(source)-1:
			return false
		case strings.IndexByte("*+-?", c) >= 0 && (i == 0 || strings.IndexByte("()^$*+-?", source[i-1]) >= 0):
			return false
		}
	}
	return true
}
