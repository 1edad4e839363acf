package kv

import (
	"errors"
	"hash/maphash"
	"math"
	"strings"
	"sync/atomic"
)

// State is the name of the gateway's Store in core.Env.State.
const State = "kv"

// Bounds on one entry, in bytes.
const (
	MaxKey   = 256
	MaxValue = 64 << 10
)

// Bounds on a store that is made with zero Limits.
const (
	DefaultEntries = 100_000
	DefaultBytes   = 16 << 20
)

// Overhead is what an entry counts beside its key and its string, in bytes.
const Overhead = 64

// What a call can be refused for.
var (
	// ErrFull: there is no room, and nothing that has expired to make some.
	ErrFull = errors.New("full")
	// ErrKey: a key is 1 to MaxKey bytes.
	ErrKey = errors.New("a key is 1 to 256 bytes")
	// ErrValue: a string is at most MaxValue bytes.
	ErrValue = errors.New("a value is at most 65536 bytes")
	// ErrNoNumber: Incr found a string or a boolean.
	ErrNoNumber = errors.New("the value is no number")
	// ErrRange: Incr would have left the range of numbers.
	ErrRange = errors.New("the number is out of range")
)

// Limits bound a store; 0 takes the default.
type Limits struct {
	Entries int
	Bytes   int // of keys and strings, and Overhead for each entry
}

// parts is how many locks a store has, a power of two: two shards rarely want
// the same one.
const parts = 64

// Store is a bounded map that any goroutine may use; each call is atomic. The
// caller tells the time, in milliseconds since 1970, and a time to live is in
// milliseconds too; 0 lives for ever. An entry is gone from the moment it
// expires on, and its memory is given back by the calls that follow: each write
// takes out a few that are due, wherever they are.
type Store struct {
	seed   maphash.Seed
	limits atomic.Pointer[Limits]
	// What is used and reserved, in all parts.
	entries, bytes atomic.Int64
	full           atomic.Uint64
	parts          [parts]part
}

// New makes an empty store.
func New(l Limits) *Store {
	s := &Store{seed: maphash.MakeSeed()}
	s.SetLimits(l)
	for i := range s.parts {
		s.parts[i].byKey = map[string]*entry{}
		s.parts[i].next.Store(never)
	}
	return s
}

// SetLimits changes the bounds. What is there stays, be it more than that; new entries
// find room again when enough of it has gone.
func (s *Store) SetLimits(l Limits) {
	if l.Entries <= 0 {
		l.Entries = DefaultEntries
	}
	if l.Bytes <= 0 {
		l.Bytes = DefaultBytes
	}
	s.limits.Store(&l)
}

func (s *Store) part(key string) *part {
	return &s.parts[maphash.String(s.seed, key)%parts]
}

// Get returns what stands under key.
func (s *Store) Get(key string, now int64) (Value, bool) {
	p := s.part(key)
	p.mu.Lock()
	p.reads++
	e := s.live(p, key, now)
	if e == nil {
		p.mu.Unlock()
		return Value{}, false
	}
	v := e.value
	p.mu.Unlock()
	return v, true
}

// Set puts v under key, in place of what stands there and of its expiry.
func (s *Store) Set(key string, v Value, ttl, now int64) error {
	_, _, err := s.write(replace, key, v, ttl, now)
	return err
}

// Add puts v under key where nothing stands, and reports whether it did.
func (s *Store) Add(key string, v Value, ttl, now int64) (bool, error) {
	_, done, err := s.write(add, key, v, ttl, now)
	return done, err
}

// Incr adds n to the number under key and returns the sum. Where nothing stands
// it begins at 0, and ttl counts from then on: later calls do not change it.
func (s *Store) Incr(key string, n float64, ttl, now int64) (float64, error) {
	if math.IsNaN(n) || math.IsInf(n, 0) {
		return 0, ErrRange
	}
	sum, _, err := s.write(incr, key, Count(n), ttl, now)
	return sum, err
}

