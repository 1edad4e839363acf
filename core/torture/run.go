package torture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// Config says what a run is made of.
type Config struct {
	Seed       uint64
	For        time.Duration // of faults; the run takes somewhat longer
	Senders    int
	Recipients int // reliable ones
	Plain      int // clients without the subprotocol that are sent to as well
	Rate       int // messages a second of all senders
	Window     int // unanswered messages of a sender
	Faults     []string
	Overflow   string        // one of Overflows; "" to draw it from the seed
	Patience   time.Duration // how long the end of the run may stand still; 0 for 20 s
	// Command is the gateway's process and its first arguments; it gets --listen,
	// --scripts, --data and, if unsynced writes are to vanish, --lose.
	Command []string
	Env     []string // added to the environment
	Folder  string   // for what the run leaves behind when it fails; "" for one in the temporary folder
}

// Result is what came of a run.
type Result struct {
	Violations []Violation
	Summary    string
	History    string // path of the history's file, "" when all is well
}

// patience is Config.Patience unless it is set; quiet is the silence after which
// a look at the history is worth it.
const (
	patience = 20 * time.Second
	quiet    = 1500 * time.Millisecond
)

// Run does one run, and writes what it finds to out. It returns an error if the
// run could not be done; that the gateway breaks a rule is in the result.
func Run(ctx context.Context, cfg Config, out io.Writer) (Result, error) {
	r, err := newRun(cfg)
	if err != nil {
		return Result{}, err
	}
	defer r.child.kill()
	var result Result
	failed := r.do(ctx)
	if err := r.history.Close(); err != nil && ctx.Err() == nil {
		return result, err
	}
	switch {
	case ctx.Err() != nil:
		return result, errors.Join(ctx.Err(), os.RemoveAll(r.folder))
	case failed != nil && !errors.Is(failed, errDied) && !errors.Is(failed, errMisused):
		return result, fmt.Errorf("%w (what there is of the run is in %s)", failed, r.folder)
	}
	result.Violations, result.Summary = r.history.violations(), r.history.summary()
	if failed != nil {
		result.Violations = append([]Violation{{Rule: RuleProcess, Text: failed.Error()}}, result.Violations...)
	}
	fmt.Fprintln(out, result.Summary)
	if len(result.Violations) == 0 {
		return result, os.RemoveAll(r.folder)
	}
	result.History = filepath.Join(r.folder, historyFile)
	err = Explain(out, result.History, result.Violations)
	fmt.Fprintf(out, "history: %s (the gateway's log and data are beside it)\n", result.History)
	return result, err
}

// historyFile is the history in the folder of a run.
const historyFile = "history.jsonl"

// errMisused is what the file layer has to say against the gateway.
var errMisused = errors.New("the gateway did not pass the audit")

// run is a run under way.
type run struct {
	cfg        Config
	folder     string
	history    *History
	child      *child
	chaos      *chaos
	recipients []*Recipient
	plain      []*Plain
	senders    []*Sender
}

func newRun(cfg Config) (*run, error) {
	for _, f := range cfg.Faults {
		if !slices.Contains(Faults, f) {
			return nil, fmt.Errorf("there is no fault %q; there are %v", f, Faults)
		}
	}
	if cfg.Overflow != "" && !slices.Contains(Overflows, cfg.Overflow) {
		return nil, fmt.Errorf("there is no overflow policy %q; there are %v", cfg.Overflow, Overflows)
	}
	address, err := freeAddress()
	if err != nil {
		return nil, err
	}
	folder, err := os.MkdirTemp(cfg.Folder, "torture-")
	if err != nil {
		return nil, err
	}
	if cfg.Patience == 0 {
		cfg.Patience = patience
	}
	r := &run{cfg: cfg, folder: folder}
	if r.history, err = NewHistory(filepath.Join(folder, historyFile)); err != nil {
		return nil, err
	}
	b := drawBounds(cfg.Seed, cfg.Overflow)
	if b.bounded() {
		r.history.Add(Event{Kind: Bounded, Code: b.overflow, Text: strings.TrimSpace(b.settings())})
	}
	scripts, data := filepath.Join(folder, "scripts"), filepath.Join(folder, "data")
	if err := errors.Join(os.Mkdir(scripts, 0o755), os.Mkdir(data, 0o755), save(scripts, script(0, full, b))); err != nil {
		return nil, err
	}
	has := map[string]bool{}
	for _, f := range cfg.Faults {
		has[f] = true
	}
	argv := append(slices.Clone(cfg.Command), "--listen", address, "--scripts", scripts, "--data", data)
	if has[FaultLose] {
		argv = append(argv, "--lose")
	}
	r.child = &child{argv: argv, env: cfg.Env, log: filepath.Join(folder, "gateway.log")}
	r.populate(address, has[FaultTTL])
	r.chaos = &chaos{
		faults: momentary(cfg.Faults), has: has, rng: rand.New(rand.NewPCG(cfg.Seed, 0)),
		child: r.child, history: r.history, clients: r.clients(), waiting: r.waiting(), bounds: b, scripts: scripts, data: data,
	}
	return r, nil
}

