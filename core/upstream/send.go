package upstream

import (
	"math/rand/v2"
	"slices"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// send posts the batch until nothing of it is left to be tried, or it is to be
// posted in parts.
func (l *lane) send() {
	u, s := l.up, &l.up.settings
	var body []byte
	size := 0 // of the batch that body was made of
	for tries := 0; ; {
		if !u.gate.enter(u.ctx) {
			l.giveUp(core.PostLost, u.farewell(), tries)
			return
		}
		l.expire(tries)
		if len(l.batch) == 0 {
			u.gate.abort()
			return
		}
		if size != len(l.batch) {
			body, size = bodyOf(l.batch), len(l.batch) // made anew: a broken-off post may still be reading the old one
		}
		tries++
		if tries > 1 {
			u.tally.retries.Add(1)
		}
		began := time.Now()
		a := u.post(body, tries)
		if u.ctx.Err() != nil && a.kind == failed {
			u.gate.abort()
			l.giveUp(core.PostLost, u.farewell(), tries)
			return
		}
		u.tally.count(a.kind, time.Since(began))
		u.note(&a)
		switch {
		case a.kind == taken:
			l.grow()
			l.taken(&a, tries)
		case a.content && len(l.batch) > 1:
			l.halve()
		case a.kind == rejected:
			l.giveUp(core.PostLost, a.reason, tries)
		}
		if len(l.batch) == 0 {
			return
		}
		if tries > s.Retries {
			l.giveUp(core.PostLost, a.reason, tries)
			return
		}
		l.giveBack() // the others do not wait for these
		if !l.pause(backoff(s, tries)) {
			l.giveUp(core.PostLost, u.farewell(), tries)
			return
		}
	}
}

// note tells the gate, and the log where the breaker changes.
func (u *Upstream) note(a *answer) {
	opened, closedAgain := u.gate.leave(a.kind == taken || a.kind == rejected || a.kind == throttled, a.after)
	if a.kind != taken {
		u.tally.failed(a.reason)
	}
	switch {
	case opened:
		u.log.Warn("an upstream fails: its messages wait, and one post is tried every cooldown",
			"upstream", u.name, "failures", u.settings.Breaker, "last", a.reason, "waiting", u.queued.Load(), "cooldown", u.settings.Cooldown.String())
	case closedAgain:
		u.log.Info("an upstream answers again", "upstream", u.name, "waiting", u.queued.Load())
	}
}

// taken ends what the upstream has taken; what it wants again stays in the batch.
func (l *lane) taken(a *answer, tries int) {
	results := a.results(l.batch)
	left := l.batch[:0]
	lost := 0
	reason := ""
	for i, p := range l.batch {
		r := result{}
		if results != nil {
			r = results[i]
		}
		p.Replies = append(p.Replies[:0], r.replies...)
		switch r.status {
		case wantsAgain:
			a.reason = r.reason
			left = append(left, p)
		case wantsNot:
			lost, reason = lost+1, r.reason
			l.settle(p, core.PostLost, r.reason, tries)
		default:
			l.up.tally.delivered.Add(1)
			l.settle(p, core.PostDelivered, "", tries)
		}
	}
	l.up.lost(lost, reason)
	clear(l.batch[len(left):])
	l.batch = left
	if a.bad != "" {
		l.up.tally.badReplies.Add(1)
		l.up.tally.failed(a.bad)
	}
}

// expire ends what has waited too long.
func (l *lane) expire(tries int) {
	now, n := int64(0), len(l.batch)
	l.batch = slices.DeleteFunc(l.batch, func(p *core.Post) bool {
		if p.Expires == 0 {
			return false
		}
		if now == 0 {
			now = time.Now().UnixMilli()
		}
		if p.Expires > now {
			return false
		}
		l.settle(p, core.PostExpired, "it waited for longer than its ttl", tries)
		return true
	})
	if gone := n - len(l.batch); gone > 0 {
		l.up.tally.expired.Add(uint64(gone))
	}
}

// giveUp ends the whole batch.
func (l *lane) giveUp(outcome core.PostOutcome, reason string, tries int) {
	for _, p := range l.batch {
		l.settle(p, outcome, reason, tries)
	}
	l.up.lost(len(l.batch), reason)
	clear(l.batch)
	l.batch = l.batch[:0]
}

// lost counts messages that were given up, and says so at most once a second.
func (u *Upstream) lost(n int, reason string) {
	if n == 0 {
		return
	}
	u.tally.lost.Add(uint64(n))
	u.said.Lock()
	defer u.said.Unlock()
	if now := time.Now(); now.Sub(u.said.last) < time.Second {
		u.said.suppressed += n
		return
	}
	to := u.settings.DeadLetter
	if to == "" {
		to = "nowhere"
	}
	u.log.Warn("messages for an upstream were given up", "upstream", u.name, "messages", n, "reason", reason,
		"dead_letter", to, "suppressed", u.said.suppressed)
	u.said.last, u.said.suppressed = time.Now(), 0
}

// farewell is why a closed upstream gives up what is left.
func (u *Upstream) farewell() string {
	if why := u.why.Load(); why != nil {
		return *why
	}
	return "the upstream is closed"
}

// backoff is the pause after so many tries: a random part of what doubles with
// each, so that what failed together does not come back together.
func backoff(s *Settings, tries int) time.Duration {
	most := s.MaxBackoff
	if shift := tries - 1; shift < 32 && s.Backoff<<shift < most && s.Backoff<<shift > 0 {
		most = s.Backoff << shift
	}
	return rand.N(most) + 1
}

// pause waits; false if the upstream is closed meanwhile.
func (l *lane) pause(d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-l.up.ctx.Done():
		return false
	}
}
