package torture

import (
	"bufio"
	"encoding/json"
	"errors"
	"io"
	"os"
	"sync"
	"time"
)

// History gathers the events of all clients. Its methods may be called from any
// goroutine.
type History struct {
	began time.Time

	mu     sync.Mutex
	events []Event
}

// NewHistory begins an empty history now.
func NewHistory() *History { return &History{began: time.Now()} }

// Add appends e and sets its time. So the order of events is that of their
// times, and what one client caused another to note stands behind the cause.
func (h *History) Add(e Event) {
	h.mu.Lock()
	e.At = time.Since(h.began)
	h.events = append(h.events, e)
	h.mu.Unlock()
}

// Events returns what there is so far; the caller must not change it.
func (h *History) Events() []Event {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.events[:len(h.events):len(h.events)]
}

// latest is how many events there are, and when the last one of a kind came.
func (h *History) latest(kinds ...Kind) (n int, at time.Duration) {
	events := h.Events()
	for i := len(events) - 1; i >= 0; i-- {
		for _, k := range kinds {
			if events[i].Kind == k {
				return len(events), events[i].At
			}
		}
	}
	return len(events), 0
}

// now is the time of an event that would be added now.
func (h *History) now() time.Duration { return time.Since(h.began) }

// WriteFile writes events as JSON lines.
func WriteFile(path string, events []Event) error {
	f, err := os.Create(path)
	if err != nil {
		return err
	}
	w := bufio.NewWriterSize(f, 1<<20)
	enc := json.NewEncoder(w)
	for i := range events {
		if err = enc.Encode(&events[i]); err != nil {
			break
		}
	}
	return errors.Join(err, w.Flush(), f.Close())
}

// ReadEvents reads what WriteFile wrote.
func ReadEvents(r io.Reader) ([]Event, error) {
	dec := json.NewDecoder(bufio.NewReaderSize(r, 1<<20))
	var events []Event
	for {
		var e Event
		switch err := dec.Decode(&e); err {
		case nil:
			events = append(events, e)
		case io.EOF:
			return events, nil
		default:
			return events, err
		}
	}
}
