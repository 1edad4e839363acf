package coretest

import (
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"encoding/pem"
	"sync"
	"testing"

	"github.com/go-jose/go-jose/v4"
	"github.com/golang-jwt/jwt/v5"
)

// Secret is a shared secret of 64 bytes.
const Secret = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef"

// Signers are a private key of each kind, made once: RSA, RSA2, P256, P384, P521, Ed.
var Signers = sync.OnceValue(func() map[string]crypto.Signer {
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

// PublicPEM is the public half of a Signer.
func PublicPEM(t testing.TB, name string) string {
	t.Helper()
	der, err := x509.MarshalPKIXPublicKey(Signers()[name].Public())
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))
}

// SignToken makes a token (JWT). by is the name of a Signer, or a secret; claims
// are JSON as a string, or what becomes it.
func SignToken(t testing.TB, algorithm, kid, by string, claims any) string {
	t.Helper()
	text, isText := claims.(string)
	if !isText {
		text = string(encodeJSON(t, claims))
	}
	head := map[string]any{"alg": algorithm, "typ": "JWT"}
	if kid != "" {
		head["kid"] = kid
	}
	return SignParts(t, algorithm, by, string(encodeJSON(t, head)), text)
}

// SignParts is SignToken for any bytes.
func SignParts(t testing.TB, algorithm, by, head, claims string) string {
	t.Helper()
	encode := base64.RawURLEncoding.EncodeToString
	unsigned := encode([]byte(head)) + "." + encode([]byte(claims))
	var key any = []byte(by)
	if s := Signers()[by]; s != nil {
		key = s
	}
	signature, err := jwt.GetSigningMethod(algorithm).Sign(unsigned, key)
	if err != nil {
		t.Fatal(err)
	}
	return unsigned + "." + encode(signature)
}

// KeySet is a JWK set of the public halves of Signers, or of secrets, by their kid.
func KeySet(t testing.TB, byKid map[string]string) string {
	t.Helper()
	var set jose.JSONWebKeySet
	for kid, name := range byKid {
		var key any = []byte(name)
		if s := Signers()[name]; s != nil {
			key = s.Public()
		}
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key, KeyID: kid, Use: "sig"})
	}
	return string(encodeJSON(t, set))
}

func encodeJSON(t testing.TB, v any) []byte {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return text
}
