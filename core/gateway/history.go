package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// The bounds on what is kept of former generations: of one scripts folder, and of all
// others together, which may be in use again one day.
const (
	maxHistory   = 10
	historyBytes = 32 << 20 // of scripts
	maxFormer    = 20       // numbers of one of them that are known
)

// history is the generations of one scripts folder that were live, the newest
// first. Where there is a data folder each is a file there, when keep has been called:
// a slow disk holds up nobody who only asks.
type history struct {
	folder string // in the data folder; "" for none
	dir    string // of the scripts

	disk sync.Mutex // held while the data folder is written; taken before mu

	mu   sync.Mutex // guards what follows
	all  []*past
	gone []string // files to be removed
	// refused is what the shadow run has refused last; nil for none.
	refused *refusal
	// foreign says that the data folder holds those of another scripts folder.
	foreign string
}

// openHistory reads what the data folder has of the scripts folder dir.
func openHistory(data, dir string) (*history, error) {
	h := &history{dir: dir}
	if data == "" {
		return h, nil
	}
	h.folder = generationsDir(data)
	all, err := readPasts(h.folder)
	refused, refusedErr := readRefusal(h.refusalPath(), dir)
	h.refused = refused
	others := 0
	for _, p := range all {
		if p.Dir == dir {
			h.all = append(h.all, p)
			continue
		}
		h.foreign = p.Dir
		if others++; others > maxHistory {
			h.gone = append(h.gone, h.path(p))
		}
	}
	return h, errors.Join(err, refusedErr)
}

func generationsDir(data string) string { return filepath.Join(data, "generations") }

// good returns the newest generation that is good, other than that with the hash
// but; nil if there is none.
func (h *history) good(but [32]byte) *past {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.all {
		if p.Bad == "" && p.Hash != but {
			return p
		}
	}
	return nil
}

// goodBefore is the number of the newest good generation other than this one, of
// this life of the process; nil for none.
func (h *history) goodBefore(number uint32) *uint32 {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, p := range h.all {
		if p.Bad == "" && p.number > 0 && p.number != number {
			n := p.number
			return &n
		}
	}
	return nil
}

// find returns the generation with this hash, or nil.
func (h *history) find(hash [32]byte) *past {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.index(hash)
}

func (h *history) index(hash [32]byte) *past {
	for _, p := range h.all {
		if p.Hash == hash {
			return p
		}
	}
	return nil
}

// named returns a copy of the generation that an operator means: by its number, or
// a former one, or by the beginning of its hash.
func (h *history) named(name string) (*past, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	var found []*past
	for _, p := range h.all {
		if p.has(name) {
			c := *p
			return &c, nil
		}
		if strings.HasPrefix(fmt.Sprintf("%x", p.Hash), strings.ToLower(name)) && len(name) >= 4 {
			found = append(found, p)
		}
	}
	switch len(found) {
	case 0:
		return nil, fmt.Errorf("there is no generation %q any more: stratix generations (GET /v1/generations) lists those that are kept", name)
	case 1:
		c := *found[0]
		return &c, nil
	}
	return nil, fmt.Errorf("%d generations have a hash that begins with %q", len(found), name)
}

// wentLive notes that a snapshot is live under a number.
func (h *history) wentLive(snap reload.Snapshot, number uint32) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &past{Dir: h.dir, Hash: snap.Hash, Files: snap.Files, Saved: time.Now().UTC(), number: number, unkept: true}
	if was := h.index(snap.Hash); was != nil && was.number > 0 {
		p.former = append(slices.Clone(was.former), was.number)
		p.former = p.former[max(0, len(p.former)-maxFormer):]
	}
	h.all = slices.DeleteFunc(h.all, func(o *past) bool { return o.Hash == snap.Hash })
	h.all = slices.Insert(h.all, 0, p)
	h.unrefuse(snap.Hash)
	h.prune()
}

// takenBack notes why a snapshot is not live any more.
func (h *history) takenBack(snap reload.Snapshot, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := &past{Saved: time.Now().UTC(), Dir: h.dir, Hash: snap.Hash, Files: snap.Files}
	if at := slices.IndexFunc(h.all, func(o *past) bool { return o.Hash == snap.Hash }); at >= 0 {
		*p = *h.all[at]
		h.all[at] = p
	} else { // it was a canary
		h.all = slices.Insert(h.all, 0, p)
	}
	p.Bad, p.unkept = why, true
	h.prune()
}

// keep brings the data folder up to what is known. It may take as long as the disk
// likes. What cannot be written is tried again by the next call.
func (h *history) keep() error {
	h.disk.Lock()
	defer h.disk.Unlock()
	h.mu.Lock()
	gone, all := h.gone, slices.Clone(h.all)
	h.gone = nil
	var unkept []*past
	for _, p := range all {
		if p.unkept {
			p.unkept = false
			unkept = append(unkept, p)
		}
	}
	h.mu.Unlock()
	if h.folder == "" {
		return nil
	}
	var errs []error
	for _, name := range gone {
		if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	for _, p := range unkept {
		if err := h.write(h.path(p), p); err != nil {
			errs = append(errs, err)
			h.mu.Lock()
			p.unkept = true // the next call tries again
			h.mu.Unlock()
		}
	}
	errs = append(errs, h.keepRefusal())
	return errors.Join(errs...)
}

// list is a copy of what is known of each, without the files.
func (h *history) list() []past {
	h.mu.Lock()
	defer h.mu.Unlock()
	all := make([]past, len(h.all))
	for i, p := range h.all {
		all[i] = *p
		all[i].Files = nil
	}
	return all
}

// prune forgets the oldest ones, and never the last good one before the newest,
// which may be taken back.
func (h *history) prune() {
	bytes, good := 0, false
	kept := h.all[:0]
	for i, p := range h.all {
		bytes += p.bytes()
		first := p.Bad == "" && i > 0 && !good
		good = good || first
		if i < maxHistory && bytes <= historyBytes || first {
			kept = append(kept, p)
		} else {
			h.gone = append(h.gone, h.path(p))
		}
	}
	clear(h.all[len(kept):])
	h.all = kept
}

func (h *history) path(p *past) string {
	return filepath.Join(h.folder, fmt.Sprintf("%x.json", p.Hash[:8]))
}

// write replaces a file, so that a crash leaves the old or the new one.
func (h *history) write(name string, v any) error {
	b, err := json.Marshal(v)
	if err == nil {
		err = os.MkdirAll(h.folder, 0o750)
	}
	if err != nil {
		return fmt.Errorf("keep a generation: %w", err)
	}
	// The data folder is this gateway's alone: what a crash has left is written over.
	f, err := os.OpenFile(name+".tmp", os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
	if err != nil {
		return fmt.Errorf("keep a generation: %w", err)
	}
	defer os.Remove(f.Name()) // without effect after the rename
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return fmt.Errorf("keep a generation: %w", err)
	}
	return nil
}
