package torture

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"strings"
)

// ReadFile calls f for each event of a history's file, in order. f must not keep
// the event.
func ReadFile(path string, f func(*Event)) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := readEvents(file, f); err != nil {
		return fmt.Errorf("%s: %w", path, err)
	}
	return nil
}

// readEvents lets the events share their targets, as those of a run do.
func readEvents(r io.Reader, f func(*Event)) error {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	targets := map[string]*Target{}
	for {
		var e Event
		switch err := dec.Decode(&e); {
		case err == io.EOF:
			return nil
		case err != nil:
			return err
		}
		if e.To != nil {
			name := string(e.To.Kind) + "\n" + e.To.Name + "\n" + strings.Join(e.To.Members, "\n")
			if targets[name] == nil {
				targets[name] = e.To
			}
			e.To = targets[name]
		}
		f(&e)
	}
}
