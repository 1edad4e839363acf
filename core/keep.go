package core

import (
	"sync/atomic"
	"time"
)

// Storage is where an accepted message is kept until its recipients have it.
type Storage uint8

// The kinds of storage, each keeping more than the one before.
const (
	StorageUnset  Storage = iota // nobody has said
	StorageNone                  // nowhere: who is not connected does not get it
	StorageMemory                // in the ring, for as long as the process lives
	StorageDisk                  // in the log too, before anybody is told
)

// String is the word in scripts and metrics.
func (s Storage) String() string { return [...]string{"", "none", "memory", "disk"}[s&3] }

// ParseStorage reads the word of a script; false if it is none.
func ParseStorage(word string) (Storage, bool) {
	for s := StorageNone; s <= StorageDisk; s++ {
		if s.String() == word {
			return s, true
		}
	}
	return StorageUnset, false
}

// Overflow is what happens to a message when there is no room to keep it for a
// recipient.
type Overflow uint8

// The policies. Conflate acts before there is no room, too.
const (
	OverflowUnset      Overflow = iota // nobody has said: reject
	OverflowReject                     // it is refused; its sender is told
	OverflowDropOldest                 // the oldest that wait for the recipient make room; a gap names them
	OverflowConflate                   // one that waits under the same key makes room; a gap names it
	OverflowDisconnect                 // it is refused, and the recipient's connection is closed
)

// String is the word in scripts and metrics.
func (o Overflow) String() string {
	return [...]string{"", "reject", "drop_oldest", "conflate", "disconnect"}[o%5]
}

// ParseOverflow reads the word of a script; false if it is none.
func ParseOverflow(word string) (Overflow, bool) {
	for o := OverflowReject; o <= OverflowDisconnect; o++ {
		if o.String() == word {
			return o, true
		}
	}
	return OverflowUnset, false
}

// MaxConflateKey bounds the key of a conflated message, in bytes.
const MaxConflateKey = 128

// KeepIn asks for a message to be kept in s. It keeps more where a stage before
// asked for more, and less where the script chose less (Message.StorageChoice).
func (m *Message) KeepIn(s Storage) {
	if m.StorageChoice != StorageUnset {
		s = min(s, m.StorageChoice)
	}
	m.Storage = max(m.Storage, s)
}

// Ring is the bounds of what the gateway keeps for its clients. The gateway owns
// it, stage.ring sets it when it starts, and the shards read it.
type Ring struct {
	Messages       atomic.Int64 // in all, one a recipient
	Bytes          atomic.Int64 // of memory in all; what is on disk may stay there alone
	ClientMessages atomic.Int64 // for one client
	ClientBytes    atomic.Int64 // for one client, on disk or not
	SenderMessages atomic.Int64 // of one sender, on each shard
	TTL            atomic.Int64 // seconds that a message without a ttl of its own may wait
}

// The bounds until a stage sets others.
const (
	DefaultRingMessages   = 1_000_000
	DefaultRingBytes      = 512 << 20
	DefaultClientMessages = 100_000
	DefaultClientBytes    = 64 << 20
	DefaultSenderMessages = 250_000
	DefaultTTL            = 24 * time.Hour
)

// NewRing makes a Ring with the default bounds.
func NewRing() *Ring {
	r := &Ring{}
	r.Messages.Store(DefaultRingMessages)
	r.Bytes.Store(DefaultRingBytes)
	r.ClientMessages.Store(DefaultClientMessages)
	r.ClientBytes.Store(DefaultClientBytes)
	r.SenderMessages.Store(DefaultSenderMessages)
	r.TTL.Store(int64(DefaultTTL / time.Second))
	return r
}

// Sync says when the log forces what it has written to the disk.
type Sync uint8

// The kinds of Sync.
const (
	SyncCommit   Sync = iota // before anybody is told: survives a power failure
	SyncInterval             // every so often: a power failure loses what came since
	SyncOS                   // when the system likes: survives the process only
)

// ParseSync reads the word of a script; false if it is none.
func ParseSync(word string) (Sync, bool) {
	switch word {
	case "commit":
		return SyncCommit, true
	case "interval":
		return SyncInterval, true
	case "os":
		return SyncOS, true
	}
	return 0, false
}

// DiskSettings are what stage.disk sets of the log when it starts.
type DiskSettings struct {
	Sync        Sync
	Interval    time.Duration // between two syncs, for SyncInterval
	Segment     int64         // bytes of one segment file
	RetainBytes int64         // bytes of segments that are kept though nothing in them waits
	RetainAge   time.Duration // for how long they are kept
}

// DefaultDiskSettings are those of a log that no stage has set.
func DefaultDiskSettings() DiskSettings {
	return DiskSettings{
		Sync: SyncCommit, Interval: time.Second, Segment: 64 << 20,
		RetainBytes: 1 << 30, RetainAge: time.Hour,
	}
}
