package jwt

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

func TestEveryAlgorithmLetsItsTokensIn(t *testing.T) {
	for _, algorithm := range algorithms {
		by, key := kinds[algorithm], ""
		if by == "" {
			by, key = secret, secret
		} else {
			key = publicPEM(t, by)
		}
		s := opened(t, map[string]any{"key": key, "algorithms": []any{algorithm}}, nil)
		said, g := ask(t, s, "alice", sign(t, algorithm, "", by, good(nil)))
		if said != "ok" || g.Expires != noon.Add(time.Hour+30*time.Second).UnixMilli() {
			t.Errorf("%s: %s, expires %d", algorithm, said, g.Expires)
		}
		var c map[string]any
		if json.Unmarshal(g.Claims, &c) != nil || c["role"] != "admin" {
			t.Errorf("%s: the claims are %s", algorithm, g.Claims)
		}
	}
}

func TestATokenIsGoodOnlyAsItIs(t *testing.T) {
	s := opened(t, map[string]any{"key": secret, "algorithms": []any{"HS256"}, "issuer": "issuer", "audience": "gateway"}, nil)
	f := func(token, want string) {
		t.Helper()
		if said, g := ask(t, s, "alice", token); said != want || (said != "ok") != g.Empty() {
			t.Errorf("%.60s: %s and %+v, want %s", token, said, g, want)
		}
	}
	with := func(changes claims) string { return sign(t, "HS256", "", secret, good(changes)) }
	f(with(nil), "ok")
	f("", "no_token")

	// Dates, with a leeway of 30 s.
	at := func(d time.Duration) int64 { return noon.Add(d).Unix() }
	f(with(claims{"exp": nil}), "ok")
	f(with(claims{"exp": at(-29 * time.Second)}), "ok")
	f(with(claims{"exp": at(-30 * time.Second)}), "token_expired")
	f(with(claims{"exp": float64(at(0)) + 0.5}), "ok")
	f(with(claims{"exp": 0}), "token_expired")
	f(with(claims{"exp": -1}), "bad_token")
	f(with(claims{"exp": "2030-01-01"}), "bad_token")
	f(with(claims{"exp": json.RawMessage("null")}), "bad_token")
	f(with(claims{"exp": json.RawMessage("1e300")}), "bad_token")
	f(with(claims{"exp": 253402300800}), "bad_token")
	f(with(claims{"nbf": at(30 * time.Second)}), "ok")
	f(with(claims{"nbf": at(31 * time.Second)}), "token_not_valid_yet")
	f(with(claims{"nbf": true}), "bad_token")
	f(with(claims{"iat": at(time.Hour)}), "ok") // it says when, not from when on
	f(with(claims{"iat": "now"}), "bad_token")

	// For whom it is.
	f(with(claims{"iss": "other"}), "wrong_issuer")
	f(with(claims{"iss": nil}), "missing_claim")
	f(with(claims{"iss": 5}), "bad_token")
	f(with(claims{"aud": "other"}), "wrong_audience")
	f(with(claims{"aud": []string{"other", "gateway"}}), "ok")
	f(with(claims{"aud": []any{"gateway", 5}}), "bad_token")
	f(with(claims{"aud": nil}), "missing_claim")
	f(with(claims{"aud": claims{"gateway": true}}), "missing_claim")
	f(with(claims{"sub": "bob"}), "wrong_client")
	f(with(claims{"sub": "Alice"}), "wrong_client")
	f(with(claims{"sub": nil}), "wrong_client")
	f(with(claims{"sub": ""}), "wrong_client")
	f(with(claims{"sub": []string{"alice"}}), "wrong_client")

	// Signatures.
	token := with(nil)
	parts := strings.Split(token, ".")
	f(parts[0]+"."+parts[1]+".", "bad_token")
	f(parts[0]+"."+parts[1], "bad_token")
	f(token+".x", "bad_token")
	f(token+"=", "bad_token")
	f(token[:len(token)-2], "bad_token")
	f(parts[0]+"."+encode(mustJSON(t, good(claims{"role": "root"})))+"."+parts[2], "bad_token")
	f(sign(t, "HS256", "", secret+"x", good(nil)), "bad_token")
	f(sign(t, "HS512", "", secret, good(nil)), "bad_token") // not in the list
	f(sign(t, "RS256", "", "RSA", good(nil)), "bad_token")
	f("x", "bad_token")
	f("..", "bad_token")
	f("...", "bad_token")
	f(strings.Repeat(".", core.MaxToken), "bad_token")

	// Two readings.
	body := mustJSON(t, good(nil))
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, body), "ok")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, `{"sub":"bob","sub":"alice","iss":"issuer","aud":"gateway"}`), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, `{"Sub":"alice","iss":"issuer","aud":"gateway"}`), "wrong_client")
	f(signParts(t, "HS256", secret, `{"alg":"none","alg":"HS256"}`, body), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256","crit":["b64"],"b64":false}`, body), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256","kid":7}`, body), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256","kid":"any"}`, body), "ok") // the key has none
	f(signParts(t, "HS256", secret, `{"alg":["HS256"]}`, body), "bad_token")
	f(signParts(t, "HS256", secret, `{}`, body), "bad_token")
	f(signParts(t, "HS256", secret, `[]`, body), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, `["alice"]`), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, `null`), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, body+body), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, strings.Repeat(`{"a":`, 70)+"1"+strings.Repeat("}", 70)), "bad_token")
	f(signParts(t, "HS256", secret, `{"alg":"HS256"}`, "{\"sub\":\"\xff\"}"), "bad_token")
}

