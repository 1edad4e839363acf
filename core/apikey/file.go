package apikey

import (
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"sync/atomic"

	"github.com/stratix-gateway/stratix/core/file"
)

// maxKeys bounds a file of keys: each request looks at all of them.
const maxKeys = 1000

// Parse reads a file of keys: a JSON object a line. An error names the line.
func Parse(text []byte) (Set, error) {
	var s Set
	number := 0
	for row := range bytes.Lines(text) {
		number++
		if row = bytes.TrimSpace(row); len(row) == 0 || row[0] == '#' {
			continue
		}
		var l line
		d := json.NewDecoder(bytes.NewReader(row))
		d.DisallowUnknownFields()
		k, err := Key{}, d.Decode(&l)
		if err == nil && d.InputOffset() != int64(len(row)) {
			err = errors.New("there is more than one object")
		}
		if err == nil {
			k, err = l.key()
		}
		switch {
		case err != nil:
			return nil, fmt.Errorf("line %d: %w", number, err)
		case s.Named(k.Name) != nil:
			return nil, fmt.Errorf("line %d: the name %s is there twice", number, k.Name)
		case len(s) == maxKeys:
			return nil, fmt.Errorf("line %d: there are more than %d keys", number, maxKeys)
		}
		s = append(s, k)
	}
	return s, nil
}

func (s Set) append(dst []byte) []byte {
	for _, k := range s {
		row, _ := json.Marshal(line{k.Name, k.Scopes.String(), k.Sender, k.Created, hex.EncodeToString(k.Hash[:])}) // cannot fail
		dst = append(append(dst, row...), '\n')
	}
	return dst
}

// Load reads the keys of a file that nobody but its owner may read or write.
func Load(path string) (Set, error) {
	s, _, err := read(path)
	return s, err
}

func read(path string) (Set, []byte, error) {
	text, mode, err := file.Read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("keys: %w", err)
	}
	if mode = mode.Perm(); runtime.GOOS != "windows" && mode&0o077 != 0 {
		return nil, nil, fmt.Errorf("keys: %s has mode %04o, and others may use it: chmod 600 %s", path, mode, path)
	}
	s, err := Parse(text)
	if err != nil {
		return nil, nil, fmt.Errorf("keys: %s: %w", path, err)
	}
	return s, text, nil
}

// Add adds a key to a file, which is made if it is not there.
func Add(path string, k Key) error {
	return change(path, func(s Set) (Set, error) {
		switch {
		case s.Named(k.Name) != nil:
			return nil, fmt.Errorf("keys: %s has a key %s already: revoke it first, or take another name", path, k.Name)
		case len(s) == maxKeys:
			return nil, fmt.Errorf("keys: %s holds %d keys, which is the most", path, maxKeys)
		}
		return append(s, k), nil
	})
}

// Revoke takes the key with this name out of a file.
func Revoke(path, name string) error {
	return change(path, func(s Set) (Set, error) {
		for i, k := range s {
			if k.Name == name {
				return append(s[:i:i], s[i+1:]...), nil
			}
		}
		return nil, fmt.Errorf("keys: %s has no key %s", path, name)
	})
}

// change replaces a file by another state of it. The file in the making keeps
// others from doing so at the same time.
func change(path string, f func(Set) (Set, error)) error {
	making := path + ".new"
	out, err := os.OpenFile(making, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("keys: %s is there: another command changes the keys now, or was killed and left it; remove it then", making)
	}
	if err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	defer os.Remove(making) // it is not there any more after a success
	err = write(out, path, f)
	if err = errors.Join(err, out.Close()); err != nil {
		return err
	}
	if err := os.Rename(making, path); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

func write(out *os.File, path string, f func(Set) (Set, error)) error {
	s, err := Load(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if s, err = f(s); err != nil {
		return err
	}
	if _, err := out.Write(s.append(nil)); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	if err := keepOwner(out, path); err != nil {
		return fmt.Errorf("keys: %s keeps its owner: %w", path, err)
	}
	if err := out.Sync(); err != nil {
		return fmt.Errorf("keys: %w", err)
	}
	return nil
}

// File is a file of keys in use. Find may be called from any goroutine, Reload
// from one at a time.
type File struct {
	path string
	text []byte // as of the last Reload that found keys
	keys atomic.Pointer[Set]
}

// Open reads a file of keys.
func Open(path string) (*File, error) {
	f := &File{path: path}
	_, err := f.Reload()
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("%w: make the first one with stratix key new --keys %s", err, path)
	}
	return f, err
}

// Reload reads the file again, and says whether it holds something else. After an
// error the keys are those from before.
func (f *File) Reload() (changed bool, err error) {
	s, text, err := read(f.path)
	if err != nil || f.keys.Load() != nil && bytes.Equal(text, f.text) {
		return false, err
	}
	f.text = text
	f.keys.Store(&s)
	return true, nil
}

// Find returns the key whose text this is; nil if there is none.
func (f *File) Find(text []byte) *Key { return f.keys.Load().Find(text) }

// Holds reports whether k, which Find has returned, is still there with its scopes.
func (f *File) Holds(k *Key) bool {
	now := f.keys.Load().Named(k.Name)
	return now != nil && now.Hash == k.Hash && now.Scopes == k.Scopes
}

// Keys are those of the last Reload that found some. They are not to be changed.
func (f *File) Keys() Set { return *f.keys.Load() }

// Len is how many keys there are.
func (f *File) Len() int { return len(*f.keys.Load()) }
