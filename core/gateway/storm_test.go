package gateway

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"regexp"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/reload"
)

var amiss = regexp.MustCompile(`.*(it was started before|it does not run|did not stop).*`)

// once is a stage that is started and stopped once in its life.
type once struct {
	state atomic.Int32 // 0, 1 while it runs, 2 behind that
	on    *atomic.Int32
}

func (o *once) Handle(*core.Message) (core.Verdict, error) { return core.Next, nil }

func (o *once) Start(context.Context) error {
	if !o.state.CompareAndSwap(0, 1) {
		return errors.New("it was started before")
	}
	o.on.Add(1)
	return nil
}

func (o *once) Stop(context.Context) error {
	if !o.state.CompareAndSwap(1, 2) {
		return errors.New("it does not run")
	}
	o.on.Add(-1)
	return nil
}

// Everything that changes generations at once: whatever comes first, each stage
// is started once and stopped once, no status hangs, and the gateway ends.
func TestSavesRollbacksTrialsAndAShutdownAtOnce(t *testing.T) {
	f := func(name string, canary float64) {
		t.Run(name, func(t *testing.T) {
			on := new(atomic.Int32)
			r := serve(t, made{Name: "0"}, func(o *Options) {
				plain := o.Load
				o.Load = func(snap reload.Snapshot, opt LoadOptions) (*core.Generation, error) {
					gen, err := plain(snap, opt)
					if err != nil {
						return nil, err
					}
					// Two stages: one goes on with each second generation, one never does.
					shared := core.OpenStage{Name: "shared", Key: fmt.Sprint(len(snap.Files[reload.Main]) % 2), Stage: &once{on: on}, Life: new(core.Life)}
					if p := opt.Previous; p != nil && p.Stages[0].Key == shared.Key {
						shared = p.Stages[0]
					}
					gen.Stages = []core.OpenStage{shared, {Name: "own", Stage: &once{on: on}, Life: new(core.Life)}}
					return gen, nil
				}
				o.Test = func(ctx context.Context, _ reload.Snapshot) (int, error) {
					select {
					case <-time.After(time.Duration(rand.IntN(4)) * time.Millisecond):
						return 1, nil
					case <-ctx.Done():
						return 0, ctx.Err()
					}
				}
				o.Canary, o.RollbackWindow = canary, 30*time.Millisecond
			})
			var over atomic.Bool
			var wait sync.WaitGroup
			again := func(do func()) {
				wait.Go(func() {
					for !over.Load() {
						do()
					}
				})
			}
			for range 2 {
				again(func() { _ = r.Reload("signal") })
			}
			again(func() { _ = r.RollBack(""); time.Sleep(20 * time.Millisecond) })
			again(func() { _ = r.RollBack(fmt.Sprint(rand.IntN(50))); time.Sleep(30 * time.Millisecond) })
			again(func() { r.status(); r.Generations(); time.Sleep(time.Millisecond) })
			for n := range 150 {
				write(t, r.opt().Scripts, made{Name: fmt.Sprint(n), Failed: uint64(n % 3 * 6), Messages: 20})
				time.Sleep(2 * time.Millisecond)
			}
			if all := r.scripts.report().results; all[resultLive]+all[resultCanary] < 3 || all[resultTakenBack] == 0 {
				t.Errorf("little has happened: %v", all)
			}
			r.stop()
			over.Store(true)
			wait.Wait()
			if n := on.Load(); n != 0 {
				t.Errorf("%d stages still run", n)
			}
			if log := r.log.String(); amiss.MatchString(log) {
				t.Errorf("the log says: %s", amiss.FindString(log))
			}
		})
	}
	f("for all at once", 0)
	f("with canaries", 0.5)
}

func TestTheStagesOfACanaryStopWithTheGateway(t *testing.T) {
	on := new(atomic.Int32)
	r := serve(t, made{Name: "old"}, func(o *Options) {
		plain := o.Load
		o.Load = func(snap reload.Snapshot, opt LoadOptions) (*core.Generation, error) {
			gen, err := plain(snap, opt)
			if err == nil {
				gen.Stages = []core.OpenStage{{Name: "own", Stage: &once{on: on}, Life: new(core.Life)}}
			}
			return gen, err
		}
		o.Canary = 0.5
	})
	if err := r.save(made{Name: "new"}); err != nil {
		t.Fatal(err)
	}
	if n := on.Load(); n != 2 {
		t.Fatalf("%d stages run", n)
	}
	r.stop()
	if n := on.Load(); n != 0 {
		t.Errorf("%d stages still run", n)
	}
}
