package load

import (
	"fmt"
	"runtime"
	"sync"
	"time"

	"github.com/HdrHistogram/hdrhistogram-go"
	"golang.org/x/sys/unix"

	"github.com/stratix-gateway/stratix/core/frame"
)

const (
	// inHandshake is how many handshakes a worker has under way at once.
	inHandshake = 64
	// patience is how long a worker waits for any handshake to finish.
	patience = 10 * time.Second
	// closePatience is how long the gateway may take for a handshake, a close
	// frame and the end of the stream.
	closePatience = 2 * time.Second
	// maxUnsent is how many bytes an open loop lets a connection run behind.
	maxUnsent = 1 << 20
)

// worker is one event loop. Its connections, its counts and everything else but
// seen belong to the goroutine that runs one of its phases.
type worker struct {
	poller
	fleet *fleet
	index int
	conns []*conn // the ones it runs
	in    []byte
	batch []byte // frames about to be sent
	line  []byte // the text of one of them
	err   error  // ends the phase
	why   string

	dials, dialing int
	churning       bool
	again          []*conn // to be dialled again

	Counts
	latency     *hdrhistogram.Histogram // nanoseconds; nil while nothing is timed
	saving      *hdrhistogram.Histogram // the same of what was due while a save went live
	from, until time.Duration           // what was due then is timed

	mu     sync.Mutex
	seen   Counts // a copy of Counts as of the last turn, under mu
	silent bool   // it sends no further messages in this phase, under mu
}

func newWorker(f *fleet, index int) (*worker, error) {
	w := &worker{fleet: f, index: index, in: make([]byte, readSize)}
	return w, w.open()
}

// time begins to record latencies of what is due between from and until.
func (w *worker) time(from, until time.Duration) {
	w.latency = hdrhistogram.New(1000, int64(time.Minute), 3)
	w.saving = hdrhistogram.New(1000, int64(time.Minute), 3)
	w.from, w.until = from, until
}

// record notes in h that what was due then has come about now.
func (w *worker) record(h *hdrhistogram.Histogram, due time.Duration) {
	if due >= w.from && due < w.until {
		took := min(w.fleet.now()-due, time.Minute)
		if h.RecordValue(int64(max(took, 0))) != nil {
			w.Strange++
		}
	}
}

// pin keeps the goroutine on a thread whose timers are exact; the kernel may
// else let a sleep last 50 us longer. The thread ends with the goroutine.
func pin() {
	runtime.LockOSThread()
	_ = unix.Prctl(unix.PR_SET_TIMERSLACK, 1, 0, 0, 0)
}

// fail ends the phase with the first error.
func (w *worker) fail(err error) {
	if w.err == nil {
		w.err = err
	}
}

// note keeps the first explanation of what went wrong without ending the phase.
func (w *worker) note(why error) {
	if w.why == "" {
		w.why = why.Error()
	}
}

// turn handles the events that come within the timeout.
func (w *worker) turn(timeout time.Duration) {
	events, err := w.wait(timeout)
	if err != nil {
		w.fail(err)
	}
	for i := range events {
		if e := &events[i]; e.Fd == wakeID {
			w.quiet()
		} else {
			w.event(w.fleet.conns[e.Fd], e.Events)
		}
	}
	w.publish()
}

// publish lets others see what was counted.
func (w *worker) publish() {
	w.mu.Lock()
	w.seen = w.Counts
	w.mu.Unlock()
}

// hush tells the others that w sends no further messages in this phase: from
// now on they can know what is outstanding.
func (w *worker) hush() {
	w.mu.Lock()
	w.seen, w.silent = w.Counts, true
	w.mu.Unlock()
}

// quiet stops the bell.
func (w *worker) quiet() {
	var b [8]byte
	read(w.bell, b[:])
}

func (w *worker) event(c *conn, events uint32) {
	switch {
	case c.state == shut:
		return
	case c.state == connecting:
		w.connected(c)
		return
	case events&unix.EPOLLOUT != 0:
		w.flush(c)
	}
	if events&^unix.EPOLLOUT != 0 {
		w.readable(c)
	}
}

