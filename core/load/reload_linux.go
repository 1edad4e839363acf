package load

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"
)

// reload measures how long saves take to go live while messages are exchanged,
// and whether any is lost or doubled meanwhile.
func (r *run) reload(ctx context.Context, f *fleet, m measurement, result *Result) (err error) {
	script, err := openScript(r.Scripts)
	if err != nil {
		return err
	}
	defer func() {
		if failed := script.putBack(); err == nil {
			err = failed
		}
	}()
	return r.exchange(ctx, f, m, result, func(ctx context.Context, f *fleet, from time.Duration) (a, b moment, err error) {
		if err = pause(ctx, from-f.now()); err != nil {
			return
		}
		if a, err = r.moment(f); err != nil {
			return
		}
		if err = r.saveAll(ctx, f, script, result); err != nil {
			return
		}
		b, err = r.moment(f)
		f.traffic.until.Store(int64(b.at))
		return
	})
}

// saveAll replaces the script again and again, each time when the save before
// has gone live. It ends early after one that does not.
func (r *run) saveAll(ctx context.Context, f *fleet, script *script, result *Result) error {
	s := f.traffic.saves
	result.Saves = &Saves{}
	var took []time.Duration
	for n := uint32(1); n <= uint32(r.Saves); n++ {
		if err := pause(ctx, r.savePause); err != nil {
			return err
		}
		if err := script.write(n); err != nil {
			return err
		}
		s.begin(n, f.now())
		if err := script.replace(); err != nil {
			return err
		}
		d, ok, err := s.await(ctx, r.saveLimit)
		if err != nil {
			return err
		}
		if !ok {
			result.Saves.Late++
			result.Why = fmt.Sprintf("save %d reached %d of %d probes", n, s.probes-int(s.missing.Load()), s.probes)
			if n == 1 {
				result.Why += fmt.Sprintf("; is %s the folder that the gateway watches?", r.Scripts)
			}
			break
		}
		took = append(took, d)
	}
	result.Saves.figure(took)
	return nil
}

// await waits until the last save is live, for limit at most, and returns how
// long it took; ok is false when it is not.
func (s *saves) await(ctx context.Context, limit time.Duration) (took time.Duration, ok bool, err error) {
	late := time.NewTimer(limit)
	defer late.Stop()
	select {
	case took = <-s.live:
		return took, true, nil
	case <-late.C:
		return 0, false, nil
	case <-ctx.Done():
		return 0, false, ctx.Err()
	}
}

// figure fills in how long the saves that went live took.
func (s *Saves) figure(took []time.Duration) {
	s.Live = len(took)
	if s.Live == 0 {
		return
	}
	slices.Sort(took)
	at := func(share float64) float64 {
		rank := int(math.Ceil(share * float64(len(took))))
		return float64(took[rank-1]) / 1e6
	}
	s.P50, s.P90, s.Max = at(0.5), at(0.9), at(1)
}
