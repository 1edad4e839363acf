package token

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
)

func encode(text string) string { return base64.RawURLEncoding.EncodeToString([]byte(text)) }

// Whatever the header names, nothing is good but what one of the keys' owners has
// signed.
func FuzzForgedTokens(f *testing.F) {
	owners := map[string][]string{
		"RSA": {"RS256", "RS384", "RS512", "PS256", "PS384", "PS512"}, "P256": {"ES256"}, "P384": {"ES384"}, "P521": {"ES512"}, "Ed": {"EdDSA"},
	}
	byKid := map[string]string{}
	for by := range owners {
		byKid[by] = by
	}
	all, err := parseSet([]byte(coretest.KeySet(f, byKid)), false)
	if err != nil {
		f.Fatal(err)
	}
	bodies := map[string]bool{}
	for by, fit := range owners {
		for _, algorithm := range fit {
			token := coretest.SignToken(f, algorithm, by, by, map[string]any{"sub": "alice"})
			if said := says(f, all, token); said != "ok" {
				f.Fatal(algorithm, said)
			}
			parts := strings.SplitN(token, ".", 3)
			bodies[parts[1]] = true
			f.Add(fmt.Sprintf(`{"alg":%q,"kid":%q}`, algorithm, by), parts[1], parts[2])
			f.Add(`{"alg":"none"}`, parts[1], "")
			f.Add(fmt.Sprintf(`{"alg":"HS256","kid":%q}`, by), encode(`{"sub":"root"}`), parts[2])
			f.Add(fmt.Sprintf(`{"alg":%q,"jwk":{"kty":"oct","k":"AAAA"},"jku":"http://127.0.0.1/","x5u":"x"}`, algorithm), encode(`{"sub":"root"}`), parts[2])
		}
	}
	f.Fuzz(func(t *testing.T, head, body, signature string) {
		if says(t, all, encode(head)+"."+body+"."+signature) == "ok" && !bodies[body] {
			t.Errorf("%s with %s and %s is good", head, body, signature)
		}
	})
}

// A key that an operator gives is read or refused, and what is read can be used.
func FuzzKeys(f *testing.F) {
	for _, name := range []string{"RSA", "P256", "Ed"} {
		f.Add([]byte(coretest.PublicPEM(f, name)))
	}
	f.Add([]byte(coretest.Secret))
	f.Add([]byte(coretest.KeySet(f, map[string]string{"a": "RSA", "b": coretest.Secret})))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := Parse(text)
		if (err == nil) != (len(all) > 0) || len(all) > maxKeys {
			t.Fatalf("%d keys and %v", len(all), err)
		}
		for _, algorithm := range Algorithms {
			if says(t, all, encode(`{"alg":"`+algorithm+`"}`)+"."+encode(`{"sub":"alice"}`)+"."+encode("x")) == "ok" {
				t.Errorf("%q is the key of what nobody signed", text)
			}
		}
	})
}