func TestNoAlgorithmIsNoWayIn(t *testing.T) {
	body := encode(mustJSON(t, good(nil)))
	for _, key := range []map[string]any{
		{"key": secret, "algorithms": []any{"HS256"}},
		{"key": publicPEM(t, "RSA"), "algorithms": []any{"RS256", "PS256"}},
		{"key": publicPEM(t, "Ed"), "algorithms": []any{"EdDSA"}},
	} {
		s := opened(t, key, nil)
		for _, name := range []string{"none", "None", "NONE", "nOnE", "", "HS1", "RS256\x00"} {
			for _, signature := range []string{"", "x", encode("x")} {
				head := encode(mustJSON(t, map[string]string{"alg": name}))
				if said, _ := ask(t, s, "alice", head+"."+body+"."+signature); said != "bad_token" {
					t.Errorf("alg %q with the signature %q: %s", name, signature, said)
				}
			}
		}
	}
}

func TestAPublicKeyIsNoSecret(t *testing.T) {
	for _, name := range []string{"RSA", "P256", "Ed"} {
		text := publicPEM(t, name)
		for algorithm, kind := range kinds {
			if kind != name {
				continue
			}
			s := opened(t, map[string]any{"key": text, "algorithms": []any{algorithm}}, nil)
			for _, forged := range []string{text, strings.TrimSpace(text)} {
				for _, hash := range []string{"HS256", "HS384", "HS512"} {
					if said, _ := ask(t, s, "alice", sign(t, hash, "", forged, good(nil))); said != "bad_token" {
						t.Errorf("%s signed with the public key of %s: %s", hash, algorithm, said)
					}
				}
			}
			// Neither where the script itself mixes them up.
			refused(t, map[string]any{"key": text, "algorithms": []any{algorithm, "HS256"}}, nil, "no key fits HS256: there is an")
		}
	}
	// A key that its set gives to one algorithm is for no other.
	set := strings.Replace(jwkSet(t, map[string]string{"a": "RSA"}), `"use"`, `"alg":"RS256","use"`, 1)
	s := opened(t, map[string]any{"key_file": "keys.json", "algorithms": []any{"RS256"}}, map[string]string{"keys.json": set})
	s.algorithms = []string{"RS256", "PS256"}
	for algorithm, want := range map[string]string{"RS256": "ok", "PS256": "unknown_key"} {
		if said, _ := ask(t, s, "alice", sign(t, algorithm, "a", "RSA", good(nil))); said != want {
			t.Errorf("%s: %s, want %s", algorithm, said, want)
		}
	}
}

func TestClientsWithoutATokenComeInIfNoneIsRequired(t *testing.T) {
	s := opened(t, map[string]any{"key": secret, "algorithms": []any{"HS256"}, "required": false}, nil)
	f := func(token, want string) {
		t.Helper()
		said, g := ask(t, s, "alice", token)
		if said != want || token == "" && !g.Empty() {
			t.Errorf("%q: %s, %+v", token, said, g)
		}
	}
	f("", "ok")
	f("x", "bad_token")
	f(sign(t, "HS256", "", secret, good(claims{"sub": "bob"})), "wrong_client")
	f(sign(t, "HS256", "", secret, good(nil)), "ok")
	if s.Requires() || s.Renew(t.Context(), &core.Handshake{ClientID: "alice", Now: noon}, &core.Grant{}) == nil {
		t.Error("a renewal without a token is none")
	}
}

func TestTheEarlierOfTwoExpiriesHolds(t *testing.T) {
	s := opened(t, map[string]any{"key": secret, "algorithms": []any{"HS256"}, "leeway": "0s"}, nil)
	f := func(before, want int64, changes claims) {
		t.Helper()
		g := core.Grant{Expires: before}
		h := core.Handshake{ClientID: "alice", Token: sign(t, "HS256", "", secret, good(changes)), Now: noon}
		if err := s.Admit(t.Context(), &h, &g); err != nil || g.Expires != want {
			t.Errorf("%d became %d, want %d (%v)", before, g.Expires, want, err)
		}
	}
	exp := noon.Add(time.Hour).UnixMilli()
	f(0, exp, nil)
	f(exp+1, exp, nil)
	f(exp-1, exp-1, nil)
	f(5, 5, claims{"exp": nil})
	f(0, 0, claims{"exp": nil})
	f(0, noon.UnixMilli()+1500, claims{"exp": json.RawMessage(fmt.Sprintf("%d.5", noon.Unix()+1))})
}

