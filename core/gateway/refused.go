package gateway

import (
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/stratix-gateway/stratix/core/reload"
)

// refusal is what the shadow run has refused of late. A start has no messages to
// find it out again.
type refusal struct {
	Dir  string   `json:"dir"` // of the scripts, absolute
	Hash [32]byte `json:"hash"`
	Why  string   `json:"why"`

	unkept bool // the data folder does not hold this
}

// readRefusal reads what is kept of a refusal; nil for none.
func readRefusal(name, dir string) (*refusal, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	r := &refusal{}
	if err == nil {
		err = json.Unmarshal(b, r)
	}
	if err != nil || r.Dir != dir {
		return nil, err
	}
	return r, nil
}

func (h *history) refusalPath() string { return filepath.Join(h.folder, "refused") }

// refuse notes why the shadow run has refused what the folder holds. The refusal
// before is forgotten: only what the folder holds can be served by a start.
func (h *history) refuse(snap reload.Snapshot, why string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.refused = &refusal{Dir: h.dir, Hash: snap.Hash, Why: why, unkept: true}
}

// whyRefused is why a snapshot was refused; "" where it was not.
func (h *history) whyRefused(hash [32]byte) string {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.refused == nil || h.refused.Hash != hash {
		return ""
	}
	return h.refused.Why
}

// unrefuse forgets that a snapshot was refused. The caller holds h.mu.
func (h *history) unrefuse(hash [32]byte) {
	if h.refused != nil && h.refused.Hash == hash {
		h.refused = nil
		h.gone = append(h.gone, h.refusalPath())
	}
}

// keepRefusal has the disk follow a refusal. The caller holds h.disk.
func (h *history) keepRefusal() error {
	h.mu.Lock()
	r := h.refused
	if r == nil || !r.unkept {
		h.mu.Unlock()
		return nil
	}
	r.unkept = false
	h.mu.Unlock()
	err := h.write(h.refusalPath(), r)
	if err != nil {
		h.mu.Lock()
		r.unkept = true // the next call tries again
		h.mu.Unlock()
	}
	return err
}

// remember notes a refusal by the shadow run, where that was what has rejected a
// snapshot.
func (g *Gateway) remember(p *passage, snap reload.Snapshot) {
	if !slices.ContainsFunc(p.Steps, func(s Step) bool { return s.Name == stepShadow && s.Result == "failed" }) {
		return
	}
	g.scripts.past.refuse(snap, strings.Join(p.Problems, " "))
	g.keepHistory("it was not kept on disk that the scripts were refused: a restart would serve them")
}
