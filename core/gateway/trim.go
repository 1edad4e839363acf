package gateway

import (
	"context"
	"runtime/debug"
	"time"
)

// trimAfter is how many connects and disconnects leave enough garbage to be
// worth a trim; so many records of the log count as one of them.
const (
	trimAfter   = 500
	trimRecords = 100
)

// trimLook is how often that is looked at; a wave is over when hardly anybody
// came or went in trimLooks of them: by then the shards have let go of their large
// buffers.
const (
	trimLook  = 250 * time.Millisecond
	trimLooks = 6
)

// trim gives the memory that a wave of strangers, handshakes, farewells or messages left behind back
// to the system when the wave is over. A message leaves next to no garbage, so
// on a gateway at rest the collector would not run for a long time.
func (g *Gateway) trim(ctx context.Context) {
	tick := time.NewTicker(trimLook)
	defer tick.Stop()
	var trimmed, last uint64
	calm := 0
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		st := g.server.Stats()
		now := st.Came + 2*st.Upgraded - uint64(st.Open) // came and went
		if g.journal != nil {
			now += g.journal.Stats().Records / trimRecords
		}
		if calm++; now-last >= trimAfter/50 {
			calm = 0
		}
		if calm >= trimLooks && now-trimmed >= trimAfter {
			debug.FreeOSMemory()
			trimmed = now
		}
		last = now
	}
}
