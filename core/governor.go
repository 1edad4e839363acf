package core

import "context"

// Governor is a Starter that sets something for all clients. It does so in its
// Start, unless its generation is a canary: then in Govern, which is called when that
// goes live for all. Govern of a stage that governs already, and no later one does,
// changes nothing.
type Governor interface {
	Starter
	Govern() error
}

type canaryKey struct{}

// ForCanary is a context for the Start of a canary's stages.
func ForCanary(ctx context.Context) context.Context {
	return context.WithValue(ctx, canaryKey{}, true)
}

// IsCanary reports whether the stage that is started with ctx is a canary's.
func IsCanary(ctx context.Context) bool { return ctx.Value(canaryKey{}) != nil }
