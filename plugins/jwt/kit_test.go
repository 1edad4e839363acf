package jwt

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/coretest"
)

const secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef" // 64 bytes

// noon is when the tests take place.
var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// signers are a private key of each kind, made once.
var signers = sync.OnceValue(func() map[string]crypto.Signer {
	all := map[string]crypto.Signer{}
	must := func(name string, k crypto.Signer, err error) {
		if err != nil {
			panic(err)
		}
		all[name] = k
	}
	r, err := rsa.GenerateKey(rand.Reader, 2048)
	must("RSA", r, err)
	r, err = rsa.GenerateKey(rand.Reader, 2048)
	must("RSA2", r, err)
	for name, curve := range map[string]elliptic.Curve{"P256": elliptic.P256(), "P384": elliptic.P384(), "P521": elliptic.P521()} {
		e, err := ecdsa.GenerateKey(curve, rand.Reader)
		must(name, e, err)
	}
	_, ed, err := ed25519.GenerateKey(rand.Reader)
	must("Ed", ed, err)
	return all
})

// kinds is the private key of each algorithm.
var kinds = map[string]string{
	"RS256": "RSA", "RS384": "RSA", "RS512": "RSA", "PS256": "RSA", "PS384": "RSA", "PS512": "RSA",
	"ES256": "P256", "ES384": "P384", "ES512": "P521", "EdDSA": "Ed",
}

// publicPEM is the public half of a private key.
func publicPEM(t testing.TB, name string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(signers()[name].Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// sign makes a token. by is a private key's name, or a secret.
func sign(t testing.TB, algorithm, kid, by string, claims any) string {
	t.Helper()
	text, err := json.Marshal(claims)
	if raw, ok := claims.(string); ok {
		text = []byte(raw)
	}
	if err != nil {
		t.Fatal(err)
	}
	head := map[string]any{"alg": algorithm, "typ": "JWT"}
	if kid != "" {
		head["kid"] = kid
	}
	return signParts(t, algorithm, by, mustJSON(t, head), string(text))
}

func mustJSON(t testing.TB, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// signParts is sign for any bytes.
func signParts(t testing.TB, algorithm, by, head, claims string) string {
	t.Helper()
	unsigned := encode(head) + "." + encode(claims)
	var key any = []byte(by)
	if s := signers()[by]; s != nil {
		key = s
	}
	signature, err := jwt.GetSigningMethod(algorithm).Sign(unsigned, key)
	if err != nil {
		t.Fatal(err)
	}
	return unsigned + "." + encode(string(signature))
}

func encode(text string) string {
	var t jwt.Token
	return t.EncodeSegment([]byte(text))
}

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

// jwkSet is a key set of the public halves, or secrets, by kid.
func jwkSet(t testing.TB, byKid map[string]string) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for kid, name := range byKid {
		var key any = []byte(name)
		if s := signers()[name]; s != nil {
			key = s.Public()
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"})
	}
	return mustJSON(t, set)
}
