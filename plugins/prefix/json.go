package prefix

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/stratix-gateway/stratix/core"
)

// fromJSON reads a routes file. Its error begins with the file and the line.
func fromJSON(file string, text []byte) ([]route, error) {
	f := routesFile{text: text, Decoder: json.NewDecoder(bytes.NewReader(text))}
	routes, err := f.routes()
	if err != nil {
		return nil, fmt.Errorf("%s:%d: %w", file, f.line(), err)
	}
	return routes, nil
}

// routesFile reads a file token by token, so that what is wrong has a line and
// a key that stands twice is seen.
type routesFile struct {
	*json.Decoder
	text []byte
	at   int64 // where an error is, when it is not behind the last token
}

// line numbers the line that reading stopped in.
func (f *routesFile) line() int {
	at := max(f.at, f.InputOffset())
	return 1 + bytes.Count(f.text[:min(at, int64(len(f.text)))], []byte("\n"))
}

func (f *routesFile) routes() ([]route, error) {
	if !utf8.Valid(f.text) {
		f.at = firstInvalid(f.text)
		return nil, errors.New("not valid UTF-8")
	}
	if err := f.delim('{'); err != nil {
		return nil, err
	}
	var routes []route
	seen := map[string]bool{}
	for f.More() {
		prefix, err := f.string("a prefix")
		if err != nil {
			return nil, err
		}
		if seen[prefix] {
			return nil, fmt.Errorf("%q: the prefix stands there twice", prefix)
		}
		seen[prefix] = true
		err = checkPrefix(prefix)
		var targets []core.Target
		if err == nil {
			targets, err = f.targets()
		}
		if err != nil {
			return nil, fmt.Errorf("%q: %w", prefix, err)
		}
		routes = append(routes, route{prefix: prefix, targets: targets})
	}
	if err := f.delim('}'); err != nil {
		return nil, err
	}
	if _, err := f.Token(); err != io.EOF {
		return nil, errors.New("something stands behind the routes")
	}
	return routes, nil
}

// targets reads one target or a list of them.
func (f *routesFile) targets() ([]core.Target, error) {
	first, err := f.token()
	if err != nil {
		return nil, err
	}
	if first != json.Delim('[') {
		t, err := f.target(first)
		return []core.Target{t}, err
	}
	var targets []core.Target
	for f.More() {
		token, err := f.token()
		if err != nil {
			return nil, err
		}
		t, err := f.target(token)
		if err == nil {
			targets, err = addTarget(targets, t)
		}
		if err != nil {
			return nil, err
		}
	}
	if err := f.delim(']'); err != nil {
		return nil, err
	}
	if len(targets) == 0 {
		return nil, errNoTarget
	}
	return targets, nil
}

// target reads the target that begins with the token first.
func (f *routesFile) target(first json.Token) (core.Target, error) {
	if word, ok := first.(string); ok {
		return senderTarget(word)
	}
	if first != json.Delim('{') || !f.More() {
		return core.Target{}, errors.New(forms)
	}
	word, err := f.string("a kind of target")
	if err != nil {
		return core.Target{}, err
	}
	kind, err := kindOf(word)
	if err != nil {
		return core.Target{}, err
	}
	name, err := f.string("the name of the " + word)
	if err != nil {
		return core.Target{}, err
	}
	t, err := namedTarget(kind, name)
	if err != nil {
		return core.Target{}, err
	}
	if f.More() {
		if _, err := f.token(); err != nil {
			return core.Target{}, err
		}
		return core.Target{}, errors.New(forms)
	}
	return t, f.delim('}')
}

func (f *routesFile) delim(want json.Delim) error {
	token, err := f.token()
	if err == nil && token != want {
		err = fmt.Errorf("expected %v", want)
	}
	return err
}

func (f *routesFile) string(what string) (string, error) {
	token, err := f.token()
	if err != nil {
		return "", err
	}
	s, ok := token.(string)
	if !ok {
		return "", fmt.Errorf("expected %s in quotes", what)
	}
	return s, nil
}

func (f *routesFile) token() (json.Token, error) {
	token, err := f.Token()
	if err == nil {
		return token, nil
	}
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		f.at = syntax.Offset
	}
	if err == io.EOF || errors.Is(err, io.ErrUnexpectedEOF) {
		f.at = int64(len(bytes.TrimRight(f.text, " \t\r\n")))
		return nil, errors.New("the file ends too early")
	}
	return nil, err
}

// firstInvalid is the offset of the first byte that is not UTF-8.
func firstInvalid(text []byte) int64 {
	for at := 0; at < len(text); {
		r, size := utf8.DecodeRune(text[at:])
		if r == utf8.RuneError && size == 1 {
			return int64(at)
		}
		at += size
	}
	return int64(len(text))
}
