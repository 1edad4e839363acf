package lua

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"io/fs"
	"strings"

	"github.com/stratix-gateway/stratix/core"
)

// openAll opens the Go stages of a pipeline, or takes them over from the
// previous generation. It opens all before it gives up, to name all problems.
func (l *load) openAll(pipeline []entry, opt Options) ([]core.OpenStage, error) {
	var opened []core.OpenStage
	var problems Problems
	var previous []core.OpenStage
	if opt.Previous != nil {
		previous = append(previous, opt.Previous.Stages...)
	}
	for _, e := range pipeline {
		if e.spec == nil {
			continue
		}
		stage, found := l.takeOver(e.spec, previous)
		if found {
			opened = append(opened, stage)
			continue
		}
		stage, err := l.open(e.spec, opt)
		if err != nil {
			problems = append(problems, stageProblems(e.spec, err)...)
			continue
		}
		opened = append(opened, stage)
	}
	if problems == nil {
		problems = sameKept(opened)
	}
	if problems != nil {
		return nil, problems
	}
	return opened, nil
}

// sameKept finds stages that would share what they keep.
func sameKept(opened []core.OpenStage) (problems Problems) {
	first := map[string]string{} // where it is, by what it is kept as
	for _, s := range opened {
		k, ok := s.Stage.(core.Keeper)
		if !ok {
			continue
		}
		as := s.Name + " " + k.KeptAs()
		if pos, taken := first[as]; taken {
			problems = append(problems, Problem{s.Pos, fmt.Sprintf(
				`stage.%s: the one at %s has the name %q too, so every message would count twice: give one of them another, as in name = "second"`, s.Name, pos, k.KeptAs())})
			continue
		}
		first[as] = s.Pos
	}
	return problems
}

// open opens one stage. Its Key is made of its settings and of the files that
// it read while it opened.
func (l *load) open(s *spec, opt Options) (core.OpenStage, error) {
	plugin, ok := core.Lookup(s.name)
	if !ok {
		return core.OpenStage{}, fmt.Errorf("unknown stage %q", s.name)
	}
	env := core.Env{Shards: opt.Shards, Log: l.log}
	if opt.Env != nil {
		env = *opt.Env
	}
	key, opened := settingsKey(s), false
	env.ReadFile = func(name string) ([]byte, error) {
		if !opened {
			key += fileKey(l.src, name)
		}
		text, ok := l.src[name]
		if !ok {
			return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
		}
		return text, nil
	}
	stage, err := plugin.Open(core.Config{Stage: s.name, Pos: s.pos, Values: s.values, KeyPos: l.keyPos(s)}, &env)
	opened = true
	if err != nil {
		return core.OpenStage{}, err
	}
	return core.OpenStage{Name: s.name, Pos: s.pos, Key: key, Stage: stage, Life: new(core.Life)}, nil
}

// takeOver finds a stage of the previous generation that would be opened from
// the same settings and the same contents of the files that it read, and takes
// it out of the list.
func (l *load) takeOver(s *spec, previous []core.OpenStage) (core.OpenStage, bool) {
	settings := settingsKey(s)
	for i, old := range previous {
		files, ok := strings.CutPrefix(old.Key, settings)
		if !ok || old.Stage == nil || !l.filesAsIn(files) {
			continue
		}
		previous[i] = core.OpenStage{}
		old.Pos = s.pos
		return old, true
	}
	return core.OpenStage{}, false
}

// The Key of an OpenStage has a line for the settings and one for each time a
// file was read: its name as a JSON string and a hash of its content, so that a
// later generation can tell whether it would read the same.

func settingsKey(s *spec) string {
	return fmt.Sprintf("%s %#v\n", s.name, s.values) // maps print in the order of their keys
}

func fileKey(src Sources, name string) string {
	quoted, _ := json.Marshal(name)
	text, ok := src[name]
	if !ok {
		return string(quoted) + " missing\n"
	}
	return fmt.Sprintf("%s %x\n", quoted, sha256.Sum256(text))
}

// filesAsIn reports whether the file lines of a key describe the sources.
func (l *load) filesAsIn(files string) bool {
	for line := range strings.Lines(files) {
		var name string
		if json.NewDecoder(strings.NewReader(line)).Decode(&name) != nil || fileKey(l.src, name) != line {
			return false
		}
	}
	return true
}

// stageProblems makes Problems of the error of a stage's Open, which may have
// several lines that begin with a place.
func stageProblems(s *spec, err error) Problems {
	var problems Problems
	for line := range strings.Lines(err.Error()) {
		pos, text := splitPosition(oneLine(line))
		switch {
		case pos == "" && !strings.HasPrefix(text, "stage."+s.name):
			pos, text = s.pos, "stage."+s.name+": "+text
		case pos == "":
			pos = s.pos
		}
		problems = append(problems, Problem{pos, text})
	}
	return problems
}
