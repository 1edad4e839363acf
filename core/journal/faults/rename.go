package faults

import (
	"fmt"
	"syscall"
)

// Rename gives a file another name, which lasts when the folder is synced: until
// then a crash leaves the old one with what it has.
func (f *FS) Rename(from, to string) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if err := f.step(); err != nil {
		return err
	}
	n := f.nodes[from]
	if n != nil && n.removed {
		return fmt.Errorf("rename %s: %w", from, syscall.ENOENT)
	}
	if !f.lose {
		if n != nil {
			delete(f.nodes, from)
			n.close()
		}
		return f.under.Rename(from, to)
	}
	if n == nil {
		real, err := f.under.Open(from)
		if err != nil {
			return err
		}
		size, err := real.Size()
		if err != nil {
			return err
		}
		n = &node{real: real, size: size}
		f.nodes[from] = n
	}
	b := make([]byte, n.size)
	if _, err := n.readAt(b, 0); err != nil {
		return err
	}
	n.removed = true
	f.nodes[to] = &node{size: n.size, ops: []op{{off: n.size, state: synced}, {data: b, state: synced}}}
	return nil
}
