package faults

import (
	"fmt"
	"sync"
	"syscall"

	"github.com/stratix-gateway/stratix/core/journal"
)

// Small is a disk with room for so many bytes, which files take as they are
// allocated or written, and give back.
type Small struct {
	journal.FS
	mu    sync.Mutex // guards what follows
	room  int64
	taken map[string]int64
}

type smallFile struct {
	journal.File
	disk *Small
	name string
}

// NewSmall makes a file layer over under with room bytes of room.
func NewSmall(under journal.FS, room int64) *Small {
	return &Small{FS: under, room: room, taken: map[string]int64{}}
}

// Free is how many bytes are left.
func (s *Small) Free() int64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.room
}

// take lets a file be of at least size bytes, if there is room.
func (s *Small) take(name string, size int64) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	more := size - s.taken[name]
	if more <= 0 {
		return nil
	}
	if more > s.room {
		return fmt.Errorf("%s: %w", name, syscall.ENOSPC)
	}
	s.room -= more
	s.taken[name] = size
	return nil
}

// move gives what a file has taken to another; to "", to the disk.
func (s *Small) move(from, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if to == "" {
		s.room += s.taken[from]
	} else {
		s.taken[to] = s.taken[from]
	}
	delete(s.taken, from)
}

// Create makes a file without any room.
func (s *Small) Create(name string) (journal.File, error) {
	f, err := s.FS.Create(name)
	return smallFile{f, s, name}, err
}

// Open opens a file.
func (s *Small) Open(name string) (journal.File, error) {
	f, err := s.FS.Open(name)
	return smallFile{f, s, name}, err
}

// Rename gives a file another name.
func (s *Small) Rename(from, to string) error {
	err := s.FS.Rename(from, to)
	if err == nil {
		s.move(from, to)
	}
	return err
}

// Remove gives back what the file has taken.
func (s *Small) Remove(name string) error {
	err := s.FS.Remove(name)
	if err == nil {
		s.move(name, "")
	}
	return err
}

func (f smallFile) Allocate(size int64) error {
	if err := f.disk.take(f.name, size); err != nil {
		return err
	}
	return f.File.Allocate(size)
}

func (f smallFile) WriteAt(b []byte, off int64) (int, error) {
	if err := f.disk.take(f.name, off+int64(len(b))); err != nil {
		return 0, err
	}
	return f.File.WriteAt(b, off)
}

func (f smallFile) Truncate(size int64) error {
	err := f.File.Truncate(size)
	if err == nil {
		f.disk.mu.Lock()
		f.disk.room += f.disk.taken[f.name] - size
		f.disk.taken[f.name] = size
		f.disk.mu.Unlock()
	}
	return err
}
