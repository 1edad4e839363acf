//go:build race

package shard

// underRace: the race detector allocates, so ceilings are not checked.
const underRace = true