func FuzzAdmit(f *testing.F) {
	s, err := open(core.Config{Values: map[string]any{"key": secret, "algorithms": []any{"HS256", "HS512"}}}, &core.Env{})
	if err != nil {
		f.Fatal(err)
	}
	token := sign(f, "HS256", "k", secret, good(nil))
	f.Add(token)
	f.Add(token[:20])
	f.Add(encode(`{"alg":"none"}`) + "." + encode(`{"sub":"alice"}`) + ".")
	f.Add(signParts(f, "HS256", secret, `{"alg":"HS256"}`, `{"sub":"alice","exp":1e99}`))
	body := strings.SplitN(token, ".", 3)
	f.Fuzz(func(t *testing.T, text string) {
		said, g := ask(t, s.(*stage), "alice", text)
		if said != "ok" {
			return
		}
		// Whatever is let in was signed by us: its signed part is one of the seeds'.
		if parts := strings.SplitN(text, ".", 3); parts[1] != body[1] {
			t.Errorf("%q is let in with %s", text, g.Claims)
		}
	})
}

// Whatever the header names, nothing is let in but what one of the keys' owners
// has signed.
func FuzzForgedTokens(f *testing.F) {
	byKid := map[string]string{"RSA": "RSA", "P256": "P256", "P384": "P384", "P521": "P521", "Ed": "Ed"}
	all, err := parseSet([]byte(jwkSet(f, byKid)), false)
	if err != nil {
		f.Fatal(err)
	}
	s := &stage{keys: fixed{all}, algorithms: algorithms, name: pattern{parts: []part{{text: "alice"}}}}
	bodies := map[string]bool{}
	for algorithm, by := range kinds {
		token := sign(f, algorithm, by, by, good(nil))
		if said, _ := ask(f, s, "alice", token); said != "ok" {
			f.Fatal(algorithm, said)
		}
		parts := strings.SplitN(token, ".", 3)
		bodies[parts[1]] = true
		f.Add(fmt.Sprintf(`{"alg":%q,"kid":%q}`, algorithm, by), parts[1], parts[2])
		f.Add(`{"alg":"none"}`, parts[1], "")
		f.Add(fmt.Sprintf(`{"alg":"HS256","kid":%q}`, by), encode(`{"sub":"root"}`), parts[2])
		f.Add(fmt.Sprintf(`{"alg":%q,"jwk":{"kty":"oct","k":"AAAA"},"jku":"http://127.0.0.1/","x5u":"x"}`, algorithm), encode(`{"sub":"root"}`), parts[2])
	}
	f.Fuzz(func(t *testing.T, head, body, signature string) {
		said, g := ask(t, s, "alice", encode(head)+"."+body+"."+signature)
		if said == "ok" && !bodies[body] {
			t.Errorf("%s with %s and %s is let in with %s", head, body, signature, g.Claims)
		}
	})
}

// A key that an operator gives is read or refused, and what is read can be used.
func FuzzKeys(f *testing.F) {
	for _, name := range []string{"RSA", "P256", "Ed"} {
		f.Add([]byte(publicPEM(f, name)))
	}
	f.Add([]byte(secret))
	f.Add([]byte(jwkSet(f, map[string]string{"a": "RSA", "b": secret})))
	f.Add([]byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"))
	f.Fuzz(func(t *testing.T, text []byte) {
		all, err := parseKeys(text, nil)
		if (err == nil) != (len(all) > 0) || len(all) > maxKeys {
			t.Fatalf("%d keys and %v", len(all), err)
		}
		s := &stage{keys: fixed{all}, algorithms: algorithms, name: pattern{parts: []part{{text: "alice"}}}}
		for _, algorithm := range algorithms {
			head := encode(`{"alg":"` + algorithm + `"}`)
			if said, _ := ask(t, s, "alice", head+"."+encode(`{"sub":"alice"}`)+"."+encode("x")); said == "ok" {
				t.Errorf("%q lets in what nobody signed", text)
			}
		}
	})
}

func BenchmarkAdmit(b *testing.B) {
	for _, algorithm := range []string{"HS256", "RS256", "PS256", "ES256", "EdDSA"} {
		by, key := secret, secret
		if kinds[algorithm] != "" {
			by = kinds[algorithm]
			key = publicPEM(b, by)
		}
		s := opened(b, map[string]any{"key": key, "algorithms": []any{algorithm}, "issuer": "issuer", "audience": "gateway"}, nil)
		h := core.Handshake{ClientID: "alice", Token: sign(b, algorithm, "", by, good(nil)), Now: noon}
		b.Run(algorithm, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				var g core.Grant
				if err := s.Admit(b.Context(), &h, &g); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
