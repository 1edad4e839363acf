package torture

import (
	"fmt"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
)

// flip changes one bit of a segment below data that is not the newest, in a
// place that was written to. It returns what it did, "" when there was no such
// place. The gateway must not run.
func flip(data string, rng *rand.Rand) (did string, err error) {
	var segments []string
	err = filepath.WalkDir(data, func(path string, _ fs.DirEntry, err error) error {
		if filepath.Ext(path) == ".seg" {
			segments = append(segments, path)
		}
		return err
	})
	if err != nil {
		return "", err
	}
	if len(segments) < 2 {
		return "", nil
	}
	slices.Sort(segments)
	path := segments[rng.IntN(len(segments)-1)]
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil || info.Size() == 0 {
		return "", err
	}
	const tries = 100
	var b [16]byte
	for range tries {
		at := rng.Int64N(info.Size())
		n, _ := f.ReadAt(b[:], at)
		if n == 0 || b[0] == 0 || b == [16]byte{} {
			continue // perhaps not written to: a segment is made in its full size
		}
		changed := b[0] ^ 1<<rng.IntN(8)
		if _, err := f.WriteAt([]byte{changed}, at); err != nil {
			return "", err
		}
		return fmt.Sprintf("%s, byte %d: %#02x to %#02x", filepath.Base(path), at, b[0], changed), f.Sync()
	}
	return "", nil
}
