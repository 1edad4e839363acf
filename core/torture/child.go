package torture

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"time"
)

// A child process speaks lines: it prints Ready when it serves, and for each
// line on its standard input one line, OK or what went wrong. When its standard
// input ends it ends too.
const (
	Ready = "ready"
	OK    = "ok"
)

// What the child gets to come up, recover and answer.
const (
	startTimeout  = 60 * time.Second
	answerTimeout = 20 * time.Second
)

// child is the gateway's process. One goroutine uses it.
type child struct {
	argv    []string
	env     []string
	log     string // path that its standard error is appended to
	cmd     *exec.Cmd
	stdin   io.WriteCloser
	answers chan string   // closed when its standard output ends
	exited  chan struct{} // closed when it is gone
	state   *os.ProcessState
}

// start runs the process and waits until it is ready.
func (c *child) start() error {
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer log.Close()
	c.cmd = exec.Command(c.argv[0], c.argv[1:]...)
	c.cmd.Env = append(os.Environ(), c.env...)
	c.cmd.Stderr = log
	if c.stdin, err = c.cmd.StdinPipe(); err != nil {
		return err
	}
	out, err := c.cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := c.cmd.Start(); err != nil {
		return fmt.Errorf("start the gateway: %w", err)
	}
	c.answers, c.exited = make(chan string, 16), make(chan struct{})
	go c.wait(c.cmd, out, c.answers, c.exited)
	if err := c.answer(Ready, startTimeout); err != nil {
		c.kill()
		return fmt.Errorf("start the gateway: %w", err)
	}
	return nil
}

func (c *child) wait(cmd *exec.Cmd, out io.Reader, answers chan<- string, exited chan<- struct{}) {
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		answers <- lines.Text()
	}
	close(answers)
	_ = cmd.Wait() // its state says how it went
	c.state = cmd.ProcessState
	close(exited)
}

// answer waits for the line want.
func (c *child) answer(want string, within time.Duration) error {
	t := time.NewTimer(within)
	defer t.Stop()
	select {
	case got, ok := <-c.answers:
		if !ok {
			return c.dead()
		}
		if got != want {
			return errors.New(got)
		}
		return nil
	case <-t.C:
		return fmt.Errorf("the gateway did not say %q within %s", want, within)
	}
}

// tell gives the process a line and waits for its OK.
func (c *child) tell(line string) error {
	if _, err := io.WriteString(c.stdin, line+"\n"); err != nil {
		return c.dead()
	}
	if err := c.answer(OK, answerTimeout); err != nil {
		return fmt.Errorf("%s: %w", line, err)
	}
	return nil
}

// errDied is the end of a process that nobody had told to end.
var errDied = errors.New("the gateway died")

// dead says how the process ended, with the end of its log.
func (c *child) dead() error {
	<-c.exited
	log, err := os.ReadFile(c.log)
	if err != nil {
		return err
	}
	const tail = 4000
	if len(log) > tail {
		log = log[len(log)-tail:]
	}
	return fmt.Errorf("%w: %s; its log ends with:\n%s", errDied, c.state, strings.TrimSpace(string(log)))
}

// alive is nil while the process runs.
func (c *child) alive() error {
	select {
	case <-c.exited:
		return c.dead()
	default:
		return nil
	}
}

// kill ends the process at once, and waits until it is gone.
func (c *child) kill() {
	if c.cmd == nil {
		return
	}
	_ = c.cmd.Process.Kill()
	c.gone()
}

func (c *child) gone() {
	for range c.answers {
	}
	<-c.exited
	c.stdin.Close()
	c.cmd = nil
}

// stop closes the standard input, which lets the process shut down in order, and
// says whether it did.
func (c *child) stop() error {
	c.stdin.Close()
	t := time.AfterFunc(startTimeout, func() { _ = c.cmd.Process.Kill() })
	defer t.Stop()
	<-c.exited
	if !c.state.Success() {
		return c.dead()
	}
	c.gone()
	return nil
}
