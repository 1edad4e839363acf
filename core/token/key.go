package token

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// Bounds on keys.
const (
	minRSA  = 2048 // bits
	maxRSA  = 8192 // bits: a larger one costs milliseconds for each token
	maxKeys = 100  // of a set
	maxTry  = 10   // that one token is tried with
)

// key is one key that signatures are checked with. What it is decides which
// algorithms it can be used with: a public key is never a shared secret, so no
// header of a token can make it one.
type key struct {
	id        string // kid; "" for none
	algorithm string // the only one that its set allows for it; "" for all that fit
	value     any    // []byte, *rsa.PublicKey, *ecdsa.PublicKey or ed25519.PublicKey
}

// fits reports whether tokens with the algorithm can be checked with k.
func (k *key) fits(algorithm string) bool {
	if k.algorithm != "" && k.algorithm != algorithm {
		return false
	}
	switch value := k.value.(type) {
	case []byte:
		size := map[string]int{"HS256": 32, "HS384": 48, "HS512": 64}[algorithm]
		return size > 0 && len(value) >= size // as RFC 7518, section 3.2, wants it
	case *rsa.PublicKey:
		return strings.HasPrefix(algorithm, "RS") || strings.HasPrefix(algorithm, "PS")
	case *ecdsa.PublicKey:
		return algorithm == map[int]string{256: "ES256", 384: "ES384", 521: "ES512"}[value.Curve.Params().BitSize]
	case ed25519.PublicKey:
		return algorithm == "EdDSA"
	}
	return false
}

// kind names what k is.
func (k *key) kind() string {
	switch value := k.value.(type) {
	case []byte:
		return fmt.Sprintf("a secret of %d bytes", len(value))
	case *rsa.PublicKey:
		return fmt.Sprintf("an RSA key of %d bits", value.N.BitLen())
	case *ecdsa.PublicKey:
		return "an EC key on " + value.Curve.Params().Name
	}
	return "an Ed25519 key"
}

// check refuses a key that nobody should rely on.
func (k *key) check() error {
	if value, ok := k.value.(*rsa.PublicKey); ok {
		if bits := value.N.BitLen(); bits < minRSA || bits > maxRSA {
			return fmt.Errorf("an RSA key has %d bits: expected %d to %d", bits, minRSA, maxRSA)
		}
		if value.E < 3 || value.E&1 == 0 || value.E > 1<<31-1 {
			return errors.New("an RSA key has no usable exponent")
		}
	}
	return nil
}

// Keys are the keys that tokens may be signed with. They do not change.
type Keys []key

// find returns the values to check a token with: of the keys that fit its
// algorithm those with its kid, or all where either has none:
// maxTry of them.
func (all Keys) find(id, algorithm string) (found []any) {
	for i := range all {
		if k := &all[i]; len(found) < maxTry && (id == "" || k.id == "" || k.id == id) && k.fits(algorithm) {
			found = append(found, k.value)
		}
	}
	return found
}

// Parse reads what a file or a script gives: PEM, a JWK or a set of them, or else
// a shared secret. No error holds any of it.
func Parse(text []byte) (Keys, error) {
	switch trimmed := bytes.TrimSpace(text); {
	case len(trimmed) == 0:
		return nil, errors.New("the key is empty")
	case bytes.Contains(trimmed, []byte("-----BEGIN ")):
		return parsePEM(trimmed)
	case trimmed[0] == '{':
		return parseSet(trimmed, true)
	default:
		return Keys{{value: bytes.Clone(trimmed)}}, nil
	}
}

// Start does nothing: keys that do not change are a Source.
func (Keys) Start(context.Context) error { return nil }

// Reload does nothing, too.
func (Keys) Reload() {}

// Stop does nothing.
func (Keys) Stop() {}

// Find returns the keys with this kid.
func (all Keys) Find(_ context.Context, id, algorithm string) ([]any, error) {
	return all.find(id, algorithm), nil
}

// Serve reports whether a key fits one of the algorithms.
func (all Keys) Serve(algorithms []string) bool {
	return slices.ContainsFunc(algorithms, func(a string) bool { return all.find("", a) != nil })
}

// secret reports whether one of them is a shared secret.
func (all Keys) secret() bool {
	return slices.ContainsFunc(all, func(k key) bool { _, is := k.value.([]byte); return is })
}

// Cover says which of the algorithms no key fits.
func (all Keys) Cover(algorithms []string) error {
	for _, a := range algorithms {
		if !slices.ContainsFunc(all, func(k key) bool { return k.fits(a) }) {
			kinds := make([]string, len(all))
			for i := range all {
				kinds[i] = all[i].kind()
			}
			return fmt.Errorf("no key fits %s: there is %s%s", a, strings.Join(kinds, ", "), needs(a))
		}
	}
	return nil
}

// needs says what a secret must have.
func needs(algorithm string) string {
	if size, ok := strings.CutPrefix(algorithm, "HS"); ok {
		return fmt.Sprintf("; a secret for it has at least %s bytes", map[string]string{"256": "32", "384": "48", "512": "64"}[size])
	}
	return ""
}

// parsePEM reads public keys and certificates.
func parsePEM(text []byte) (Keys, error) {
	var all Keys
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		var value any
		var err error
		switch block.Type {
		case "PUBLIC KEY":
			value, err = x509.ParsePKIXPublicKey(block.Bytes)
		case "RSA PUBLIC KEY":
			value, err = x509.ParsePKCS1PublicKey(block.Bytes)
		case "CERTIFICATE":
			var cert *x509.Certificate
			if cert, err = x509.ParseCertificate(block.Bytes); err == nil {
				value = cert.PublicKey
			}
		default:
			if strings.HasSuffix(block.Type, "PRIVATE KEY") {
				return nil, errors.New("this is a private key, which only the issuer should have: give its public key (openssl pkey -pubout)")
			}
			err = errors.New("expected PUBLIC KEY, RSA PUBLIC KEY or CERTIFICATE")
		}
		if err != nil {
			return nil, fmt.Errorf("PEM block %.40q: %w", block.Type, err)
		}
		k := key{value: value}
		switch value.(type) {
		case *rsa.PublicKey, *ecdsa.PublicKey, ed25519.PublicKey:
		default:
			return nil, fmt.Errorf("PEM block %.40q: a key of this kind signs no tokens", block.Type)
		}
		if err := k.check(); err != nil {
			return nil, err
		}
		if all = append(all, k); len(all) > maxKeys {
			return nil, fmt.Errorf("there are more than %d keys", maxKeys)
		}
	}
	if all == nil {
		return nil, errors.New("this is no valid PEM")
	}
	return all, nil
}
