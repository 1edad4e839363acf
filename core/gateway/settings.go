package gateway

import (
	"bytes"
	"context"
	"maps"
	"sync"

	"github.com/stratix-gateway/stratix/core/file"
	"github.com/stratix-gateway/stratix/core/reload"
)

// Settings are what the operator has said about the process, in flags, in the
// environment and in a file, and how the file is read again.
type Settings struct {
	File   string    // "" for none: then nothing changes
	Text   []byte    // of the file, as of the start
	Values []Setting // as of the start
	// Read checks a text of the file as a whole, with flags and environment as they
	// are. Its errors, a line each, name the file and the line. Values that it returns
	// are the same settings in the same order; apply puts those that can change while
	// the gateway runs into its Options.
	Read func(text []byte) (values []Setting, apply func(*Options), err error)
}

// The results of a look at the settings.
const (
	settingsChanged   = "changed"
	settingsUnchanged = "unchanged"
	settingsRejected  = "rejected"
)

var settingsResults = []string{settingsChanged, settingsUnchanged, settingsRejected}

// settings is the state of the process's settings.
type settings struct {
	Settings

	mu   sync.Mutex // held while they are read and applied; guards what follows
	text []byte     // as it was read last and found good
	told string     // the problem that is in the log; "" for none

	record  sync.Mutex // guards what follows; taken for moments only
	now     []Setting  // in force
	waiting []Change   // for a restart
	problem string     // of the last look; "" for none
	results map[string]uint64

	applied chan struct{} // holds one after they were applied; summarize takes it
}

// begin takes over the settings that the process was started with.
func (s *settings) begin(of Settings) {
	s.Settings, s.text, s.now = of, of.Text, of.Values
	s.results, s.applied = map[string]uint64{}, make(chan struct{}, 1)
}

// watchSettings applies what the file says as soon as that changes.
func (g *Gateway) watchSettings(ctx context.Context) {
	s := &g.settings
	if s.File == "" {
		return
	}
	file := reload.File{Path: s.File, Log: g.log}
	err := file.Watch(ctx, s.Text,
		func(text []byte) { _, _ = g.takeSettings(text, nil, triggerSave) }, // both are noted there
		func(err error) { _, _ = g.takeSettings(nil, err, triggerSave) })
	if err != nil && ctx.Err() == nil {
		g.log.Error("the settings file is not watched: SIGHUP reads it", "file", s.File, "error", err)
	}
}

// ReloadSettings reads the settings file now; trigger says who asked. It returns
// what has changed. After an error nothing has.
func (g *Gateway) ReloadSettings(trigger string) ([]Change, error) {
	if g.settings.File == "" {
		return nil, nil
	}
	text, _, err := file.Read(g.settings.File)
	return g.takeSettings(text, err, trigger)
}

// takeSettings checks a text of the file, which could not be read if there is an
// error, says what differs, and applies what can change.
func (g *Gateway) takeSettings(text []byte, err error, trigger string) ([]Change, error) {
	s := &g.settings
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil && bytes.Equal(text, s.text) && s.told == "" {
		s.note(settingsUnchanged, "")
		return nil, nil
	}
	var values []Setting
	var apply func(*Options)
	if err == nil {
		values, apply, err = s.Read(text)
	}
	if err != nil {
		g.rejectSettings(err, trigger)
		return nil, err
	}
	mended := s.told != ""
	s.text, s.told = text, ""
	changes, waiting := s.compare(values)
	switch {
	case len(changes) > 0:
		g.log.Info("settings changed: "+changesText(changes), "file", s.File, "trigger", trigger)
	case mended && len(waiting) > 0:
		g.log.Info("settings are mended, and some still wait: "+changesText(waiting), "file", s.File, "trigger", trigger)
	case mended:
		g.log.Info("settings are mended: the file says what is in force", "file", s.File, "trigger", trigger)
	}
	g.applySettings(apply)
	s.adopt(values, waiting)
	result := settingsUnchanged
	if len(changes) > 0 {
		result = settingsChanged
	}
	s.note(result, "")
	return changes, nil
}

// rejectSettings notes that the settings stay as they are. The watcher's problem is
// told once. The caller holds s.mu.
func (g *Gateway) rejectSettings(err error, trigger string) {
	s := &g.settings
	text := err.Error()
	if trigger != triggerSave || text != s.told {
		for _, problem := range lines(err) {
			g.log.Error("settings rejected: what is in force stays", "problem", problem, "trigger", trigger)
		}
	}
	s.told = text
	s.note(settingsRejected, text)
}

// compare says what differs from what was told last, and what waits for a restart
// from now on. A setting that waited and is as it was again is a change, too.
func (s *settings) compare(values []Setting) (changes, waiting []Change) {
	before := map[string]string{}
	for _, c := range s.waiting {
		before[c.Name] = c.To
	}
	for i, now := range s.now {
		to, c := values[i], Change{Name: now.Name, From: now.Value, To: values[i].Value, Restart: now.Restart}
		if c.Restart != "" && to.Value != now.Value {
			waiting = append(waiting, c)
		}
		was, waited := before[c.Name]
		switch {
		case waited && to.Value != was && to.Value == now.Value:
			c.From, c.Restart = was, "" // it is in force: nothing is left to wait for
		case waited && to.Value == was || !waited && to.Value == now.Value:
			continue
		}
		changes = append(changes, c)
	}
	return changes, waiting
}

// adopt notes what is in force now.
func (s *settings) adopt(values []Setting, waiting []Change) {
	next := make([]Setting, len(s.now))
	for i, now := range s.now {
		if next[i] = values[i]; now.Restart != "" && values[i].Value != now.Value {
			next[i] = now
		}
	}
	s.record.Lock()
	defer s.record.Unlock()
	s.now, s.waiting = next, waiting
}

// status is how the file is; nil for none.
func (s *settings) status() *SettingsStatus {
	if s.File == "" {
		return nil
	}
	s.record.Lock()
	defer s.record.Unlock()
	return &SettingsStatus{File: s.File, Waiting: s.waiting, Problem: s.problem}
}

// tally counts the looks at the file by their results.
func (s *settings) tally() map[string]uint64 {
	s.record.Lock()
	defer s.record.Unlock()
	return maps.Clone(s.results)
}

func (s *settings) note(result, problem string) {
	s.record.Lock()
	defer s.record.Unlock()
	s.results[result]++
	s.problem = problem
}

// applySettings makes what can change take effect. The caller holds settings.mu.
func (g *Gateway) applySettings(apply func(*Options)) {
	next := *g.opt()
	apply(&next)
	g.options.Store(&next)
	g.shards.Adjust(g.shardOptions(&next))
	g.server.Adjust(g.serverOptions(&next))
	g.kv.SetLimits(next.KV)
	if next.LevelVar != nil {
		next.LevelVar.Set(next.Level)
	}
	select {
	case g.settings.applied <- struct{}{}:
	default: // somebody is about to look anyhow
	}
}
