package main

import (
	"encoding/xml"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/lua"
)

// testReport prints the results of tests in one format.
type testReport struct {
	each   func(lua.TestResult)         // as they come; nil where end prints all
	end    func([]lua.TestResult) error // of at least one test
	broken func(error)                  // the scripts do not load
	none   func(dir string)             // there are no tests
}

func (c *testCmd) report(w io.Writer) testReport {
	r := testReport{broken: func(error) {}}
	switch c.Format {
	case "tap":
		r.end = func(results []lua.TestResult) error { return tap(w, results) }
		r.broken = func(err error) {
			fmt.Fprintf(w, "TAP version 14\nBail out! %s\n", strings.ReplaceAll(err.Error(), "\n", "; "))
		}
		r.none = func(dir string) { fmt.Fprintf(w, "TAP version 14\n1..0 # SKIP %s has no tests\n", dir) }
	case "junit":
		r.end = func(results []lua.TestResult) error { return junit(w, results) }
		r.none = func(string) { _ = junit(w, nil) }
	default:
		began := time.Now()
		r.each = func(result lua.TestResult) { c.text(w, &result) }
		r.end = func(results []lua.TestResult) error {
			fmt.Fprintf(w, "%d tests: %d ok, %d failed, %d skipped, in %v%s\n", len(results), count(results, lua.TestPassed),
				count(results, lua.TestFailed), count(results, lua.TestSkipped), time.Since(began).Round(time.Millisecond), c.cost(results))
			return nil
		}
		r.none = func(dir string) { fmt.Fprintf(w, noTests, dir) }
	}
	return r
}

// cost says what the dearest message of the tests took; "" if none took anything.
func (c *testCmd) cost(results []lua.TestResult) string {
	most := 0
	for _, r := range results {
		most = max(most, r.MessageInstructions)
	}
	if most == 0 {
		return ""
	}
	return fmt.Sprintf("; a message took at most %d of %d instructions", most, c.Budget)
}

// noTests is what a folder without tests is answered; %s is the folder.
const noTests = `%s has no tests. A test is a global function test_* in a file *_test.lua, such as main_test.lua:

  function test_a_message_goes_where_its_sender_says(t)
    local b = t:connect("b")
    local r = t:send{ from = "a", to = "b", data = { text = "hi" } }
    t:eq(r.status, "delivered")
    t:eq(b:last().data.text, "hi")
  end

stratix test --help has more.
`

// text prints one result for people.
func (c *testCmd) text(w io.Writer, r *lua.TestResult) {
	if r.Outcome == lua.TestPassed && !c.Verbose {
		return
	}
	fmt.Fprintf(w, "%-4s %s: %s (%v)\n", r.Outcome, r.Pos, r.Name, r.Took.Round(10*time.Microsecond))
	if r.Text != "" {
		fmt.Fprintln(w, indent(r.Text, "    "))
	}
	if r.Log != "" {
		fmt.Fprintf(w, "  log:\n%s\n", indent(r.Log, "    "))
	}
}

// indent puts margin before each line.
func indent(text, margin string) string {
	return margin + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n"+margin)
}

// tap prints TAP version 14.
func tap(w io.Writer, results []lua.TestResult) error {
	var b strings.Builder
	fmt.Fprintf(&b, "TAP version 14\n1..%d\n", len(results))
	for i, r := range results {
		name := strings.ReplaceAll(r.Name, "#", `\#`)
		switch r.Outcome {
		case lua.TestSkipped:
			fmt.Fprintf(&b, "ok %d - %s # SKIP %s\n", i+1, name, strings.ReplaceAll(r.Text, "\n", " "))
			continue
		case lua.TestPassed:
			fmt.Fprintf(&b, "ok %d - %s\n", i+1, name)
			continue
		}
		fmt.Fprintf(&b, "not ok %d - %s\n  ---\n  at: %s\n  duration_ms: %.3f\n  message: |\n%s\n",
			i+1, name, strconv.Quote(r.Pos), milliseconds(r.Took), indent(r.Text, "    "))
		if r.Log != "" {
			fmt.Fprintf(&b, "  log: |\n%s\n", indent(r.Log, "    "))
		}
		b.WriteString("  ...\n")
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// The elements of a JUnit report, as CI systems read them.
type (
	junitSuites struct {
		XMLName  xml.Name     `xml:"testsuites"`
		Tests    int          `xml:"tests,attr"`
		Failures int          `xml:"failures,attr"`
		Skipped  int          `xml:"skipped,attr"`
		Suites   []junitSuite `xml:"testsuite"`
	}
	junitSuite struct {
		Name     string      `xml:"name,attr"`
		Tests    int         `xml:"tests,attr"`
		Failures int         `xml:"failures,attr"`
		Skipped  int         `xml:"skipped,attr"`
		Seconds  string      `xml:"time,attr"`
		Cases    []junitCase `xml:"testcase"`
	}
	junitCase struct {
		Name      string        `xml:"name,attr"`
		Class     string        `xml:"classname,attr"`
		File      string        `xml:"file,attr"`
		Line      string        `xml:"line,attr"`
		Seconds   string        `xml:"time,attr"`
		Failure   *junitMessage `xml:"failure"`
		Skipped   *junitMessage `xml:"skipped"`
		SystemOut string        `xml:"system-out,omitempty"`
	}
	junitMessage struct {
		Message string `xml:"message,attr"`
		Text    string `xml:",chardata"`
	}
)

// junit prints a JUnit report with a suite for each file.
func junit(w io.Writer, results []lua.TestResult) error {
	report := junitSuites{
		Tests: len(results), Failures: count(results, lua.TestFailed), Skipped: count(results, lua.TestSkipped),
	}
	for len(results) > 0 {
		file, _ := fileOf(&results[0])
		n := 1
		for n < len(results) {
			if next, _ := fileOf(&results[n]); next != file {
				break
			}
			n++
		}
		report.Suites = append(report.Suites, suiteOf(file, results[:n]))
		results = results[n:]
	}
	text, err := xml.MarshalIndent(&report, "", "  ")
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(w, "%s%s\n", xml.Header, text)
	return err
}

func suiteOf(file string, results []lua.TestResult) junitSuite {
	suite := junitSuite{
		Name: file, Tests: len(results), Failures: count(results, lua.TestFailed), Skipped: count(results, lua.TestSkipped),
	}
	var took time.Duration
	for _, r := range results {
		took += r.Took
		_, line := fileOf(&r)
		one := junitCase{Name: r.Name, Class: file, File: file, Line: line, Seconds: tookSeconds(r.Took), SystemOut: r.Log}
		first, _, _ := strings.Cut(r.Text, "\n")
		switch r.Outcome {
		case lua.TestFailed:
			one.Failure = &junitMessage{first, r.Text}
		case lua.TestSkipped:
			one.Skipped = &junitMessage{Message: first}
		}
		suite.Cases = append(suite.Cases, one)
	}
	suite.Seconds = tookSeconds(took)
	return suite
}

func tookSeconds(d time.Duration) string { return strconv.FormatFloat(d.Seconds(), 'f', 6, 64) }

// fileOf splits the place of a test.
func fileOf(r *lua.TestResult) (file, line string) {
	at := strings.LastIndexByte(r.Pos, ':')
	return r.Pos[:max(at, 0)], r.Pos[at+1:]
}
