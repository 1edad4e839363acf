package jwt

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
)

// maxPattern bounds the parts of a pattern, and the keys of a path.
const maxPattern = 16

// pattern is what the ClientID of a token must look like. It is read in one way
// only, so that no two subjects can come under one ClientID: claims do not touch
// each other, and no value but the last holds the character behind it.
type pattern struct {
	parts []part
	open  bool // one or more characters may follow, none of them the one before
}

// part is a text, or else a claim.
type part struct {
	text  string
	claim []string // the path of it
}

// parsePattern reads "user-{sub}-*".
func parsePattern(text string) (pattern, error) {
	rest, open := strings.CutSuffix(text, "*")
	p := pattern{open: open}
	for rest != "" {
		at := strings.IndexAny(rest, "{}*")
		if at < 0 {
			p.parts = append(p.parts, part{text: rest})
			break
		}
		if at > 0 {
			p.parts = append(p.parts, part{text: rest[:at]})
		}
		end := strings.IndexByte(rest, '}')
		if rest[at] != '{' || end < 0 {
			return p, errors.New(`expected text, claims in braces and perhaps one * at the end, such as "user-{sub}-*"`)
		}
		path, err := parsePath(rest[at+1 : end])
		if err != nil {
			return p, err
		}
		if n := len(p.parts); n > 0 && p.parts[n-1].claim != nil {
			return p, errors.New("two claims touch each other: put a character between them, or two clients could claim one ClientID")
		}
		p.parts = append(p.parts, part{claim: path})
		rest = rest[end+1:]
	}
	n := len(p.parts)
	switch {
	case text == "":
		return p, errors.New("expected what a ClientID looks like")
	case n > maxPattern:
		return p, fmt.Errorf("it has more than %d parts", maxPattern)
	case p.open && n > 0 && p.parts[n-1].claim != nil:
		return p, errors.New("put a character between the claim and the *, or one client could come under the ClientIDs of another")
	}
	return p, nil
}

// parsePath reads the path of a claim: keys joined by dots, a backslash takes the
// next character as it is.
func parsePath(text string) ([]string, error) {
	var path []string
	var name strings.Builder
	for i := 0; i <= len(text); i++ {
		switch {
		case i == len(text) || text[i] == '.':
			if name.Len() == 0 {
				return nil, fmt.Errorf("the claim %.40q has an empty name", text)
			}
			path = append(path, name.String())
			name.Reset()
		case text[i] == '\\' && i+1 < len(text):
			i++
			name.WriteByte(text[i])
		default:
			name.WriteByte(text[i])
		}
	}
	if len(path) > maxPattern {
		return nil, fmt.Errorf("the claim %.40q is nested too deep", text)
	}
	return path, nil
}

// matches says why a client with these claims may not be called id; nil if it
// may. The error names claims and never their values.
func (p *pattern) matches(id string, claims map[string]any) error {
	rest := id
	last := 0
	for i, part := range p.parts {
		if part.claim != nil {
			last = i
		}
	}
	for i, part := range p.parts {
		want := part.text
		if part.claim != nil {
			var ok bool
			if want, ok = valueAt(claims, part.claim); !ok {
				return fmt.Errorf("the token has no claim %s that could be part of a clientId", strings.Join(part.claim, "."))
			}
			if i < last && strings.Contains(want, p.parts[i+1].text[:1]) {
				return fmt.Errorf("the claim %s holds what separates it from the next", strings.Join(part.claim, "."))
			}
		}
		var ok bool
		if rest, ok = strings.CutPrefix(rest, want); !ok {
			return p.another()
		}
	}
	if p.open && rest != "" && !strings.Contains(rest, p.before()) {
		return nil
	}
	if p.open || rest != "" {
		return p.another()
	}
	return nil
}

// another is the error of a token that is for another clientId: what it must be, in
// words.
func (p *pattern) another() error {
	var words []string
	for _, part := range p.parts {
		if part.claim != nil {
			words = append(words, "the token's "+strings.Join(part.claim, "."))
		} else {
			words = append(words, strconv.Quote(part.text))
		}
	}
	if p.open {
		words = append(words, "one or more characters")
		if len(p.parts) > 0 {
			words[len(words)-1] += " other than " + strconv.Quote(p.before())
		}
	}
	return errors.New("the token is for another clientId than this one: it must be " + strings.Join(words, ", then "))
}

// before is the character before the *; what cannot be in a ClientID where there
// is none.
func (p *pattern) before() string {
	if len(p.parts) == 0 {
		return "\x00"
	}
	text := p.parts[len(p.parts)-1].text
	return text[len(text)-1:]
}

// valueAt returns a claim that is a string, or a whole number as its digits. An
// empty one names nobody.
func valueAt(claims map[string]any, path []string) (string, bool) {
	var at any = claims
	for _, name := range path {
		object, ok := at.(map[string]any)
		if !ok {
			return "", false
		}
		at = object[name]
	}
	switch v := at.(type) {
	case string:
		return v, v != ""
	case json.Number:
		return v.String(), !strings.ContainsAny(v.String(), ".eE-")
	}
	return "", false
}
