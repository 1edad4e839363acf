package lua

import (
	"fmt"
	"log/slog"
	"strings"
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/wire"
	glua "github.com/yuin/gopher-lua"
)

// testCase is one test with all that it has to itself.
type testCase struct {
	load  load // its own: the clock and the log are in it
	opt   *TestOptions
	clock *rehearse.Clock
	log   testLog
	world *rehearse.World
	in    *instance // the test's VM; the scripts have another
	// stopped ends the test when it is set; nil where nobody does.
	stopped *atomic.Bool

	clientType, resultType *glua.LTable // metatables
	clients                map[*rehearse.Client]*glua.LUserData

	failures []string
	skipped  bool
	reason   string     // of the skip
	sent     []exchange // the last ones
	most     int        // instructions that a message took
}

// exchange is something that a client sent, for the text of a failure.
type exchange struct {
	pos string
	r   *rehearse.Result
}

// maxExchanges is how many the text of a failure shows.
const maxExchanges = 3

// newTestCase prepares a test of what compiled has compiled.
func newTestCase(compiled *load, opt *TestOptions) *testCase {
	return &testCase{
		load: *compiled, opt: opt, clock: rehearse.NewClock(testStart),
		clients: map[*rehearse.Client]*glua.LUserData{},
	}
}

// open builds the generation and the World around it.
func (c *testCase) open() error {
	log := slog.New(&c.log)
	gen, _, err := c.load.assemble(Options{
		Number: 1, Shards: 1, Budget: c.opt.Budget, ScriptEnv: c.opt.ScriptEnv, Env: rehearse.Env(log), Log: log, Now: c.clock.Now, Seed: 1,
	})
	if err != nil {
		return err
	}
	c.world = rehearse.NewWorld(gen, c.clock)
	c.in = c.instance()
	return nil
}

// instance makes the VM of the test: the sandbox of the scripts with a budget of
// its own.
func (c *testCase) instance() *instance {
	in := &instance{
		load: &c.load, boxes: newBoxes(), parser: wire.NewParser(),
		paths: map[string]*path{}, headers: map[string]*path{},
	}
	in.encoder.in = in
	budget, most := c.opt.TestBudget, c.opt.Time
	if budget <= 0 {
		budget = defaultTestBudget
	}
	if most <= 0 {
		most = defaultTestTime
	}
	v := newVM(vmOptions{
		Budget: budget, Require: c.load.modules.find, Log: in.write, Open: in.install,
		Now: c.load.now, Random: c.load.random(0),
	})
	v.callTime, v.loadTime = most, most
	v.budget.stopped = c.stopped
	c.clientType = in.objectWithFields("field of a client", c.clientVerbs(), c.clientField, clientFields)
	c.resultType = in.objectWithFields("field of a result", nil, c.resultField, resultFields)
	return in
}

// run runs one test.
func (c *testCase) run(chunk *Chunk, name string) TestResult {
	began := time.Now()
	pos := position(chunk.Name, chunk.Globals[name])
	r := TestResult{Name: name, Pos: pos}
	if err := c.open(); err != nil {
		c.failures = append(c.failures, failureOf(err, pos))
	} else {
		r.Instructions = c.call(chunk, name, pos)
		c.in.vm.close()
	}
	r.Log, r.MessageInstructions = c.log.String(), c.most
	switch {
	case len(c.failures) > 0:
		r.Outcome, r.Text = TestFailed, strings.Join(append(c.failures, c.exchanges()...), "\n")
	case c.skipped:
		r.Outcome, r.Text = TestSkipped, c.reason
	}
	r.Took = time.Since(began)
	return r
}

// call runs the file and then the function, and notes how they fail.
func (c *testCase) call(chunk *Chunk, name, pos string) (instructions int) {
	v := c.in.vm
	// The modules that the file requires may make word lists and the like, as they
	// do for main.lua, whose pipeline is the only one.
	c.in.loading, c.in.defined = true, mainFile
	err := v.run(chunk)
	c.in.loading = false
	if err != nil {
		c.failures = append(c.failures, failureOf(err, pos))
		return 0
	}
	v.freeze()
	fn, ok := v.L.GetGlobal(name).(*glua.LFunction)
	if !ok || fn.IsG {
		c.failures = append(c.failures, pos+": "+name+" is not a function: a test is function "+name+"(t) ... end")
		return 0
	}
	t := v.L.NewUserData()
	t.Value = c
	t.Metatable = c.in.objectType("verb of t", c.testVerbs())
	if err := v.call(fn, 0, t); err != nil && !strings.HasSuffix(err.Error(), endOfTest) {
		c.failures = append(c.failures, failureOf(err, pos))
	}
	return v.used()
}

// endOfTest is the error that ends a test which has failed or is skipped.
const endOfTest = "(end of the test)"

// fail notes a failure at the place in the test that is running, and ends it.
func (c *testCase) fail(L *glua.LState, format string, args ...any) {
	c.failures = append(c.failures, c.in.vm.where()+": "+fmt.Sprintf(format, args...))
	L.RaiseError(endOfTest)
}

// note remembers something sent for the text of a failure.
func (c *testCase) note(r *rehearse.Result) {
	c.sent = append(c.sent, exchange{c.in.vm.where(), r})
	if len(c.sent) > maxExchanges {
		c.sent = c.sent[1:]
	}
}

// exchanges are the lines about what was sent last and decided on it.
func (c *testCase) exchanges() []string {
	var lines []string
	for _, e := range c.sent {
		r := e.r
		lines = append(lines, fmt.Sprintf("  sent at %s by %s: %s", e.pos, r.Sender().ID, cut(oneLine(string(r.Frame)))))
		if len(r.Steps) > 0 {
			lines = append(lines, "    stages:  "+strings.Join(stepTexts(r.Steps), ", "))
		}
		lines = append(lines, "    decided: "+decided(r))
	}
	return lines
}

// decided is one line about what became of a frame.
func decided(r *rehearse.Result) string {
	if r.Waits {
		return "waits behind a message of its sender that a stage holds"
	}
	text := r.Decision.String()
	if r.Repeated() {
		text += "; a repeat: its sender and messageId are known already"
	}
	switch status := r.Status(); {
	case text == "" && status != "":
		return status
	case status != "" && r.Decision.Code != "":
		return text + "; " + status + " (" + r.Decision.Code + ")"
	case status != "":
		return text + "; " + status
	}
	return text
}

// settled raises an error for a hook that failed since it was last asked.
func (c *testCase) settled(L *glua.LState) {
	errs := c.world.HookErrors
	c.world.HookErrors = nil
	if len(errs) > 0 {
		L.RaiseError("a hook failed: %s", causeOf(errs[0]))
	}
}

// causeOf is what happened, with its place, where err says less to clients.
func causeOf(err error) string {
	if r, ok := err.(*core.Rejection); ok && r.Cause != nil { //nolint:errorlint // wrapped once, by the runner
		return r.Cause.Error()
	}
	return err.Error()
}
