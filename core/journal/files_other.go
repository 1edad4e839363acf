//go:build !linux

package journal

import (
	"errors"
	"os"
	"runtime"
	"syscall"
)

func (f osFile) Datasync() error { return f.Sync() }

// Allocate does nothing: where it is not cheap, segments grow by their writes.
func (f osFile) Allocate(int64) error { return nil }

// SyncDir does nothing on Windows, where folders cannot be synced.
func (osFS) SyncDir(dir string) error {
	if runtime.GOOS == "windows" {
		return nil
	}
	f, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer f.Close()
	return f.Sync()
}

// What Windows says when a disk is full: ERROR_DISK_FULL, ERROR_HANDLE_DISK_FULL.
const (
	windowsDiskFull       = syscall.Errno(112)
	windowsHandleDiskFull = syscall.Errno(39)
)

// isFull reports whether err says that there is no room.
func isFull(err error) bool {
	if runtime.GOOS == "windows" && (errors.Is(err, windowsDiskFull) || errors.Is(err, windowsHandleDiskFull)) {
		return true
	}
	return errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) || errors.Is(err, syscall.EFBIG)
}