// momentary leaves out the faults that last for the whole run or come with
// others.
func momentary(faults []string) []string {
	return slices.DeleteFunc(slices.Clone(faults), func(f string) bool {
		return f == FaultLose || f == FaultTTL || f == FaultFlip
	})
}

// freeAddress is one that nobody listens on at the moment.
func freeAddress() (string, error) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return "", err
	}
	return l.Addr().String(), l.Close()
}

// do is the run: everybody comes, faults for a while, and then peace until all
// is answered and delivered.
func (r *run) do(ctx context.Context) error {
	if err := r.child.start(); err != nil {
		return err
	}
	var all sync.WaitGroup
	clients, stop := context.WithCancel(ctx)
	defer all.Wait()
	defer stop()
	for _, c := range r.recipients {
		all.Go(func() { c.Run(clients) })
	}
	for _, c := range r.plain {
		all.Go(func() { c.Run(clients) })
	}
	if err := r.awaitRecipients(ctx); err != nil {
		return err
	}
	for _, c := range r.senders {
		all.Go(func() { c.Run(clients) })
	}
	storm, over := context.WithTimeout(ctx, r.cfg.For)
	defer over()
	if err := r.chaos.run(storm); err != nil {
		return err
	}
	for _, c := range r.senders {
		c.Finish()
	}
	if err := r.settle(ctx); err != nil {
		return err
	}
	r.history.Add(Event{Kind: Fault, Code: faultRest})
	stop()
	all.Wait()
	if err := r.child.tell("audit"); err != nil {
		return fmt.Errorf("%w: %w", errMisused, err)
	}
	return r.child.stop()
}

// awaitRecipients waits until every reliable recipient has a session and is in
// its groups, since nobody has to keep anything for those who never came.
func (r *run) awaitRecipients(ctx context.Context) error {
	t := time.NewTimer(startTimeout)
	defer t.Stop()
	for _, c := range r.recipients {
		select {
		case <-c.ready:
		case <-t.C:
			return fmt.Errorf("%s got no answer to its hello or join (last dial error: %v)", c.id, c.trouble.Load())
		case <-ctx.Done():
			return ctx.Err()
		}
	}
	return nil
}

// settle waits until the history is complete, for as long as it goes on.
func (r *run) settle(ctx context.Context) error {
	for checked := -1; ; {
		pause(ctx, quiet/10)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err := r.child.alive(); err != nil {
			return err
		}
		n, silence := r.history.progress()
		pending := 0
		for _, c := range r.senders {
			pending += c.Pending()
		}
		if silence > r.cfg.Patience {
			return nil // what is missing is for the checker to say
		}
		if pending == 0 && silence > quiet && checked != n {
			if !slices.ContainsFunc(r.history.violations(), mayMend) {
				return nil
			}
			checked = n
		}
	}
}

// mayMend reports whether the violation may be one only because something is
// still to come.
func mayMend(v Violation) bool {
	return v.Rule == RuleKept || v.Rule == RuleSeq || v.Rule == RuleAnswer || v.Rule == RuleReceipt
}
