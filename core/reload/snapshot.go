// Package reload says what the scripts are, and when they change. A Snapshot is
// one consistent state of the scripts folder; Folder.Watch follows the folder
// and hands out a Snapshot whenever the content differs.
package reload

import (
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// Main is the file that a folder must hold.
const Main = "main.lua"

// Bounds on a folder.
const (
	MaxFiles   = 1000     // files, and folders
	MaxContent = 16 << 20 // bytes in all
)

// Snapshot is one state of a folder. Its content is not to be changed.
type Snapshot struct {
	Dir string
	// Files maps slash paths relative to Dir to what the files hold.
	Files map[string][]byte
	// Hash is the same for the same Files, wherever they are.
	Hash [32]byte
}

const (
	passes    = 10                   // over a folder that changes while it is read
	passPause = 5 * time.Millisecond // between two that do not agree
)

// Read reads the *.lua, *.json and *.txt files of dir and its subfolders.
// Symbolic links are followed; names that begin with a dot and what editors
// leave behind are left out. Main may be missing.
//
// It reads until two passes in a row find the same, so that files which are
// written or swapped meanwhile give no mixture of two states; a folder that
// never comes to rest is an error. What a writer leaves half done for longer
// than a pass takes cannot be seen here (see Folder.Watch).
func Read(dir string) (Snapshot, error) {
	return read(dir, func([]string) {})
}

// read is Read. Before the pass that agrees with the one before, it tells found
// which folders the files come from, as real paths: whoever watches them from
// then on misses no change.
func read(dir string, found func(folders []string)) (Snapshot, error) {
	var last *pass
	for n := range passes {
		p := &pass{files: map[string][]byte{}, folders: map[string]bool{}}
		p.err = p.walk(dir, "", nil)
		p.hash = hash(p.files)
		if last != nil && p.agrees(last) {
			if p.err != nil {
				return Snapshot{}, p.err // which names the file, or the folder
			}
			return Snapshot{Dir: dir, Files: p.files, Hash: p.hash}, nil
		}
		found(slices.Sorted(maps.Keys(p.folders)))
		last = p
		if n > 0 {
			time.Sleep(passPause)
		}
	}
	return Snapshot{}, fmt.Errorf("the scripts folder %s keeps changing while it is read", dir)
}

// pass is one reading of a folder.
type pass struct {
	files   map[string][]byte
	hash    [32]byte        // of files
	err     error           // which ended it
	size    int             // of files, in bytes
	folders map[string]bool // real paths
	visited int             // folders, one that is linked twice counts twice
}

// agrees reports whether both passes found the same.
func (p *pass) agrees(last *pass) bool {
	return p.hash == last.hash && maps.Equal(p.folders, last.folders) && fmt.Sprint(p.err) == fmt.Sprint(last.err)
}

// walk reads folder, which is called name within the scripts ("" at the top).
// Above holds the real paths of the folders it is in.
func (p *pass) walk(folder, name string, above []string) error {
	resolved, err := filepath.EvalSymlinks(folder)
	if err == nil {
		resolved, err = filepath.Abs(resolved)
	}
	if err != nil {
		return absent(err, folder, name)
	}
	if slices.Contains(above, resolved) {
		return nil // a link to a folder that it is in
	}
	if p.visited++; p.visited > MaxFiles {
		return fmt.Errorf("%s: there are more than %d folders", name, MaxFiles)
	}
	entries, err := os.ReadDir(folder)
	if err != nil {
		return absent(err, folder, name)
	}
	p.folders[resolved] = true
	above = append(above, resolved)
	for _, e := range entries {
		if hidden(e.Name()) || e.Type().IsRegular() && !wanted(e.Name()) {
			continue
		}
		if err := p.entry(filepath.Join(folder, e.Name()), path.Join(name, e.Name()), e, above); err != nil {
			return err
		}
	}
	return nil
}

func (p *pass) entry(file, name string, e fs.DirEntry, above []string) error {
	info, err := os.Stat(file)
	switch {
	case err != nil:
		return absent(err, file, name)
	case info.IsDir():
		return p.walk(file, name, above)
	case !info.Mode().IsRegular() || !wanted(e.Name()):
		return nil
	}
	if e.Type()&fs.ModeSymlink != 0 {
		if resolved, err := filepath.EvalSymlinks(file); err == nil {
			p.folders[filepath.Dir(resolved)] = true
		}
	}
	return p.file(file, name)
}

func (p *pass) file(file, name string) error {
	if len(p.files) == MaxFiles {
		return fmt.Errorf("%s: there are more than %d files", name, MaxFiles)
	}
	f, err := os.Open(file)
	if err != nil {
		return absent(err, file, name)
	}
	defer func() { _ = f.Close() }()
	room := MaxContent - p.size
	content, err := io.ReadAll(io.LimitReader(f, int64(room)+1))
	if err != nil {
		return fmt.Errorf("read %s: %w", name, err)
	}
	if len(content) > room {
		return fmt.Errorf("%s: the files hold more than %d bytes", name, MaxContent)
	}
	p.size += len(content)
	p.files[name] = content
	return nil
}

// absent passes over what was deleted since it was listed, and links to
// nowhere; the top folder must be there.
func absent(err error, path, name string) error {
	if name != "" && errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	what := "the scripts folder " + path
	if name != "" {
		what = path
	}
	if at := new(fs.PathError); errors.As(err, &at) { // the path is said already
		err = at.Err
	}
	return fmt.Errorf("%s cannot be read: %w", what, err)
}

func hash(files map[string][]byte) [32]byte {
	h := sha256.New()
	var size [8]byte
	part := func(b []byte) {
		binary.BigEndian.PutUint64(size[:], uint64(len(b)))
		h.Write(size[:])
		h.Write(b)
	}
	for _, name := range slices.Sorted(maps.Keys(files)) {
		part([]byte(name))
		part(files[name])
	}
	return [32]byte(h.Sum(nil))
}

// hidden reports whether a file or folder is none of the scripts'. That also
// holds for the folders into which Kubernetes links.
func hidden(name string) bool { return strings.HasPrefix(name, ".") }

// wanted reports whether a file belongs to the scripts. What editors leave
// behind (main.lua~, main.lua.swp, .#main.lua, 4913) does not.
func wanted(name string) bool {
	if hidden(name) {
		return false
	}
	switch path.Ext(name) {
	case ".lua", ".json", ".txt":
		return true
	}
	return false
}
