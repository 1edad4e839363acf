package upstream

import (
	"sync/atomic"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// lane is one worker of an upstream and the posts that wait for it. A sender's
// posts are all in one lane, which makes one HTTP request at a time: so they keep
// their order.
type lane struct {
	up *Upstream

	// What shards push, the last one first.
	head   atomic.Pointer[core.Post]
	pushed atomic.Int64 // how many that are
	// wakeAt is how many of them wake the worker; 0 while it does not sleep.
	wakeAt atomic.Int64
	signal chan struct{}

	// The worker's: what it has taken, oldest first, and what it is posting.
	first, last *core.Post
	waiting     int
	most        int // posts of the next batch; see halve
	batch       []*core.Post
	back        []returns
}

// returns are posts on their way back to one owner.
type returns struct {
	owner       core.PostOwner
	first, last *core.Post
}

// push adds p. It takes no lock.
func (l *lane) push(p *core.Post) {
	for {
		old := l.head.Load()
		p.Next = old
		if l.head.CompareAndSwap(old, p) {
			break
		}
	}
	n := l.pushed.Add(1)
	if at := l.wakeAt.Load(); at != 0 && n >= at && l.wakeAt.CompareAndSwap(at, 0) {
		select {
		case l.signal <- struct{}{}:
		default:
		}
	}
}

// take takes over what was pushed.
func (l *lane) take() {
	p := l.head.Swap(nil)
	if p == nil {
		return
	}
	var oldest *core.Post
	last, n := p, 0
	for p != nil {
		next := p.Next
		p.Next = oldest
		oldest, p = p, next
		n++
	}
	l.pushed.Add(-int64(n))
	if l.first == nil {
		l.first = oldest
	} else {
		l.last.Next = oldest
	}
	l.last = last
	l.waiting += n
}

// sleep waits until n posts are pushed; false if the time or the upstream's life
// is over. It may return before.
func (l *lane) sleep(n int, timer <-chan time.Time, hurry <-chan struct{}) bool {
	l.wakeAt.Store(int64(n))
	defer l.wakeAt.Store(0)
	if l.pushed.Load() >= int64(n) {
		return true
	}
	select {
	case <-l.signal:
		return true
	case <-timer:
	case <-hurry:
	case <-l.up.ctx.Done():
	}
	return false
}

// run is the worker. It ends when the upstream is closed.
func (l *lane) run() {
	for l.gather() {
		l.send()
		l.giveBack()
	}
	for {
		l.take()
		if l.first == nil {
			return
		}
		l.cut()
		l.giveUp(core.PostLost, l.up.farewell(), 0)
		l.giveBack()
	}
}

// gather waits for posts and makes a batch; false when the upstream is closed.
func (l *lane) gather() bool {
	s := &l.up.settings
	for l.take(); l.waiting == 0; l.take() {
		l.sleep(1, nil, nil)
		if l.up.ctx.Err() != nil {
			return false
		}
	}
	if l.waiting < l.most && s.Linger > 0 {
		timer := time.NewTimer(s.Linger)
		for l.waiting < l.most && l.sleep(l.most-l.waiting, timer.C, l.up.hurry) {
			l.take()
		}
		timer.Stop()
		l.take()
	}
	if l.up.ctx.Err() != nil {
		return false
	}
	l.cut()
	return true
}

// cut makes a batch of the oldest posts.
func (l *lane) cut() {
	l.batch = l.batch[:0]
	size := 0
	for l.first != nil && len(l.batch) < l.most {
		p := l.first
		if size += len(p.Body) + 1; size > maxPost && len(l.batch) > 0 {
			break
		}
		l.first = p.Next
		p.Next = nil
		l.batch = append(l.batch, p)
	}
	l.waiting -= len(l.batch)
	if l.first == nil {
		l.last = nil
	}
}

// halve puts the batch back in front of what waits, and makes the next one half as
// large: something in it is not wanted, and the others are not to be lost for that.
func (l *lane) halve() {
	l.most = (len(l.batch) + 1) / 2
	l.waiting += len(l.batch)
	if l.first == nil {
		l.last = l.batch[len(l.batch)-1]
	}
	for i := len(l.batch) - 1; i >= 0; i-- {
		l.batch[i].Next = l.first
		l.first = l.batch[i]
	}
	clear(l.batch)
	l.batch = l.batch[:0]
}

// grow makes the next batch larger again after one that was wanted.
func (l *lane) grow() { l.most = min(2*l.most, l.up.settings.Batch) }

// settle puts a post that is done among those that go back.
func (l *lane) settle(p *core.Post, outcome core.PostOutcome, reason string, tries int) {
	p.Outcome, p.Reason, p.Tries = outcome, reason, tries
	p.Next = nil
	for i := range l.back {
		if r := &l.back[i]; r.owner == p.Owner {
			r.last.Next = p
			r.last = p
			return
		}
	}
	l.back = append(l.back, returns{p.Owner, p, p})
}

// giveBack returns what is done to its owners.
func (l *lane) giveBack() {
	posts, bytes := int64(0), int64(0)
	for _, r := range l.back {
		for p := r.first; p != nil; p = p.Next {
			posts++
			bytes += cost(p)
		}
	}
	if posts > 0 {
		l.up.done(posts, bytes) // whoever has one back finds its room
	}
	for i, r := range l.back {
		r.owner.TakeBack(r.first)
		l.back[i] = returns{}
	}
	l.back = l.back[:0]
}
