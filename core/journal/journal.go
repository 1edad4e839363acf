package journal

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gofrs/flock"

	"github.com/stratix-gateway/stratix/core"
)

// Why a batch is not in the log.
var (
	ErrFull    = errors.New("no room on the disk")
	ErrFailed  = errors.New("the disk failed")
	ErrFraming = errors.New("the batch is not made of records")
	ErrClosed  = errors.New("the journal is closed")
)

// Options are what Open needs.
type Options struct {
	Dir      string
	FS       FS // nil: OS()
	Settings core.DiskSettings
	Log      *slog.Logger // nil: slog.Default()
}

// Journal is the log. Open, Replay and Start are called in this order by one
// goroutine; the other methods may be called from any. Its use ends with Close.
type Journal struct {
	dir  string
	fs   FS
	log  *slog.Logger
	lock *flock.Flock

	needed   atomic.Uint32
	settings atomic.Pointer[core.DiskSettings]
	smaller  atomic.Uint32 // how often the reserve was halved, for lack of room
	wake     chan struct{} // holds one if the committer has something to look at
	ended    chan struct{} // closed when the committer has ended
	files    fileCache

	queue struct {
		sync.Mutex
		first, last *Batch
		closed      bool
	}

	mu       sync.Mutex // guards what follows, and what segments point to
	segments []*segment // in order; the last may be the one being written
	stats    Stats

	c        committer
	replayed bool
	started  bool
}

// Open locks the folder, which it makes if there is none, and looks at its
// segments. It writes nothing to them.
func Open(opt Options) (*Journal, error) {
	j := &Journal{
		dir: opt.Dir, fs: opt.FS, log: opt.Log,
		wake: make(chan struct{}, 1), ended: make(chan struct{}),
	}
	if j.fs == nil {
		j.fs = OS()
	}
	if j.log == nil {
		j.log = slog.Default()
	}
	j.files.open = func(number uint32) (File, error) { return j.fs.Open(segmentPath(j.dir, number)) }
	j.settings.Store(bounded(opt.Settings))
	if err := os.MkdirAll(j.dir, 0o700); err != nil {
		return nil, fmt.Errorf("journal: %w", err)
	}
	if err := (osFS{}).SyncDir(filepath.Dir(j.dir)); err != nil {
		j.log.Warn("the folder of the log may not survive a power failure", "dir", j.dir, "error", err)
	}
	j.lock = flock.New(filepath.Join(j.dir, "lock"))
	switch ok, err := j.lock.TryLock(); {
	case err != nil:
		return nil, fmt.Errorf("journal: lock %s: %w", j.dir, err)
	case !ok:
		return nil, fmt.Errorf("journal: another gateway uses %s", j.dir)
	}
	chain, err := survey(j.dir, j.fs)
	if err != nil {
		_ = j.lock.Close()
		return nil, fmt.Errorf("journal: %w", err)
	}
	j.c.chain = chain
	j.c.next = chain.highest + 1
	j.needed.Store(chain.needed)
	for _, s := range chain.segments {
		if !s.unused {
			j.segments = append(j.segments, s)
		}
	}
	return j, nil
}

// bounded are settings that a segment can have.
func bounded(s core.DiskSettings) *core.DiskSettings {
	s.Segment = min(max(s.Segment, 4<<10), 1<<31)
	if s.Interval <= 0 {
		s.Interval = time.Second
	}
	return &s
}

// Start begins a new segment and starts the committer. Replay must have read
// the log before.
func (j *Journal) Start() {
	if !j.replayed || j.started {
		panic("journal: Start comes once, after Replay")
	}
	j.started = true
	go j.run()
}

// Submit hands a batch over to the committer, which calls b.Done when it is in
// the log or b.Err says why not; in the log means synced too under
// core.SyncCommit. It never blocks. Batches submitted by one goroutine stand in
// the log in this order. After Close it calls b.Done itself.
func (j *Journal) Submit(b *Batch) {
	b.next = nil
	j.queue.Lock()
	closed := j.queue.closed
	switch {
	case closed:
	case j.queue.first == nil:
		j.queue.first, j.queue.last = b, b
	default:
		j.queue.last.next = b
		j.queue.last = b
	}
	j.queue.Unlock()
	if closed {
		b.Err = fmt.Errorf("journal: %w", ErrClosed)
		b.Done(b)
		return
	}
	j.rouse()
}

// take takes all that was submitted.
func (j *Journal) take() (first *Batch, closed bool) {
	j.queue.Lock()
	defer j.queue.Unlock()
	first = j.queue.first
	j.queue.first, j.queue.last = nil, nil
	return first, j.queue.closed
}

// rouse makes the committer look around.
func (j *Journal) rouse() {
	select {
	case j.wake <- struct{}{}:
	default:
	}
}

// Configure changes the settings, from the next commit and the next segment on.
func (j *Journal) Configure(s core.DiskSettings) {
	j.settings.Store(bounded(s))
	j.rouse()
}

// Release says that no segment before needed holds what a recovery needs. The
// committer notes that in the header of the next segment, where Replay begins;
// only then it deletes those that are to be retained no longer. What was
// released stays released.
func (j *Journal) Release(needed uint32) {
	for {
		was := j.needed.Load()
		if needed <= was {
			return
		}
		if j.needed.CompareAndSwap(was, needed) {
			j.rouse()
			return
		}
	}
}

// Close commits what was submitted before, syncs, and gives the folder free. If
// ctx ends first, Close returns its error and the committer goes on.
func (j *Journal) Close(ctx context.Context) error {
	j.queue.Lock()
	again := j.queue.closed
	j.queue.closed = true
	j.queue.Unlock()
	if !again && !j.started {
		j.refuseAll()
		j.c.closeErr = j.leave()
		close(j.ended)
	}
	j.rouse()
	select {
	case <-j.ended:
		return j.c.closeErr
	case <-ctx.Done():
		return fmt.Errorf("journal: close: %w", ctx.Err())
	}
}

// refuseAll refuses what was submitted to a journal that never started.
func (j *Journal) refuseAll() {
	for b, _ := j.take(); b != nil; {
		next := b.next
		b.Err = fmt.Errorf("journal: %w", ErrClosed)
		b.Done(b)
		b = next
	}
}

// leave closes the open files and gives the folder free.
func (j *Journal) leave() error {
	j.files.close()
	if err := j.lock.Close(); err != nil {
		return fmt.Errorf("journal: unlock %s: %w", j.dir, err)
	}
	return nil
}
