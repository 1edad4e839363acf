package lua

import (
	"context"
	"errors"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"time"
)

// The tests of a scripts folder are the global functions test_* of its *_test.lua
// files. Each runs with a generation, a World and a VM of its own: nothing passes
// from one to the next.

// TestOptions are what the tests of a scripts folder run with.
type TestOptions struct {
	// Budget is how many instructions a message may take, as in Options.
	Budget int
	// TestBudget is how many instructions one test may take, without those of
	// the scripts that it calls; 0 means 10,000,000.
	TestBudget int
	// ScriptEnv is as in Options.
	ScriptEnv []string
	// Time is how long one test may take; 0 means 10 seconds.
	Time time.Duration
	// Run chooses tests by their names; nil chooses all.
	Run *regexp.Regexp
}

const (
	defaultTestBudget = 10_000_000
	defaultTestTime   = 10 * time.Second
)

// testStart is when the clock of each test begins: a Thursday noon, UTC.
var testStart = time.Date(2026, time.January, 1, 12, 0, 0, 0, time.UTC)

// TestOutcome is how a test ended.
type TestOutcome uint8

// The outcomes.
const (
	TestPassed TestOutcome = iota
	TestFailed
	TestSkipped
)

// String is the word in reports.
func (o TestOutcome) String() string { return [...]string{"ok", "FAIL", "skip"}[o%3] }

// TestResult is what came of one test.
type TestResult struct {
	Name    string // of the function, or of the file where that is not usable
	Pos     string // where it is: "main_test.lua:12"
	Outcome TestOutcome
	// Text says why it failed, in lines: each failure begins with its place. Of a
	// skipped test it is the reason.
	Text string
	Log  string // what the scripts and the test have logged, in lines
	Took time.Duration
	// Instructions are those of the test, without those of the scripts.
	Instructions int
	// MessageInstructions are the most that one message took when it was sent.
	MessageInstructions int
}

// RunTests runs the tests in a scripts folder, in the order of their files and
// lines, and gives each result to each as well (nil is allowed). A test file that
// does not compile is a failed result of its own. The error is Problems if the
// scripts do not load, or that of ctx, which ends the test under way too.
func RunTests(ctx context.Context, src Sources, opt TestOptions, each func(TestResult)) ([]TestResult, error) {
	l := &load{src: src}
	if err := l.compile(); err != nil {
		return nil, err
	}
	// Before any test: a folder that does not load is one problem, not many.
	if err := newTestCase(l, &opt).open(); err != nil {
		return nil, err
	}
	stopped := new(atomic.Bool)
	defer context.AfterFunc(ctx, func() { stopped.Store(true) })()
	var results []TestResult
	add := func(r TestResult) {
		results = append(results, r)
		if each != nil {
			each(r)
		}
	}
	known := baseGlobals()
	maps.Copy(known, ownGlobals)
	for _, file := range testFiles(src) {
		chunk, problems := compile(file, src[file], known)
		if len(problems) > 0 {
			add(TestResult{Name: file, Pos: problems[0].Pos, Outcome: TestFailed, Text: Problems(problems).Error()})
			continue
		}
		for _, name := range testNames(chunk) {
			if opt.Run != nil && !opt.Run.MatchString(name) {
				continue
			}
			if err := ctx.Err(); err != nil {
				return results, err
			}
			c := newTestCase(l, &opt)
			c.stopped = stopped
			r := c.run(chunk, name)
			if err := ctx.Err(); err != nil {
				return results, err
			}
			add(r)
		}
	}
	return results, nil
}

// testFiles are the files with tests in the order of their names.
func testFiles(src Sources) []string {
	var files []string
	for name := range src {
		if isTest(name) {
			files = append(files, name)
		}
	}
	slices.Sort(files)
	return files
}

// testNames are the tests of a file in the order of their lines.
func testNames(c *Chunk) []string {
	var names []string
	for name := range c.Globals {
		if strings.HasPrefix(name, "test_") {
			names = append(names, name)
		}
	}
	slices.SortFunc(names, func(a, b string) int {
		if c.Globals[a] != c.Globals[b] {
			return c.Globals[a] - c.Globals[b]
		}
		return strings.Compare(a, b)
	})
	return names
}

// failureOf is the text of an error that ended a test.
func failureOf(err error, pos string) string {
	var e *ScriptError
	if errors.As(err, &e) && e.Pos != "" {
		pos = e.Pos
	}
	if e == nil {
		return pos + ": " + err.Error()
	}
	if e.Budget {
		return pos + ": the test never ends, or takes long: " + e.Text
	}
	return pos + ": " + e.Text
}
