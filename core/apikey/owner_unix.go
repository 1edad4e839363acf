//go:build unix

package apikey

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
)

// keepOwner gives out, which is to become the file at path, the owner of the one
// that is there. One that root makes for the first time gets the owner of its
// folder. Else a gateway that is not root could not read what root has changed, and
// revoked keys would stay good.
func keepOwner(out *os.File, path string) error {
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		if os.Geteuid() != 0 {
			return nil
		}
		info, err = os.Stat(filepath.Dir(path))
	}
	if err != nil {
		return err
	}
	is, known := info.Sys().(*syscall.Stat_t)
	if !known || int(is.Uid) == os.Geteuid() {
		return nil
	}
	return out.Chown(int(is.Uid), int(is.Gid))
}
