// Package jwt is stage.jwt: it lets clients in by the token that they bring, and
// under the ClientID that it is for.
package jwt

import (
	"slices"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
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

// algorithms are those that a stage can be told to take, none of which is "none".
var algorithms = []string{
	"HS256", "HS384", "HS512", "RS256", "RS384", "RS512", "PS256", "PS384", "PS512", "ES256", "ES384", "ES512", "EdDSA",
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
		keys: keys, algorithms: s.Algorithms, issuer: s.Issuer, audience: audience,
		leeway: s.Leeway, name: name, required: s.Required,
	}, nil
}

func (s *settings) checkAlgorithms(c core.Config) error {
	if len(s.Algorithms) == 0 {
		return c.Errorf("algorithms", `expected at least one, such as {"RS256"}`)
	}
	for _, a := range s.Algorithms {
		if slices.Contains(algorithms, a) {
			continue
		}
		if strings.EqualFold(a, "none") {
			return c.Errorf("algorithms", "%q would let everybody in: a token without a signature says nothing", a)
		}
		hint := ""
		if near := core.Nearest(a, algorithms); near != "" {
			hint = `; did you mean "` + near + `"?`
		}
		return c.Errorf("algorithms", "unknown algorithm %.40q%s", a, hint)
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
	return pattern{text: "{" + s.Client + "}", parts: []part{{claim: path}}}, nil
}

// source is where the keys come from.
func (s *settings) source(c core.Config, env *core.Env) (source, error) {
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
		keys, err := parseKeys([]byte(s.Key), s.Algorithms)
		if err != nil {
			return nil, c.Errorf("key", "%w", err)
		}
		return fixed{keys}, nil
	case "key_file":
		return openFile(c, env, s)
	case "jwks":
		if err := checkURL(s.JWKS); err != nil {
			return nil, c.Errorf("jwks", "%w", err)
		}
		return &fetched{url: s.JWKS, algorithms: s.Algorithms, env: env}, nil
	}
	return nil, c.Errorf("", `the key is missing: give key_file = "/etc/stratix/jwt.pem", jwks = "https://..." or key`)
}
