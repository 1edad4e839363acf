package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// past is the content of a generation that was live. It stands in for the folder
// that it came from, and for no other one.
type past struct {
	Saved time.Time         `json:"saved"` // when it went live last
	Dir   string            `json:"dir"`   // absolute
	Hash  [32]byte          `json:"hash"`
	Files map[string][]byte `json:"files"`
	// Bad is why it was taken back; "" for a good one.
	Bad string `json:"bad,omitempty"`

	number uint32   // in this life of the process; 0 for none
	former []uint32 // those that it had before, in this life; never written
	unkept bool     // its file does not hold this
}

func (p *past) snapshot() reload.Snapshot {
	return reload.Snapshot{Dir: p.Dir, Files: p.Files, Hash: p.Hash}
}

func (p *past) bytes() (n int) {
	for _, text := range p.Files {
		n += len(text)
	}
	return n
}

// has reports whether this is a number that p has or had in this life of the process.
func (p *past) has(name string) bool {
	if p.number == 0 {
		return false
	}
	return fmt.Sprint(p.number) == name || slices.ContainsFunc(p.former, func(n uint32) bool { return fmt.Sprint(n) == name })
}

// readPasts reads what a folder holds, the newest first. The error names what
// cannot be read, and the others are returned.
func readPasts(folder string) (all []*past, err error) {
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	} else if err != nil {
		return nil, fmt.Errorf("former generations: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if filepath.Ext(e.Name()) != ".json" {
			continue
		}
		p, err := readPast(filepath.Join(folder, e.Name()))
		if err != nil {
			errs = append(errs, err)
			continue
		}
		all = append(all, p)
	}
	slices.SortFunc(all, func(a, b *past) int { return b.Saved.Compare(a.Saved) })
	return all, errors.Join(errs...)
}

func readPast(name string) (*past, error) {
	b, err := os.ReadFile(name)
	if err != nil {
		return nil, fmt.Errorf("former generation: %w", err)
	}
	p := &past{}
	if err := json.Unmarshal(b, p); err != nil {
		return nil, fmt.Errorf("former generation: %s: %w", name, err)
	}
	return p, nil
}
