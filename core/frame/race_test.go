//go:build race

package frame

// underRace: the race detector allocates, so ceilings are not checked.
const underRace = true
