package journal

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// FS is the file layer. Its methods may be called from any goroutine.
type FS interface {
	// Create makes a file, which must not exist, and the folder for it.
	Create(name string) (File, error)
	// Open opens a file to read and write, or only to read where nothing else
	// is permitted.
	Open(name string) (File, error)
	Remove(name string) error
	// Rename gives a file another name, in the same folder. No file has that
	// name, and nobody has the file open.
	Rename(from, to string) error
	// List gives the names of the files in dir, sorted, folders left out.
	List(dir string) ([]string, error)
	// SyncDir makes it last which files are in dir.
	SyncDir(dir string) error
}

// File is an open file of an FS.
type File interface {
	io.ReaderAt
	io.WriterAt
	// Datasync makes it last what was written (fdatasync).
	Datasync() error
	Truncate(size int64) error
	// Allocate reserves the disk space for size bytes, which read as zeros
	// where nothing was written. It may do nothing.
	Allocate(size int64) error
	Size() (int64, error)
	Close() error
}

// OS is the file layer of the operating system.
func OS() FS { return osFS{} }

type osFS struct{}

type osFile struct{ *os.File }

func (osFS) Create(name string) (File, error) {
	const flags = os.O_RDWR | os.O_CREATE | os.O_EXCL
	f, err := os.OpenFile(name, flags, 0o600)
	if errors.Is(err, fs.ErrNotExist) {
		if err = os.MkdirAll(filepath.Dir(name), 0o700); err == nil {
			f, err = os.OpenFile(name, flags, 0o600)
		}
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Open(name string) (File, error) {
	f, err := os.OpenFile(name, os.O_RDWR, 0)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		f, err = os.Open(name)
	}
	if err != nil {
		return nil, err
	}
	return osFile{f}, nil
}

func (osFS) Remove(name string) error { return os.Remove(name) }

func (osFS) Rename(from, to string) error { return os.Rename(from, to) }

func (osFS) List(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	var names []string
	for _, e := range entries {
		if !e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names, err
}

func (f osFile) Size() (int64, error) {
	info, err := f.Stat()
	if err != nil {
		return 0, err
	}
	return info.Size(), nil
}
