package core

// Config is the table that a script gave to a stage.
type Config struct {
	// Stage is the stage's name and Pos its place, such as "main.lua:12".
	Stage, Pos string
	// Values holds string, bool, float64, []any and map[string]any.
	Values map[string]any
	// KeyPos gives the place of a key; nil or "" where it is not known.
	KeyPos func(key string) string
}
