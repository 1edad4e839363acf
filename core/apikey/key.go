// Package apikey is the keys of those who use the HTTP API: a file that holds
// their hashes, and the check of a key.
//
// A key is 256 random bits, and its hash is one SHA-256. That is enough: slow
// hashes such as argon2id make the guessing of passwords slow, and nobody guesses
// 256 random bits, however fast the hash. A slow one would cost the gateway its
// time and memory for every request, wrong ones included.
package apikey

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Scopes are what a key is good for.
type Scopes uint8

// The scopes. Admin has the others in it.
const (
	Publish Scopes = 1 << iota
	Read
	Admin
)

var words = []string{"publish", "read", "admin"}

// ParseScopes reads such words with commas in between.
func ParseScopes(text string) (s Scopes, err error) {
	for word := range strings.SplitSeq(text, ",") {
		one := ScopeOf(strings.TrimSpace(word))
		if one == 0 {
			return 0, fmt.Errorf("scope %q is unknown: it is one of %s", word, strings.Join(words, ", "))
		}
		s |= one
	}
	return s, nil
}

// ScopeOf is the scope of a word; none for one that there is not.
func ScopeOf(word string) Scopes {
	for i, w := range words {
		if word == w {
			return 1 << i
		}
	}
	return 0
}

// String is the words, with commas in between.
func (s Scopes) String() string {
	var all []string
	for i, w := range words {
		if s&(1<<i) != 0 {
			all = append(all, w)
		}
	}
	return strings.Join(all, ",")
}

// Has reports whether s is good for what needs one of the scopes.
func (s Scopes) Has(need Scopes) bool { return s&(need|Admin) != 0 }

// Holder is who uses the API, with a key or a token.
type Holder struct {
	Scopes  Scopes
	Sender  string    // the ClientID that what it publishes comes from
	Expires time.Time // when it ends; zero for never
}

// Key is what is kept of one. The key itself is not.
type Key struct {
	Name    string
	Scopes  Scopes
	Sender  string // the ClientID that what is published with it comes from
	Created time.Time
	Hash    [sha256.Size]byte
}

const (
	// Prefix is what every key begins with, so that scanners find those that leak.
	Prefix = "sk_"
	// secretBytes are random; textLength is how long a key is as text.
	secretBytes = 32
	textLength  = len(Prefix) + (secretBytes*8+5)/6
	// maxName bounds the name of a key, in bytes.
	maxName = 64
)

// New makes a key. Its text is to be shown once; only its hash is kept.
func New(name, sender string, scopes Scopes, now time.Time) (k Key, text string, err error) {
	k = Key{Name: name, Scopes: scopes, Sender: sender, Created: now.UTC().Truncate(time.Second)}
	if err := k.check(); err != nil {
		return k, "", err
	}
	secret := make([]byte, secretBytes)
	_, _ = rand.Read(secret) // never fails
	text = Prefix + base64.RawURLEncoding.EncodeToString(secret)
	k.Hash = sha256.Sum256([]byte(text))
	return k, text, nil
}

func (k *Key) check() error {
	switch {
	case k.Name == "" || len(k.Name) > maxName || strings.Trim(k.Name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._-") != "":
		return fmt.Errorf("name %q must be 1 to %d letters, digits and ._-", k.Name, maxName)
	case k.Scopes == 0 || k.Scopes >= 1<<len(words):
		return fmt.Errorf("key %s has no scope: it needs one of %s", k.Name, strings.Join(words, ", "))
	}
	if wrong := core.CheckName(k.Sender, core.MaxClientID); wrong != "" {
		return fmt.Errorf("key %s: its sender %s", k.Name, wrong)
	}
	return nil
}

// Set is the keys of one file.
type Set []Key

// Find returns the key whose text this is; nil if there is none. It takes the
// same time for every text of a key's length.
func (s Set) Find(text []byte) *Key {
	if len(text) != textLength {
		return nil
	}
	hash, at := sha256.Sum256(text), -1
	for i := range s {
		at = subtle.ConstantTimeSelect(subtle.ConstantTimeCompare(hash[:], s[i].Hash[:]), i, at)
	}
	if at < 0 {
		return nil
	}
	return &s[at]
}

// Named returns the key with this name, or nil.
func (s Set) Named(name string) *Key {
	for i := range s {
		if s[i].Name == name {
			return &s[i]
		}
	}
	return nil
}

// Since names the keys that are in s and were not in before, those that are not any
// more, and those that have become another key, or one with other scopes or another
// sender, under the same name.
func (s Set) Since(before Set) (added, revoked, changed []string) {
	for i := range s {
		switch was := before.Named(s[i].Name); {
		case was == nil:
			added = append(added, s[i].Name)
		case was.Hash != s[i].Hash || was.Scopes != s[i].Scopes || was.Sender != s[i].Sender:
			changed = append(changed, s[i].Name)
		}
	}
	for i := range before {
		if s.Named(before[i].Name) == nil {
			revoked = append(revoked, before[i].Name)
		}
	}
	return added, revoked, changed
}

// line is a Key in its file.
type line struct {
	Name    string    `json:"name"`
	Scopes  string    `json:"scopes"`
	Sender  string    `json:"sender"`
	Created time.Time `json:"created"`
	Hash    string    `json:"sha256"`
}

func (l *line) key() (Key, error) {
	k := Key{Name: l.Name, Sender: l.Sender, Created: l.Created}
	var err error
	if k.Scopes, err = ParseScopes(l.Scopes); err != nil {
		return k, err
	}
	if n, err := hex.Decode(k.Hash[:], []byte(l.Hash[:min(len(l.Hash), 2*len(k.Hash))])); err != nil || n != len(k.Hash) || len(l.Hash) != 2*n {
		return k, fmt.Errorf("sha256 must be %d hexadecimal digits", 2*len(k.Hash))
	}
	return k, k.check()
}
