package jwt

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
	"github.com/stratix-gateway/stratix/core/token"
)

const secret = coretest.Secret

// noon is when the tests take place.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// kinds is the private key of each algorithm.
var kinds = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P256", "ES384": "P384", "ES512": "P521", "EdDSA": "Ed",
}

// What tokens and keys are made with.
var (
	signers    = coretest.Signers
	publicPEM  = coretest.PublicPEM
	sign       = coretest.SignToken
	signParts  = coretest.SignParts
	jwkSet     = coretest.KeySet
	algorithms = token.Algorithms
)

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

type claims map[string]any

// good are the claims of alice's token, with changes.
func good(changes claims) claims {
	c := claims{"sub": "alice", "iss": "issuer", "aud": "gateway", "exp": noon.Add(time.Hour).Unix(), "role": "admin"}
	for name, v := range changes {
		if v == nil {
			delete(c, name)
		} else {
			c[name] = v
		}
	}
	return c
}

// opened is a started stage.
func opened(t testing.TB, values map[string]any, files map[string]string) *stage {
	t.Helper()
	return coretest.Open(t, "jwt", values, files).(*stage)
}

// ask is what the stage says to a client with a token: "ok", or status and code.
func ask(t testing.TB, s *stage, id, token string) (said string, g core.Grant) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	err := s.Admit(ctx, &core.Handshake{ClientID: id, Token: token, Now: noon}, &g)
	var d *core.Denial
	switch {
	case err == nil:
		return "ok", g
	case !errors.As(err, &d):
		return err.Error(), g
	}
	for part := range strings.SplitSeq(token, ".") {
		if len(part) > 8 && strings.Contains(d.Text, part) {
			t.Errorf("the error holds a part of the token: %s", d.Text)
		}
	}
	return d.Code, g
}
