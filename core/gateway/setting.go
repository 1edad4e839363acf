package gateway

import (
	"fmt"
	"strings"

	"github.com/stratix-gateway/stratix/core/file"
)

// Setting is one thing that the operator can say about the process.
type Setting struct {
	Name   string `json:"name"`
	Value  string `json:"value"`
	Source string `json:"source"` // flag, environment, file, default
	// File is what the file says, be it overruled or not; "" for nothing.
	File string `json:"file,omitempty"`
	// Restart says why a change of it needs a restart; "" where it applies at once.
	Restart string `json:"restart,omitempty"`
}

// The values of Setting.Source.
const (
	FromFlag        = "flag"
	FromEnvironment = "environment"
	FromFile        = "file"
	FromDefault     = "default"
)

// Change is a setting that is to be another one.
type Change struct {
	Name    string `json:"name"`
	From    string `json:"from"`
	To      string `json:"to"`
	Restart string `json:"restart,omitempty"` // as in Setting
}

// String is the change as the log says it.
func (c Change) String() string {
	return fmt.Sprintf("%s %s -> %s %s", c.Name, shown(c.From), shown(c.To), c.When())
}

// When says when it applies.
func (c Change) When() string {
	if c.Restart != "" {
		return "needs a restart"
	}
	return "applies now"
}

// shown is a value that can be seen.
func shown(value string) string {
	if value == "" {
		return `""`
	}
	return value
}

// changesText is all changes in one line.
func changesText(changes []Change) string {
	texts := make([]string, len(changes))
	for i, c := range changes {
		texts[i] = c.String()
	}
	return strings.Join(texts, "; ")
}

// SettingsReport is what GET /v1/settings shows.
type SettingsReport struct {
	File     string    `json:"file,omitempty"`
	Settings []Setting `json:"settings"` // in force
	// Changes is what the file would change if it were read now, and what waits for a
	// restart; Problem is why it would be rejected.
	Changes []Change `json:"changes"`
	Problem string   `json:"problem,omitempty"`
}

// settingsReport reads the file, and applies nothing.
func (g *Gateway) settingsReport() SettingsReport {
	s := &g.settings
	s.record.Lock()
	r := SettingsReport{File: s.File, Settings: s.now, Changes: []Change{}}
	if s.now == nil {
		r.Settings = []Setting{}
	}
	s.record.Unlock()
	if s.File == "" {
		return r
	}
	text, _, err := file.Read(s.File)
	var values []Setting
	if err == nil {
		values, _, err = s.Read(text)
	}
	if err != nil {
		r.Problem = err.Error()
		return r
	}
	shown := make([]Setting, len(values))
	for i, now := range r.Settings {
		if to := values[i].Value; to != now.Value {
			r.Changes = append(r.Changes, Change{now.Name, now.Value, to, now.Restart})
		}
		now.File = values[i].File
		shown[i] = now
	}
	r.Settings = shown
	return r
}
