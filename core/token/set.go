package token

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"encoding/json"
	"errors"
	"fmt"
	"slices"

	"github.com/go-jose/go-jose/v4"

	"github.com/stratix-gateway/stratix/core/wire"
)

// parseSet reads a JWK set, or one JWK. Keys that are of no use here are left
// out, as RFC 7517, section 5, wants it; that nothing is left is an error. Secrets
// in it are of use only where it is the operator's own file: whatever has an
// address is public.
func parseSet(text []byte, own bool) (Keys, error) {
	if fault := wire.NewParser().Valid(text); fault != nil {
		return nil, errors.New("the key set is no valid JSON, or has a key twice")
	}
	var set struct {
		Keys []json.RawMessage `json:"keys"`
	}
	if err := json.Unmarshal(text, &set); err != nil {
		return nil, errors.New("the key set has no list named keys")
	}
	if set.Keys == nil && own {
		set.Keys = []json.RawMessage{text}
	}
	if len(set.Keys) > maxKeys {
		return nil, fmt.Errorf("the key set has %d keys: expected at most %d", len(set.Keys), maxKeys)
	}
	var all Keys
	var last error
	for _, raw := range set.Keys {
		k, err := parseJWK(raw, own)
		if err != nil {
			last = err
			continue
		}
		all = append(all, k)
	}
	switch {
	case all != nil:
		return all, nil
	case last != nil:
		return nil, fmt.Errorf("the key set has no key of use; of the last one: %w", last)
	}
	return nil, errors.New("the key set has no keys")
}

// parseJWK reads one key. Its error says why it is of no use, in words of ours:
// the library's may quote the key.
func parseJWK(raw []byte, own bool) (key, error) {
	var j jose.JSONWebKey
	if err := j.UnmarshalJSON(raw); err != nil {
		return key{}, errors.New("it is not a valid key")
	}
	var more struct {
		Operations []string `json:"key_ops"`
	}
	if json.Unmarshal(raw, &more) != nil || j.Use != "" && j.Use != "sig" || more.Operations != nil && !slices.Contains(more.Operations, "verify") {
		return key{}, errors.New("it is not for signatures")
	}
	k := key{id: j.KeyID, algorithm: j.Algorithm, value: j.Key}
	switch j.Key.(type) {
	case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
	case []byte:
		if !own {
			return key{}, errors.New("it is a secret, and whatever has an address is public")
		}
	default:
		return key{}, errors.New("it is a private key")
	}
	if !slices.ContainsFunc(Algorithms, k.fits) {
		return key{}, errors.New("no algorithm fits it")
	}
	return k, k.check()
}
