package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
)

// quarantineFile is where the bytes of a damage in dir are kept.
func quarantineFile(dir string, d *Damage) string {
	return filepath.Join(dir, "quarantine", fmt.Sprintf("%08d-%d.bad", d.Segment, d.Offset))
}

// SetAside looks in dir for the copy that a start of the gateway made of a damage.
// name is its file, "" if there is none; same reports whether it holds the bytes
// that are damaged now.
func SetAside(dir string, files FS, d *Damage) (name string, same bool) {
	if d.Length == 0 {
		return "", false
	}
	name = quarantineFile(dir, d)
	kept, err := files.Open(name)
	if err != nil {
		return "", false
	}
	defer kept.Close()
	size, err := kept.Size()
	if err != nil || size != d.Length {
		return name, false
	}
	from, err := files.Open(d.File)
	if err != nil {
		return name, false
	}
	defer from.Close()
	// What could not be read was copied as zeros, and is read as zeros here.
	damaged, copied := newWindow(from, d.Offset+d.Length), newWindow(kept, d.Length)
	for at := int64(0); at < d.Length; {
		n := int(min(chunk, d.Length-at))
		if !bytes.Equal(damaged.at(d.Offset+at, n), copied.at(at, n)) {
			return name, false
		}
		at += int64(n)
	}
	return name, copied.err == nil
}

// quarantine copies a damaged range to a file of its own, once.
func (j *Journal) quarantine(d *Damage) error {
	if d.Length == 0 {
		return nil
	}
	name := quarantineFile(j.dir, d)
	from, err := j.fs.Open(d.File)
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := j.fs.Create(name)
	if errors.Is(err, fs.ErrExist) {
		d.Quarantine = name
		return nil
	}
	if err != nil {
		return err
	}
	err = copyRange(to, from, d.Offset, d.Length)
	if err == nil {
		err = to.Datasync()
	}
	if e := to.Close(); err == nil {
		err = e
	}
	if err != nil {
		_ = j.fs.Remove(name)
		return err
	}
	d.Quarantine = name
	return j.fs.SyncDir(filepath.Dir(name))
}

// copyRange copies a range of a file to the beginning of another. What cannot be
// read is copied as zeros.
func copyRange(to, from File, off, length int64) error {
	w := newWindow(from, off+length)
	for at := off; at < off+length; {
		part := w.at(at, int(min(chunk, off+length-at)))
		if _, err := to.WriteAt(part, at-off); err != nil {
			return err
		}
		at += int64(len(part))
	}
	return nil
}
