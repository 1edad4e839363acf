package gateway

import (
	"runtime"
	"sync"
	"testing"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

// The race detector says it, if they do not take turns.
func TestScriptsMaySetTheLogWhileItIsRecovered(t *testing.T) {
	var stages sync.WaitGroup
	ready := make(chan struct{})
	defer stages.Wait()
	defer close(ready)
	serve(t, made{Name: "old"}, func(o *Options) {
		o.Data = t.TempDir()
		load := o.Load
		o.Load = func(snap reload.Snapshot, opt LoadOptions) (*core.Generation, error) {
			stages.Go(func() { // as stages of a reload do
				for {
					select {
					case <-ready:
						return
					default:
					}
					if err := opt.Env.Disk(core.DefaultDiskSettings()); err != nil {
						t.Error(err)
					}
					runtime.Gosched()
				}
			})
			return load(snap, opt)
		}
	})
}
