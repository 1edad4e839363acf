package gateway

import (
	"fmt"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core/shadow"
)

// Attempt is one try to make the folder's content live.
type Attempt struct {
	At         time.Time `json:"at"`
	Trigger    string    `json:"trigger"` // start, save, signal, api, rollback
	Result     string    `json:"result"`  // live, canary, unchanged, rejected, rolled_back
	Generation uint32    `json:"generation"`
	// Of a rollback: what was taken back, which is Generation itself where that was a
	// canary, and the number that what is live in its place had before; 0 for none.
	TakenBack uint32         `json:"takenBack,omitempty"`
	Restored  uint32         `json:"restored,omitempty"`
	Millis    float64        `json:"millis"`
	Steps     []Step         `json:"steps,omitempty"` // of the gate
	Problems  []string       `json:"problems,omitempty"`
	Warnings  []string       `json:"warnings,omitempty"`
	Shadow    *shadow.Report `json:"shadow,omitempty"`
}

// triggerSave is the one trigger that nobody has meant for sure.
const triggerSave = "save"

// The results of an attempt.
const (
	resultLive      = "live"
	resultCanary    = "canary"
	resultUnchanged = "unchanged"
	resultRejected  = "rejected"
	resultTakenBack = "rolled_back"
)

var results = []string{resultLive, resultCanary, resultUnchanged, resultRejected, resultTakenBack}

// maxWarnings bounds the warnings of a save in the log.
const maxWarnings = 20

// tellOddities logs the warnings, and in what a shadow run differs.
func (g *Gateway) tellOddities(p *passage) {
	for i, w := range p.Warnings {
		if i == maxWarnings {
			g.log.Warn("scripts have more warnings: stratix check lists them all", "warnings", len(p.Warnings), "generation", p.Generation)
			break
		}
		g.log.Warn("scripts may not do what is meant", "warning", w, "generation", p.Generation)
	}
	if p.Shadow != nil {
		if r := p.Shadow; r.Messages >= manyDiffer && 2*r.Differ > r.Messages {
			g.log.Warn("most of what clients have sent would be decided differently: is that meant?",
				"differ", r.Differ, "messages", r.Messages, "generation", p.Generation)
		}
		for _, line := range p.Shadow.Lines()[1:] {
			g.log.Info("shadow run", "differs", line, "generation", p.Generation)
		}
	}
}

// manyDiffer is how many messages a shadow run must have had before it is warned
// that most of them are decided differently.
const manyDiffer = 20

// maxProblems bounds the problems of a save in the log and in the status.
const maxProblems = 100

// rejected notes that an attempt failed, a log line for each problem.
func (g *Gateway) rejected(p *passage, began time.Time, err error) {
	p.Result, p.Problems = resultRejected, lines(err)
	if more := len(p.Problems) - maxProblems; more > 0 {
		p.Problems = append(p.Problems[:maxProblems], fmt.Sprintf("%d more: stratix check and stratix test list them all", more))
	}
	g.note(&p.Attempt, began)
	for _, problem := range p.Problems {
		g.log.Error("scripts rejected: what is live stays", "problem", problem, "trigger", p.Trigger, "gate", p.summary())
	}
	g.tellOddities(p)
}

// note records an attempt and returns how long it took.
func (g *Gateway) note(a *Attempt, began time.Time) time.Duration {
	took := time.Since(began)
	a.At, a.Millis = time.Now(), float64(took.Microseconds())/1000
	sc := &g.scripts
	sc.record.Lock()
	defer sc.record.Unlock()
	sc.result[a.Result]++
	for _, s := range a.Steps {
		t := sc.steps[s.Name]
		if s.Result == "ok" {
			t.passed++
		} else {
			t.failed++
		}
		t.spent += time.Duration(s.Millis * float64(time.Millisecond))
		sc.steps[s.Name] = t
	}
	sc.last = *a
	return took
}

// lines splits an error into one line a problem.
func lines(err error) []string {
	var out []string
	for _, l := range strings.Split(err.Error(), "\n") {
		if l = strings.TrimSpace(l); l != "" {
			out = append(out, l)
		}
	}
	return out
}
