package main

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
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

// maxProblems is how many problems of a file are told: one with more is another kind of
// file.
const maxProblems = 20

// parseSettings reads lines such as "max-connections = 50000". A line that begins with
// # is a comment, and so is the rest of a line from a # on that stands behind a blank.
// Names are those of known, each once. What it says of a line that is none of these
// shows nothing of it but what looks like a name: it may be of a file that holds secrets.
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
		if len(wrong.problems) == maxProblems {
			wrong.add(file, number, "this and what follows was not looked at: is it the settings file?")
			break
		}
		if strings.ContainsFunc(strings.TrimRight(line, "\r\n"), isControl) {
			wrong.add(file, number, "there is a control character in the line; lines end with LF or CR LF")
			continue
		}
		line = strings.TrimSpace(withoutComment(line))
		if line == "" {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		name, value = strings.TrimSpace(name), strings.TrimSpace(value)
		switch {
		case !found:
			wrong.add(file, number, "%s is no setting: write name = value", begins(line, known))
		case name == "settings":
			wrong.add(file, number, "the file cannot say which file is read: that is --settings or STRATIX_SETTINGS")
		case !slices.Contains(known, name):
			hint := "; stratix serve --help lists them"
			if near := nearest(name, known); near != "" {
				hint = fmt.Sprintf("; did you mean %q?", near)
			}
			wrong.add(file, number, "unknown setting%s%s", named(name), hint)
		case at[name] > 0:
			wrong.add(file, number, "%s is set in line %d already: keep one of them", name, at[name])
		case strings.HasPrefix(value, `"`) || strings.HasPrefix(value, "'"):
			wrong.add(file, number, "%s: write the value without quotes", name)
		default:
			at[name] = number
			lines = append(lines, settingLine{name, value, number})
		}
	}
	return lines, wrong.orNil()
}

func isControl(r rune) bool { return unicode.IsControl(r) && r != '\t' }

// begins names a line by its first word, if that is much like a setting.
func begins(line string, known []string) string {
	word := line
	if end := strings.IndexFunc(line, func(r rune) bool { return !inName(r) }); end >= 0 {
		word = line[:end]
	}
	if nearest(word, known) == "" {
		return "the line"
	}
	return strconv.Quote(word)
}

// nearest is the setting that somebody may have meant; "" for none.
func nearest(name string, known []string) string {
	if len(name) > maxShown {
		return ""
	}
	name = strings.TrimPrefix(strings.ReplaceAll(strings.TrimLeft(strings.ToLower(name), "-"), "_", "-"), "stratix-")
	return core.Nearest(name, known)
}

// maxShown is the longest name that is shown, in bytes; secrets are longer.
const maxShown = 32

// named is a name with a blank before it, if it can be one.
func named(name string) string {
	if len(name) > maxShown || strings.ContainsFunc(name, func(r rune) bool { return !inName(r) }) {
		return ""
	}
	return " " + strconv.Quote(name)
}

func inName(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || r == '-' || r == '_'
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
