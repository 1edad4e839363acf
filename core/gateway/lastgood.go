package gateway

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
)

// lastGood is the content of the last generation that went live, as it is kept
// in the data folder: a restart with broken scripts boots it. It stands in for
// the folder that it came from, and for no other one.
type lastGood struct {
	Saved time.Time         `json:"saved"`
	Dir   string            `json:"dir"` // absolute
	Hash  [32]byte          `json:"hash"`
	Files map[string][]byte `json:"files"`
}

var errNoLastGood = errors.New("no last good generation is kept")

func (l lastGood) snapshot() reload.Snapshot {
	return reload.Snapshot{Dir: l.Dir, Files: l.Files, Hash: l.Hash}
}

func lastGoodPath(data string) string { return filepath.Join(data, "last-good.json") }

// readLastGood returns what is kept of the scripts folder dir, or errNoLastGood
// when there is none.
func readLastGood(data, dir string) (lastGood, error) {
	if data == "" {
		return lastGood{}, errNoLastGood
	}
	b, err := os.ReadFile(lastGoodPath(data))
	if errors.Is(err, os.ErrNotExist) {
		return lastGood{}, errNoLastGood
	}
	if err != nil {
		return lastGood{}, fmt.Errorf("last good generation: %w", err)
	}
	var l lastGood
	if err := json.Unmarshal(b, &l); err != nil {
		return lastGood{}, fmt.Errorf("last good generation: %s: %w", lastGoodPath(data), err)
	}
	if l.Dir != dir {
		return lastGood{}, fmt.Errorf("the last good generation in %s is of another folder (%s) and is not served", data, l.Dir)
	}
	return l, nil
}

// writeLastGood replaces what is kept, so that a crash leaves the old or the
// new one.
func writeLastGood(data, dir string, snap reload.Snapshot) error {
	if data == "" {
		return nil
	}
	b, err := json.Marshal(lastGood{Saved: time.Now().UTC(), Dir: dir, Hash: snap.Hash, Files: snap.Files})
	if err != nil {
		return fmt.Errorf("last good generation: %w", err)
	}
	f, err := os.CreateTemp(data, "last-good-*.tmp")
	if err != nil {
		return fmt.Errorf("last good generation: %w", err)
	}
	defer os.Remove(f.Name()) // without effect after the rename
	_, err = f.Write(b)
	if err = errors.Join(err, f.Sync(), f.Close()); err != nil {
		return fmt.Errorf("last good generation: %w", err)
	}
	if err := os.Rename(f.Name(), lastGoodPath(data)); err != nil {
		return fmt.Errorf("last good generation: %w", err)
	}
	return nil
}

// lines splits an error into one line a problem.
func lines(err error) []string {
	var out []string
	for _, l := range strings.Split(err.Error(), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}