// Delete takes out what stands under key and reports whether anything did.
func (s *Store) Delete(key string, now int64) bool {
	p := s.part(key)
	p.mu.Lock()
	p.writes++
	s.takeExpired(p, tidyFew, now)
	e := s.live(p, key, now)
	if e != nil {
		s.grow(-1, -p.remove(e))
	}
	p.mu.Unlock()
	s.helpOut(now)
	return e != nil
}

// write is Set, Add or Incr.
func (s *Store) write(op operation, key string, v Value, ttl, now int64) (sum float64, done bool, err error) {
	if err := check(key, v); err != nil {
		return 0, false, err
	}
	p := s.part(key)
	p.mu.Lock()
	p.writes++
	s.takeExpired(p, tidyFew, now)
	sum, done, err = s.apply(p, op, key, v, expiry(ttl, now), now)
	p.mu.Unlock()
	if err == ErrFull {
		s.makeRoom(now)
		p.mu.Lock()
		sum, done, err = s.apply(p, op, key, v, expiry(ttl, now), now)
		p.mu.Unlock()
		if err == ErrFull {
			s.full.Add(1)
		}
		return sum, done, err
	}
	s.helpOut(now)
	return sum, done, err
}

// operation is a kind of write; they differ where something stands already.
type operation uint8

const (
	replace operation = iota
	add
	incr
)

// apply does a write on p, whose lock is held.
func (s *Store) apply(p *part, op operation, key string, v Value, expires, now int64) (sum float64, done bool, err error) {
	e := s.live(p, key, now)
	switch {
	case e == nil:
		if !s.grow(1, size(key, v)) {
			return 0, false, ErrFull
		}
		p.insert(strings.Clone(key), v, expires)
		return v.Num, true, nil
	case op == add:
		return 0, false, nil
	case op == incr:
		if e.value.Kind != Number {
			return 0, false, ErrNoNumber
		}
		if sum = e.value.Num + v.Num; math.IsInf(sum, 0) {
			return 0, false, ErrRange
		}
		e.value.Num = sum
		return sum, true, nil
	case !s.grow(0, len(v.Str)-len(e.value.Str)):
		return 0, false, ErrFull
	}
	e.value = v
	p.expire(e, expires)
	return v.Num, true, nil
}

// live returns the entry of key, or nil; one that has expired is taken out. The
// lock of p is held.
func (s *Store) live(p *part, key string, now int64) *entry {
	e := p.byKey[key]
	if e != nil && e.expires <= now {
		s.grow(-1, -p.remove(e))
		p.expired++
		return nil
	}
	return e
}

func check(key string, v Value) error {
	switch {
	case key == "" || len(key) > MaxKey:
		return ErrKey
	case len(v.Str) > MaxValue:
		return ErrValue
	}
	return nil
}

func size(key string, v Value) int { return len(key) + len(v.Str) + Overhead }

// expiry is when something with this time to live expires.
func expiry(ttl, now int64) int64 {
	if ttl <= 0 || ttl > never-now {
		return never
	}
	return now + ttl
}

// Fill takes all the room that is left, so that a test can see what comes then. What is
// deleted or expires makes room again.
func (s *Store) Fill() {
	l := s.limits.Load()
	s.entries.Store(int64(l.Entries))
	s.bytes.Store(int64(l.Bytes))
}

// grow reserves room, or gives it back, and reports whether there was enough.
func (s *Store) grow(entries, bytes int) bool {
	l := s.limits.Load()
	if s.entries.Add(int64(entries)) > int64(l.Entries) && entries > 0 {
		s.entries.Add(int64(-entries))
		return false
	}
	if s.bytes.Add(int64(bytes)) > int64(l.Bytes) && bytes > 0 {
		s.bytes.Add(int64(-bytes))
		s.entries.Add(int64(-entries))
		return false
	}
	return true
}