// readable reads once and handles every whole frame.
func (w *worker) readable(c *conn) {
	kept := copy(w.in, c.rest)
	n, errno := read(c.fd, w.in[kept:])
	if errno == unix.EAGAIN {
		return
	}
	if errno != 0 || n == 0 {
		var err error
		if errno != 0 {
			err = fmt.Errorf("read: %w", errno)
		}
		w.shut(c, err)
		return
	}
	b := w.in[:kept+n]
	if c.state == upgrading {
		n, err := parseUpgrade(b, w.fleet.reliable)
		if err != nil {
			w.shut(c, err)
			return
		}
		if b = b[n:]; n > 0 {
			w.upgraded(c)
		}
	}
	for c.state > upgrading {
		op, payload, n, err := nextFrame(b)
		if err != nil {
			w.fail(fmt.Errorf("%s: %w", c.client, err))
			return
		}
		if n == 0 {
			break
		}
		w.frame(c, frame.Op(op), payload)
		b = b[n:]
	}
	c.rest = append(c.rest[:0], b...)
	if t := w.fleet.traffic; t != nil && c.state == open {
		t.pump(w, c)
		if t.whole && c.from.state == open {
			t.pump(w, c.from)
		}
	}
	if c.state > upgrading && c.state != closing {
		w.acknowledge(c)
	}
}

func (w *worker) frame(c *conn, op frame.Op, payload []byte) {
	switch op {
	case frame.OpText:
		w.text(c, payload)
	case frame.OpPing:
		w.batch = frame.AppendMasked(w.batch[:0], frame.OpPong, maskKey, payload)
		w.send(c, w.batch)
	case frame.OpClose:
		if c.state != closing && len(payload) >= 2 {
			w.note(fmt.Errorf("the gateway closed a connection: %d %s", int(payload[0])<<8|int(payload[1]), payload[2:]))
		}
	case frame.OpPong:
	default:
		w.Strange++
	}
}

// upgraded is called when the handshake is done.
func (w *worker) upgraded(c *conn) {
	if w.fleet.reliable {
		w.greet(c)
	} else {
		w.admitted(c)
	}
}

// admitted is called when c can be sent to.
func (w *worker) admitted(c *conn) {
	switch {
	case w.churning:
		w.opened(c)
		c.state = closing
		w.batch = frame.AppendMasked(w.batch[:0], frame.OpClose, maskKey, []byte{1000 >> 8, 1000 & 0xff})
		w.send(c, w.batch)
	case w.fleet.join != "" && c.from != nil:
		c.state = joining
		w.batch = frame.AppendMasked(w.batch[:0], frame.OpText, maskKey, []byte(w.fleet.join))
		w.send(c, w.batch)
	default:
		w.opened(c)
	}
}

func (w *worker) opened(c *conn) {
	c.state = open
	w.dialing--
	w.Handshakes++
	if w.latency != nil {
		w.record(w.latency, c.began)
	}
}

// connect opens those of the conns that are its own.
func (w *worker) connect(conns []*conn) error {
	began, before := w.fleet.now(), w.Handshakes
	for len(conns) > 0 || w.dialing > 0 {
		for len(conns) > 0 && w.dialing < inHandshake && w.err == nil {
			c := conns[0]
			if conns = conns[1:]; c.worker == w {
				w.dial(c)
			}
		}
		if w.dialing > 0 && w.err == nil {
			w.turn(patience)
		}
		switch now := w.fleet.now(); {
		case w.err != nil:
			return w.err
		case w.fleet.phase.Load() == ended:
			return nil
		case w.Handshakes != before:
			began, before = now, w.Handshakes
		case now-began > patience:
			return fmt.Errorf("no handshake came to its end within %v", patience)
		}
	}
	return nil
}

// churn opens and closes its connections until the phase ends.
func (w *worker) churn() error {
	w.churning = true
	w.again = append(w.again, w.conns...)
	var batch []*conn
	for w.err == nil && w.fleet.phase.Load() == running {
		batch, w.again = w.again, batch[:0]
		for i, c := range batch {
			if w.dialing >= inHandshake {
				w.again = append(w.again, batch[i:]...)
				break
			}
			w.dial(c)
		}
		timeout := time.Duration(forever)
		if len(w.again) > 0 && w.dialing < inHandshake {
			timeout = time.Millisecond // all of them failed: do not spin
		}
		w.turn(timeout)
	}
	for _, c := range w.conns {
		if c.state == closing && w.fleet.now()-c.began > closePatience {
			w.Stuck++
		}
	}
	return w.err
}

// hold answers pings until the phase ends.
func (w *worker) hold() error {
	for w.err == nil && w.fleet.phase.Load() != ended {
		w.turn(forever)
	}
	return w.err
}
