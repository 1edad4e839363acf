package jwt

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"strings"
	"testing"

	"github.com/stratix-gateway/stratix/core/coretest"
)

// refused checks why the stage does not open with these settings.
func refused(t *testing.T, values map[string]any, files map[string]string, want string) {
	t.Helper()
	err := coretest.Refusal(t, "jwt", values, files)
	if text := err.Error(); !strings.Contains(text, want) || !strings.HasPrefix(text, "main.lua:1: stage.jwt: ") {
		t.Errorf("%q, want %q", text, want)
	}
	if strings.Contains(err.Error(), secret[:12]) {
		t.Errorf("the error holds the secret: %v", err)
	}
}

func TestNothingIsGuessed(t *testing.T) {
	hs := []any{"HS256"}
	f := func(values map[string]any, want string) {
		t.Helper()
		refused(t, values, map[string]string{"short.txt": "short\n", "empty.txt": " \n", "bad.json": `{"keys":5}`}, want)
	}
	f(map[string]any{"key": secret}, `"algorithms" is missing`)
	f(map[string]any{"key": secret, "algorithms": []any{}}, "at least one")
	f(map[string]any{"key": secret, "algorithms": []any{"none"}}, "would let everybody in")
	f(map[string]any{"key": secret, "algorithms": []any{"HS265"}}, `did you mean "HS256"?`)
	f(map[string]any{"algorithms": hs}, "the key is missing")
	f(map[string]any{"key": "", "algorithms": hs}, "key: the key is empty")
	f(map[string]any{"key": secret, "jwks": "https://a/", "algorithms": hs}, "key and jwks are both given")
	f(map[string]any{"key_file": "x", "key": secret, "algorithms": hs}, "key and key_file are both given")
	f(map[string]any{"key": secret[:31], "algorithms": hs}, "there is a secret of 31 bytes; a secret for it has at least 32 bytes")
	f(map[string]any{"key": secret[:32], "algorithms": []any{"HS256", "HS512"}}, "no key fits HS512: there is a secret of 32 bytes; a secret for it has at least 64 bytes")
	f(map[string]any{"key": secret, "algorithms": []any{"RS256"}}, "no key fits RS256: there is a secret of 64 bytes")
	f(map[string]any{"key_file": "no.txt", "algorithms": hs}, "not in the scripts folder")
	f(map[string]any{"key_file": "short.txt", "algorithms": hs}, "short.txt: no key fits")
	f(map[string]any{"key_file": "empty.txt", "algorithms": hs}, "empty.txt: the key is empty")
	f(map[string]any{"key_file": "bad.json", "algorithms": hs}, "no list named keys")
	f(map[string]any{"key": secret, "algorithms": hs, "leeway": "11m"}, "at most 10m0s")
	f(map[string]any{"key": secret, "algorithms": hs, "audience": 5.0}, "a string or a list of strings")
	f(map[string]any{"key": secret, "algorithms": hs, "audience": []any{}}, "at least one")
	f(map[string]any{"key": secret, "algorithms": hs, "audience": ""}, "a string or a list of strings")
	f(map[string]any{"key": secret, "algorithms": hs, "client": "sub", "client_pattern": "*"}, "both given")
	f(map[string]any{"key": secret, "algorithms": hs, "client": ""}, "empty name")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": ""}, "looks like")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "{sub}*"}, "put a character between")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "{a}{b}"}, "touch each other")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "a*b"}, "expected text")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "{sub"}, "expected text")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "sub}"}, "expected text")
	f(map[string]any{"key": secret, "algorithms": hs, "client_pattern": "{a..b}"}, "empty name")
	for url, want := range map[string]string{
		"http://issuer.example.com/keys": "https only", "ftp://127.0.0.1/": "https only", "issuer.example.com": "expected a URL",
		"https://u:p@issuer.example.com/": "user", "http://127.0.0.1.example.com/": "https only", "": "expected a URL",
	} {
		f(map[string]any{"jwks": url, "algorithms": hs}, want)
	}
}

func TestKeysThatNobodyShouldRelyOnAreRefused(t *testing.T) {
	der := func(kind string, bytes []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: bytes}))
	}
	f := func(key, algorithm, want string) {
		t.Helper()
		refused(t, map[string]any{"key": key, "algorithms": []any{algorithm}}, nil, want)
	}
	small, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	f(der("RSA PUBLIC KEY", x509.MarshalPKCS1PublicKey(&small.PublicKey), nil), "RS256", "1024 bits: expected 2048 to 8192")
	private, err := x509.MarshalPKCS8PrivateKey(signers()["RSA"])
	f(der("PRIVATE KEY", private, err), "RS256", "only the issuer should have")
	odd, err := ecdsa.GenerateKey(elliptic.P224(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&odd.PublicKey)
	f(der("PUBLIC KEY", public, err), "ES256", "no key fits ES256: there is an EC key on P-224")
	f(publicPEM(t, "P256"), "ES384", "no key fits ES384: there is an EC key on P-256")
	f("-----BEGIN PUBLIC KEY-----\nAAAA\n-----END PUBLIC KEY-----\n", "RS256", `PEM block "PUBLIC KEY"`)
	f("-----BEGIN PUBLIC KEY-----\n", "HS256", "no valid PEM")
	f(der("DH PARAMETERS", []byte{1}, nil), "RS256", "expected PUBLIC KEY")
}

func TestAFileMayHoldSeveralKeys(t *testing.T) {
	f := func(file string, algorithms []any, tokens map[string]string) {
		t.Helper()
		s := opened(t, map[string]any{"key_file": "keys.json", "algorithms": algorithms}, map[string]string{"keys.json": file})
		for token, want := range tokens {
			if said, _ := ask(t, s, "alice", token); said != want {
				t.Errorf("%s, want %s", said, want)
			}
		}
	}
	rsaToken := func(kid, by string) string { return sign(t, "RS256", kid, by, good(nil)) }
	f(publicPEM(t, "RSA")+publicPEM(t, "RSA2"), []any{"RS256"},
		map[string]string{rsaToken("", "RSA"): "ok", rsaToken("x", "RSA2"): "ok"})
	f(jwkSet(t, map[string]string{"a": "RSA", "b": "RSA2", "c": secret}), []any{"RS256", "HS256"}, map[string]string{
		rsaToken("a", "RSA"): "ok", rsaToken("b", "RSA2"): "ok", rsaToken("", "RSA2"): "ok",
		rsaToken("b", "RSA"): "bad_token", rsaToken("d", "RSA"): "unknown_key",
		sign(t, "HS256", "c", secret, good(nil)): "ok", sign(t, "HS256", "a", publicPEM(t, "RSA"), good(nil)): "unknown_key",
	})
	var set struct{ Keys []json.RawMessage }
	if err := json.Unmarshal([]byte(jwkSet(t, map[string]string{"a": "Ed"})), &set); err != nil {
		t.Fatal(err)
	}
	f(string(set.Keys[0]), []any{"EdDSA"}, map[string]string{sign(t, "EdDSA", "a", "Ed", good(nil)): "ok"})
}
