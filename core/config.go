package core

import "fmt"

// Config is the table that a script gave to a stage.
type Config struct {
	// Stage is the stage's name and Pos its place, such as "main.lua:12".
	Stage, Pos string
	// What is how errors call what is configured; "" is stage.<Stage>.
	What string
	// Values holds string, bool, float64, []any and map[string]any.
	Values map[string]any
	// KeyPos gives the place of a key; nil or "" where it is not known.
	KeyPos func(key string) string
}

// Errorf says what is wrong with the value of key, as in
// `main.lua:12: stage.prefix: file: ...`. The empty key stands for the whole
// table. The format may wrap an error with %w.
func (c Config) Errorf(key, format string, args ...any) error {
	err := fmt.Errorf(format, args...)
	if key != "" {
		err = fmt.Errorf("%s: %w", key, err)
	}
	return c.problem(key, err)
}

// problem puts the place of key and the name of the stage before err.
func (c Config) problem(key string, err error) error {
	pos := ""
	if key != "" && c.KeyPos != nil {
		pos = c.KeyPos(key)
	}
	if pos == "" {
		pos = c.Pos
	}
	if pos != "" {
		pos += ": "
	}
	what := c.What
	if what == "" {
		what = "stage." + c.Stage
	}
	return fmt.Errorf("%s%s: %w", pos, what, err)
}
