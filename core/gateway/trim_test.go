package gateway

import (
	"net"
	"runtime"
	"testing"
)

// forced is how often memory was given back, or collected because somebody wanted it.
func forced() uint32 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.NumForcedGC
}

// Who connects and sends no request leaves garbage, too.
func TestMemoryGoesBackAfterAWaveOfStrangers(t *testing.T) {
	r := serve(t, made{}, nil)
	before := forced()
	for range 2 * trimAfter {
		c, err := net.Dial("tcp", r.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		_ = c.Close()
	}
	r.wait("memory to be given back", func() bool { return forced() > before })
}
