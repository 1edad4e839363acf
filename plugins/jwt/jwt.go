// Package jwt is stage.jwt: it lets clients in by the token that they bring, and
// under the ClientID that it is for.
package jwt

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/token"
)

// maxLeeway bounds how wrong a clock may be.
const maxLeeway = 10 * time.Minute

func init() {
	core.Register(core.Plugin{
		Name:     "jwt",
		Doc:      "Lets clients in by their token (JWT), under the ClientID that it is for; scripts read its claims.",
		Settings: &settings{},
		Open:     open,
	})
}

type settings struct {
	Key           string        `lua:"key" doc:"The key itself: the shared secret of HS256, HS384 and HS512, or a public key in PEM."`
	KeyFile       string        `lua:"key_file" doc:"The file of the key: a secret, PEM, or a JWK set; in the scripts folder, or an absolute path. It is read again when it changes."`
	JWKS          string        `lua:"jwks" doc:"The https URL of the issuer's key set."`
	Algorithms    []string      `lua:"algorithms,required" doc:"The algorithms that tokens may be signed with, such as RS256 or EdDSA; nothing is guessed."`
	Issuer        string        `lua:"issuer" doc:"What the claim iss must be; not looked at by default."`
	Audience      any           `lua:"audience" doc:"What the claim aud must hold: a string, or a list of which one is enough; not looked at by default."`
	Leeway        time.Duration `lua:"leeway" doc:"How far the clocks of the issuer and the gateway may be apart; 30s by default."`
	Client        string        `lua:"client" doc:"The claim that must be the ClientID; sub by default."`
	ClientPattern string        `lua:"client_pattern" doc:"What the ClientID must look like, in place of client: {sub} stands for that claim, * at the end for one or more characters."`
	Required      bool          `lua:"required" doc:"Refuses clients without a token; true by default."`
}

func open(c core.Config, env *core.Env) (core.Stage, error) {
	s := settings{Leeway: 30 * time.Second, Required: true}
	if err := c.Decode(&s); err != nil {
		return nil, err
	}
	if err := s.checkAlgorithms(c); err != nil {
		return nil, err
	}
	if s.Leeway > maxLeeway {
		return nil, c.Errorf("leeway", "expected at most %v, got %v", maxLeeway, s.Leeway)
	}
	audience, err := s.audience(c)
	if err != nil {
		return nil, err
	}
	name, err := s.name(c)
	if err != nil {
		return nil, err
	}
	keys, err := s.source(c, env)
	if err != nil {
		return nil, err
	}
	return &stage{
		Verifier: token.Verifier{Keys: keys, Algorithms: s.Algorithms, Issuer: s.Issuer, Audience: audience, Leeway: s.Leeway},
		name:     name, required: s.Required,
	}, nil
}

func (s *settings) checkAlgorithms(c core.Config) error {
	if len(s.Algorithms) == 0 {
		return c.Errorf("algorithms", `expected at least one, such as {"RS256"}`)
	}
	for _, a := range s.Algorithms {
		if err := token.CheckAlgorithm(a); err != nil {
			return c.Errorf("algorithms", "%w", err)
		}
	}
	return nil
}

// audience is the list of which a token must name one; empty for any.
func (s *settings) audience(c core.Config) ([]string, error) {
	list, isList := s.Audience.([]any)
	if !isList && s.Audience != nil {
		list = []any{s.Audience}
	}
	var all []string
	for _, v := range list {
		text, ok := v.(string)
		if !ok || text == "" {
			return nil, c.Errorf("audience", "expected a string or a list of strings")
		}
		all = append(all, text)
	}
	if s.Audience != nil && all == nil {
		return nil, c.Errorf("audience", "expected at least one")
	}
	return all, nil
}

// name is what the settings want of a ClientID.
func (s *settings) name(c core.Config) (pattern, error) {
	_, hasClient := c.Values["client"]
	_, hasPattern := c.Values["client_pattern"]
	switch {
	case hasClient && hasPattern:
		return pattern{}, c.Errorf("client_pattern", "client and client_pattern are both given: keep one of them")
	case hasPattern:
		p, err := parsePattern(s.ClientPattern)
		if err != nil {
			return pattern{}, c.Errorf("client_pattern", "%w", err)
		}
		return p, nil
	case !hasClient:
		s.Client = "sub"
	}
	path, err := parsePath(s.Client)
	if err != nil {
		return pattern{}, c.Errorf("client", "%w", err)
	}
	return pattern{parts: []part{{claim: path}}}, nil
}

// source is where the keys come from.
func (s *settings) source(c core.Config, env *core.Env) (token.Source, error) {
	given := ""
	for _, key := range []string{"key", "key_file", "jwks"} {
		if _, ok := c.Values[key]; !ok {
			continue
		}
		if given != "" {
			return nil, c.Errorf(key, "%s and %s are both given: keep one of them", given, key)
		}
		given = key
	}
	switch given {
	case "key":
		keys, err := s.parse([]byte(s.Key))
		if err != nil {
			return nil, c.Errorf("key", "%w", err)
		}
		return keys, nil
	case "key_file":
		return s.file(c, env)
	case "jwks":
		if err := token.CheckURL(s.JWKS); err != nil {
			return nil, c.Errorf("jwks", "%w", err)
		}
		return &shared{url: s.JWKS, algorithms: s.Algorithms, env: env}, nil
	}
	return nil, c.Errorf("", `the key is missing: give key_file = "/etc/stratix/jwt.pem", jwks = "https://..." or key`)
}

// parse reads keys, of which one must fit each of the algorithms.
func (s *settings) parse(text []byte) (token.Keys, error) {
	all, err := token.Parse(text)
	if err != nil {
		return nil, err
	}
	return all, all.Cover(s.Algorithms)
}

// file is a key file: one of the scripts folder is read now, and a change of it
// makes another generation; one elsewhere is read when the stage starts, since a
// check may run where it is not.
func (s *settings) file(c core.Config, env *core.Env) (token.Source, error) {
	if filepath.IsAbs(s.KeyFile) {
		return &file{token.File{
			Name: s.KeyFile, Log: env.Log, Guarded: true, ForGroup: true,
			Accept: func(all token.Keys) error { return all.Cover(s.Algorithms) },
		}}, nil
	}
	text, err := env.ReadFile(s.KeyFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, c.Errorf("key_file", "%.200q is not in the scripts folder, of which *.lua, *.json and *.txt are read; a file elsewhere needs an absolute path", s.KeyFile)
	}
	if err != nil {
		return nil, c.Errorf("key_file", "%w", err)
	}
	all, err := s.parse(text)
	if err != nil {
		return nil, c.Errorf("key_file", "%s: %w", s.KeyFile, err)
	}
	return all, nil
}

// file is a key file outside of the scripts folder.
type file struct{ token.File }

// Start names the setting in its error.
func (f *file) Start(ctx context.Context) error {
	if err := f.File.Start(ctx); err != nil {
		return fmt.Errorf("key_file %w", err)
	}
	return nil
}
