package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"os"
	"sync"
	"time"
)

// History gathers the events of all clients in a file, and hands each to a
// Checker: none stays in memory. Its methods may be called from any goroutine.
type History struct {
	began time.Time

	mu      sync.Mutex
	file    *os.File
	out     *bufio.Writer
	lines   *json.Encoder
	err     error // the first of writing
	checker *Checker
	tally   Tally
	events  int
	moved   time.Duration // when a message last made progress, or a fault came or went
}

// NewHistory begins an empty history now, in a new file of JSON lines.
func NewHistory(path string) (*History, error) {
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	out := bufio.NewWriterSize(f, 1<<20)
	return &History{began: time.Now(), file: f, out: out, lines: json.NewEncoder(out), checker: NewChecker()}, nil
}

// Add appends e and sets its time. So the order of events is that of their
// times, and what one client caused another to note stands behind the cause.
func (h *History) Add(e Event) {
	h.mu.Lock()
	defer h.mu.Unlock()
	e.At = time.Since(h.began)
	if err := h.lines.Encode(&e); err != nil && h.err == nil {
		h.err = err
	}
	h.checker.Enter(&e)
	h.tally.Add(&e)
	h.events++
	switch e.Kind {
	case Received, Told, Gapped, Refused, Fault:
		h.moved = e.At
	}
}

// progress is how many events there are, and for how long nothing has moved.
func (h *History) progress() (events int, silence time.Duration) {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events, time.Since(h.began) - h.moved
}

// violations is what the history up to now breaks, as if it ended here. Nobody
// can add to it meanwhile.
func (h *History) violations() []Violation {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.checker.Violations()
}

// summary is that of the events so far.
func (h *History) summary() string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.tally.String()
}

// Close brings everything into the file; nothing may be added after it.
func (h *History) Close() error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return errors.Join(h.err, h.out.Flush(), h.file.Close())
}
