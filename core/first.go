package core

import "context"

type firstKey struct{}

// ForFirst is a context for the Start of the stages that a gateway begins with. There
// is no generation that could stay in their place: a Start that wants something of
// another machine goes on without it where nothing is allowed by that, says so in the
// log, and gets it later. Of any other generation such a Start fails.
func ForFirst(ctx context.Context) context.Context {
	return context.WithValue(ctx, firstKey{}, true)
}

// IsFirst reports whether the stage that is started with ctx is one that the gateway
// begins with.
func IsFirst(ctx context.Context) bool { return ctx.Value(firstKey{}) != nil }
