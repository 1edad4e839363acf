package faults

import (
	"fmt"
	"io"
	"os"
	"syscall"

	"github.com/stratix-gateway/stratix/core/journal"
)

// state is how far a change of a file has come.
type state uint8

const (
	written state = iota // to the cache: lost at a crash
	synced               // but the file below is not made yet
	applied              // to the file below
	lost                 // in the cache only, for ever: its sync failed
)

// op is one change of a file: data at off, or a new size.
type op struct {
	off   int64
	data  []byte // nil: a change of the size to off
	state state
}

// node is one file. FS.mu guards it.
type node struct {
	real    journal.File // nil until its name is synced
	ops     []op         // that the file below does not show
	size    int64        // as seen through ops
	handles int
	removed bool
	failed  bool // a sync has failed
}

// file is an open file.
type file struct {
	fs     *FS
	name   string
	n      *node
	life   int
	closed bool
}

func (f *FS) handle(name string, n *node) *file {
	n.handles++
	return &file{fs: f, name: name, n: n, life: f.life}
}

// mark moves everything that is written and not lost to s.
func (n *node) mark(s state) {
	for i := range n.ops {
		if n.ops[i].state == written {
			n.ops[i].state = s
		}
	}
}

// apply does below what is synced.
func (n *node) apply() error {
	keep := false
	for i := range n.ops {
		o := &n.ops[i]
		if o.state == synced {
			var err error
			if o.data != nil {
				_, err = n.real.WriteAt(o.data, o.off)
			} else {
				err = n.real.Truncate(o.off)
			}
			if err != nil {
				return err
			}
			o.state = applied
		}
		keep = keep || o.state != applied
	}
	if !keep {
		n.ops = nil
	}
	return nil
}

// close closes the file below when nobody has it open.
func (n *node) close() {
	if n.handles == 0 && n.real != nil {
		_ = n.real.Close()
		n.real = nil
	}
}

// alive locks the file layer, for the caller to unlock, unless there was a crash.
func (h *file) alive() error {
	h.fs.mu.Lock()
	if h.closed {
		h.fs.mu.Unlock()
		return os.ErrClosed
	}
	if h.fs.crashed || h.life != h.fs.life {
		h.fs.mu.Unlock()
		return ErrCrashed
	}
	return nil
}

// change does one change: at once, or in the cache.
func (h *file) change(o op) error {
	n := h.n
	switch {
	case o.data == nil:
		n.size = o.off
	default:
		n.size = max(n.size, o.off+int64(len(o.data)))
	}
	n.ops = append(n.ops, o)
	if h.fs.lose {
		return nil
	}
	n.mark(synced)
	return n.apply()
}

// ReadAt reads what was written, synced or not.
func (h *file) ReadAt(b []byte, off int64) (int, error) {
	if err := h.alive(); err != nil {
		return 0, err
	}
	defer h.fs.mu.Unlock()
	n, err := h.n.readAt(b, off)
	if err == nil && n < len(b) {
		err = io.EOF
	}
	return n, err
}

// readAt reads what there is at off.
func (n *node) readAt(b []byte, off int64) (int, error) {
	want := b[:max(0, min(int64(len(b)), n.size-off))]
	clear(want)
	if n.real != nil {
		if _, err := n.real.ReadAt(want, off); err != nil && err != io.EOF {
			return 0, err
		}
	}
	for _, o := range n.ops {
		if o.data == nil {
			if from := o.off - off; from < int64(len(want)) {
				clear(want[max(0, from):])
			}
		} else if at := o.off - off; at >= 0 && at < int64(len(want)) {
			copy(want[at:], o.data)
		} else if at < 0 && -at < int64(len(o.data)) {
			copy(want, o.data[-at:])
		}
	}
	return len(want), nil
}

// WriteAt writes to the cache if the FS is to lose what is not synced.
func (h *file) WriteAt(b []byte, off int64) (int, error) {
	if err := h.alive(); err != nil {
		return 0, err
	}
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		return 0, err
	}
	h.misused("written")
	f, n, reason := h.fs, len(b), error(nil)
	switch {
	case f.full:
		n, reason = 0, syscall.ENOSPC
	case int64(n) > f.room:
		n, reason = int(f.room), syscall.ENOSPC
	case f.short > 0:
		f.short--
		n, reason = n/2, io.ErrShortWrite
	}
	f.room -= int64(n)
	if n > 0 {
		if err := h.change(op{off: off, data: append([]byte{}, b[:n]...)}); err != nil {
			return 0, err
		}
	}
	if reason != nil {
		reason = fmt.Errorf("write %s: %w", h.name, reason)
	}
	return n, reason
}

// misused notes what is done to a file whose sync has failed.
func (h *file) misused(what string) {
	if h.n.failed {
		h.fs.misused = append(h.fs.misused, h.name+" is "+what)
	}
}

// Datasync makes last what was written.
func (h *file) Datasync() error {
	if err := h.alive(); err != nil {
		return err
	}
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		return err
	}
	h.misused("synced")
	f, n := h.fs, h.n
	if f.failSyncs != 0 {
		if f.failSyncs > 0 {
			f.failSyncs--
		}
		n.failed = true
		n.mark(lost)
		return fmt.Errorf("sync %s: %w", h.name, ErrSync)
	}
	n.mark(synced)
	if n.real == nil { // nobody would find it after a crash
		return nil
	}
	if err := n.apply(); err != nil {
		return err
	}
	return n.real.Datasync()
}

// Truncate cuts the file or makes it longer.
func (h *file) Truncate(size int64) error {
	if err := h.alive(); err != nil {
		return err
	}
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		return err
	}
	return h.change(op{off: size})
}

// Allocate makes the file at least size long.
func (h *file) Allocate(size int64) error {
	if err := h.alive(); err != nil {
		return err
	}
	defer h.fs.mu.Unlock()
	if err := h.fs.step(); err != nil {
		return err
	}
	if h.fs.full {
		return fmt.Errorf("allocate %s: %w", h.name, syscall.ENOSPC)
	}
	if size <= h.n.size {
		return nil
	}
	return h.change(op{off: size})
}

// Size is the size as it was written.
func (h *file) Size() (int64, error) {
	if err := h.alive(); err != nil {
		return 0, err
	}
	defer h.fs.mu.Unlock()
	return h.n.size, nil
}

// Close closes the file. What was not synced stays in the cache.
func (h *file) Close() error {
	f, n := h.fs, h.n
	f.mu.Lock()
	defer f.mu.Unlock()
	if h.closed {
		return os.ErrClosed
	}
	h.closed = true
	n.handles--
	switch {
	case h.life != f.life: // the crash has closed it
	case f.nodes[h.name] != n:
		n.close()
	case len(n.ops) == 0 && !n.removed && n.real != nil && !n.failed:
		delete(f.nodes, h.name)
		n.close()
	}
	return nil
}
