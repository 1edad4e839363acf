//go:build !unix

package gateway

import "time"

// processorTime is not known here.
func processorTime() (time.Duration, bool) { return 0, false }

// resident is not known here.
func resident() *int64 { return nil }
