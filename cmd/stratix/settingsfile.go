package main

import (
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

// settingLine is one line of a settings file that sets something.
type settingLine struct {
	name, value string
	number      int // of the line, from 1
}

// settingsError is what is wrong with a settings file: a line for each problem, with
// the file and the line it is in.
type settingsError struct{ problems []string }

func (e *settingsError) Error() string { return strings.Join(e.problems, "\n") }

// add notes a problem; number is 0 where no line is to blame.
func (e *settingsError) add(file string, number int, format string, args ...any) {
	at := file
	if number > 0 {
		at = fmt.Sprintf("%s:%d", file, number)
	}
	e.problems = append(e.problems, at+": "+fmt.Sprintf(format, args...))
}

// orNil is e if it holds a problem.
func (e *settingsError) orNil() error {
	if len(e.problems) == 0 {
		return nil
	}
	return e
}

// parseSettings reads lines such as "max-connections = 50000". A line that begins with
// # is a comment, and so is the rest of a line from a # on that stands behind a blank.
// Names are those of known, each once.
func parseSettings(file, text string, known []string) (lines []settingLine, err error) {
	var wrong settingsError
	if !utf8.ValidString(text) || strings.ContainsRune(text, 0) {
		wrong.add(file, 0, "it is no text in UTF-8")
		return nil, &wrong
	}
	text = strings.TrimPrefix(text, "\ufeff")
	at := map[string]int{}
	number := 0
	for line := range strings.Lines(text) {
		number++
		line = strings.TrimSpace(withoutComment(line))
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !found:
			wrong.add(file, number, "%.100q is no setting: write name = value", line)
		case name == "settings":
			wrong.add(file, number, "the file cannot say which file is read: that is --settings or STRATIX_SETTINGS")
		case !slices.Contains(known, name):
			hint := "; stratix serve --help lists them"
			if near := core.Nearest(strings.ReplaceAll(strings.TrimLeft(name, "-"), "_", "-"), known); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			wrong.add(file, number, "unknown setting %.100q%s", name, hint)
		case at[name] > 0:
			wrong.add(file, number, "%s is set in line %d already: keep one of them", name, at[name])
		default:
			at[name] = number
			lines = append(lines, settingLine{name, value, number})
		}
	}
	return lines, wrong.orNil()
}

// withoutComment cuts off what a # begins at the start or behind a blank.
func withoutComment(line string) string {
	for i := range len(line) {
		if line[i] == '#' && (i == 0 || line[i-1] == ' ' || line[i-1] == '\t') {
			return line[:i]
		}
	}
	return line
}
