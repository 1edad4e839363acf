package shard

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

const (
	maxClerks       = 4    // goroutines that look at tokens
	maxApplications = 1024 // tokens that wait for them
	// applicationTime bounds the look at one token.
	applicationTime = 5 * time.Second
)

// application is a token of a connected client.
type application struct {
	shard        *Shard
	slot, serial uint32 // the client's session
	id           []byte // messageId of the frame
	handshake    core.Handshake
	grant        *core.Grant // what came of it; an object of its own, since the token is not to live as long ...
	err          error       // ... if this is nil
}

// clerk looks at the tokens of all shards, on goroutines that exist while there is
// something to do.
type clerk struct {
	renew func(context.Context, *core.Handshake, *core.Grant) error
	ctx   context.Context
	end   context.CancelFunc
	done  sync.WaitGroup

	mu    sync.Mutex // guards what follows; held for moments only
	todo  []*application
	busy  int // goroutines
	ended bool
}

func newClerk(renew func(context.Context, *core.Handshake, *core.Grant) error) *clerk {
	k := &clerk{renew: renew}
	k.ctx, k.end = context.WithCancel(context.Background())
	return k
}

// take takes a token that renewed will be told of. It never blocks, and reports
// false where too many wait.
func (k *clerk) take(a *application) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if k.ended || len(k.todo) >= maxApplications {
		return false
	}
	k.todo = append(k.todo, a)
	if k.busy < maxClerks {
		k.busy++
		k.done.Go(k.work)
	}
	return true
}

// close ends the looks that are under way, and forgets the others. The shards have
// stopped.
func (k *clerk) close() {
	k.mu.Lock()
	k.ended, k.todo = true, nil
	k.mu.Unlock()
	k.end()
	k.done.Wait()
}

func (k *clerk) work() {
	for a := k.next(); a != nil; a = k.next() {
		a.err = k.look(a)
		a.shard.inbox.post(&parcel{kind: parcelCall, call: func() { a.shard.renewed(a) }})
	}
}

// next returns the next token, or nil when the goroutine is to end.
func (k *clerk) next() *application {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.todo) == 0 {
		k.busy--
		return nil
	}
	a := k.todo[0]
	k.todo[0] = nil
	k.todo = k.todo[1:]
	return a
}

// look is the border at which a panic in a stage is recovered.
func (k *clerk) look(a *application) (err error) {
	ctx, cancel := context.WithTimeout(k.ctx, applicationTime)
	defer cancel()
	defer func() {
		if p := recover(); p != nil {
			err = errors.New("panic: " + fmt.Sprint(p))
		}
	}()
	return k.renew(ctx, &a.handshake, a.grant)
}
