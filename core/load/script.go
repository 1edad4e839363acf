package load

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
)

// The headers of a reload's probes: the gateway gets them with the first and
// gives them back with the second as well, which holds the number of the save.
const (
	probeHeader = "bench-probe"
	saveHeader  = "bench-save"
	saveMark    = `"` + saveHeader + `":"`
)

// stamping is the stage that each save puts before the script's own.
const stamping = `
  function(msg)
    if msg:header("` + probeHeader + `") then msg:set("headers.` + saveHeader + `", "%d") end
  end,`

// pipelineMark is where a script's stages begin.
var pipelineMark = regexp.MustCompile(`(?m)^pipeline[ \t]*\{`)

// script is a folder's main.lua while a reload replaces it. Its other files in
// the folder begin with a dot, which keeps them out of the scripts.
type script struct {
	main, kept, next string // paths: the file, a second name of what it was, what it will be
	head, tail       string // the text, parted where a first stage goes
	mode             fs.FileMode
}

// openScript reads dir's main.lua and keeps it under a second name until putBack
// is called.
func openScript(dir string) (*script, error) {
	s := &script{
		main: filepath.Join(dir, "main.lua"),
		kept: filepath.Join(dir, ".main.lua.before-bench"),
		next: filepath.Join(dir, ".main.lua.bench"),
	}
	text, err := os.ReadFile(s.main)
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	at := pipelineMark.FindIndex(text)
	if at == nil {
		return nil, fmt.Errorf("scripts: no line of %s begins with `pipeline {`", s.main)
	}
	s.head, s.tail = string(text[:at[1]]), string(text[at[1]:])
	info, err := os.Stat(s.main)
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	s.mode = info.Mode().Perm()
	err = os.Link(s.main, s.kept)
	if errors.Is(err, fs.ErrExist) {
		return nil, fmt.Errorf("scripts: %s is left of a run that was killed; rename it to main.lua first", s.kept)
	}
	if err != nil {
		return nil, fmt.Errorf("scripts: %w", err)
	}
	return s, nil
}

// write prepares the script that stamps probes with n.
func (s *script) write(n uint32) error {
	if err := os.WriteFile(s.next, []byte(s.head+fmt.Sprintf(stamping, n)+s.tail), s.mode); err != nil {
		return fmt.Errorf("scripts: %w", err)
	}
	return nil
}

// replace renames what was written over main.lua.
func (s *script) replace() error {
	if err := os.Rename(s.next, s.main); err != nil {
		return fmt.Errorf("scripts: %w", err)
	}
	return nil
}

// putBack makes main.lua the file that it was.
func (s *script) putBack() error {
	if err := os.Rename(s.kept, s.main); err != nil {
		return fmt.Errorf("scripts: main.lua was not put back: %w", err)
	}
	// Of a save that was not finished; and a rename to another name of the same
	// file leaves both.
	for _, path := range []string{s.kept, s.next} {
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("scripts: %w", err)
		}
	}
	return nil
}
