package torture

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"time"
)

// chaos breaks things at random moments, and mends them again.
type chaos struct {
	faults  []string // those to choose from
	has     map[string]bool
	rng     *rand.Rand
	child   *child
	history *History
	clients []*client // whose connections may be cut, and who may stall
	waiting []*client // those of them for whom messages wait while they are away
	bounds  bounds
	scripts string // folder
	data    string // folder

	deck     []string // what is left of faults in this round
	revision int
	mends    []mend
}

// mend is the end of a fault that lasts.
type mend struct {
	fault string
	at    time.Time
	do    func() error
}

// The time between two faults.
const (
	leastCalm = 100 * time.Millisecond
	mostCalm  = 700 * time.Millisecond
)

func (c *chaos) between(least, most time.Duration) time.Duration {
	return least + time.Duration(c.rng.Int64N(int64(most-least)))
}

func (c *chaos) note(fault, text string) {
	c.history.Add(Event{Kind: Fault, Code: fault, Text: text})
}

// run goes on until ctx ends, and mends everything then. An error means that the
// gateway is of no use any more.
func (c *chaos) run(ctx context.Context) error {
	for _, lasting := range []string{FaultLose, FaultTTL} {
		if c.has[lasting] {
			c.note(lasting, "on")
		}
	}
	next := time.Now()
	for ctx.Err() == nil {
		wake := next
		for _, m := range c.mends {
			if m.at.Before(wake) {
				wake = m.at
			}
		}
		pause(ctx, time.Until(wake))
		if err := c.child.alive(); err != nil {
			return err
		}
		if err := c.mend(func(m mend) bool { return !time.Now().Before(m.at) }); err != nil {
			return err
		}
		if time.Now().Before(next) || len(c.faults) == 0 || ctx.Err() != nil {
			next = later(next, len(c.faults) == 0)
			continue
		}
		if err := c.cause(c.draw()); err != nil {
			return err
		}
		next = time.Now().Add(c.between(leastCalm, mostCalm))
	}
	if err := c.mend(func(mend) bool { return true }); err != nil {
		return err
	}
	c.note(faultCalm, "")
	return nil
}

// later puts off the next fault where there is none to choose.
func later(next time.Time, none bool) time.Time {
	if none {
		return time.Now().Add(mostCalm)
	}
	return next
}

// mend ends the faults that it is time for.
func (c *chaos) mend(due func(mend) bool) error {
	for i := 0; i < len(c.mends); {
		m := c.mends[i]
		if !due(m) {
			i++
			continue
		}
		c.mends = slices.Delete(c.mends, i, i+1)
		if err := m.do(); err != nil {
			return err
		}
		c.note(m.fault, "off")
	}
	return nil
}

func (c *chaos) lasting(fault string) bool {
	return slices.ContainsFunc(c.mends, func(m mend) bool { return m.fault == fault })
}

// draw chooses a fault: each once a round.
func (c *chaos) draw() string {
	if len(c.deck) == 0 {
		c.deck = slices.Clone(c.faults)
		c.rng.Shuffle(len(c.deck), func(i, j int) { c.deck[i], c.deck[j] = c.deck[j], c.deck[i] })
	}
	fault := c.deck[0]
	c.deck = c.deck[1:]
	return fault
}

// cause brings one fault about.
func (c *chaos) cause(fault string) error {
	switch fault {
	case FaultKill:
		return c.kill()
	case FaultCut:
		c.disturb(FaultCut, cut, 3*time.Second, c.clients)
		if c.bounds.bounded() {
			c.disturb(FaultCut, cut, 8*time.Second, c.waiting) // so that the bounds are reached
		}
	case FaultStall:
		c.disturb(FaultStall, stall, 5*time.Second, c.clients)
	case FaultForget:
		c.disturb(FaultForget, forget, time.Second, c.waiting)
	case FaultRoom:
		return c.last(FaultRoom, fmt.Sprintf("room %d", c.rng.IntN(64<<10)), "room off")
	case FaultShort:
		return c.last(FaultShort, fmt.Sprintf("short %d", 1+c.rng.IntN(4)), "short off")
	case FaultFull:
		return c.last(FaultFull, "full on", "full off")
	case FaultSync:
		return c.last(FaultSync, fmt.Sprintf("sync %d", 1+c.rng.IntN(3)), "sync off")
	case FaultSave:
		return c.save()
	}
	return nil
}

// kill ends the process and starts another one on the same data; in between a
// bit may flip. Some recipients go away before it and come back after it: what
// was delivered already, no kill can lose.
func (c *chaos) kill() error {
	for range c.rng.IntN(max(2, len(c.waiting)/2)) {
		client := c.waiting[c.rng.IntN(len(c.waiting))]
		away := c.between(300*time.Millisecond, 1500*time.Millisecond)
		c.note(FaultCut, fmt.Sprintf("%s for %s", client.id, away.Round(time.Millisecond)))
		client.command(order{cut, away})
	}
	time.Sleep(c.between(0, 300*time.Millisecond))
	c.child.kill()
	c.note(FaultKill, "")
	// A new process has no faults but those that were asked for at its start.
	c.mends = slices.DeleteFunc(c.mends, func(m mend) bool {
		if m.fault == faultWeak {
			return false
		}
		c.note(m.fault, "off")
		return true
	})
	if c.has[FaultFlip] && c.rng.IntN(2) == 0 {
		did, err := flip(c.data, c.rng)
		if err != nil {
			return err
		}
		if did != "" {
			c.note(FaultFlip, did)
		}
	}
	return c.child.start()
}

// disturb has some clients do a deed for a while.
func (c *chaos) disturb(fault string, deed deed, most time.Duration, among []*client) {
	last := time.Duration(0)
	for range 1 + c.rng.IntN(max(1, len(among)/4)) {
		client := among[c.rng.IntN(len(among))]
		if deed == stall || c.rng.IntN(2) == 0 {
			last = c.between(0, most)
		}
		c.note(fault, fmt.Sprintf("%s for %s", client.id, last.Round(time.Millisecond)))
		client.command(order{deed, last})
	}
}

// last switches a fault of the disk on, for a while.
func (c *chaos) last(fault, on, off string) error {
	if c.lasting(fault) {
		return nil
	}
	c.note(fault, "on")
	if err := c.child.tell(on); err != nil {
		return err
	}
	until := time.Now().Add(c.between(100*time.Millisecond, 1200*time.Millisecond))
	c.mends = append(c.mends, mend{fault, until, func() error { return c.child.tell(off) }})
	return nil
}

// save replaces the scripts by ones that do the same, or that keep messages in
// memory or nowhere for a while.
func (c *chaos) save() error {
	if c.lasting(faultWeak) {
		return nil
	}
	v := full
	if c.rng.IntN(2) == 0 {
		v = variant{disk: false, ring: c.rng.IntN(2) == 0}
		c.note(faultWeak, "on")
		until := time.Now().Add(c.between(100*time.Millisecond, 1200*time.Millisecond))
		c.mends = append(c.mends, mend{faultWeak, until, func() error { return c.write(full) }})
	}
	c.note(FaultSave, fmt.Sprintf("disk %t, ring %t", v.disk, v.ring))
	return c.write(v)
}

// write saves a script and waits until it is live.
func (c *chaos) write(v variant) error {
	c.revision++
	if err := save(c.scripts, script(c.revision, v, c.bounds)); err != nil {
		return err
	}
	return c.child.tell("reload")
}
