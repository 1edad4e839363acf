package torture

import (
	"slices"
	"strings"
	"time"
)

// Kind says what an Event tells.
type Kind string

// The kinds, with the fields of Event that each of them uses besides At and
// Client.
const (
	Opened   Kind = "opened"   // the client is connected. Plain
	Closed   Kind = "closed"   // its connection is gone. Text
	Sent     Kind = "sent"     // one attempt, noted before it is written. ID N To Key Priority TTL Receipt Sum
	Told     Kind = "told"     // an ack. ID Stored Status Counts
	Refused  Kind = "refused"  // an error for a message. ID Code Text
	Greeted  Kind = "greeted"  // the answer to a hello. Epoch Seq Last Recovered
	Forgot   Kind = "forgot"   // the client does not know its epoch any more; its next hello names none
	Received Kind = "received" // noted before it is acknowledged. From ID Sum Epoch Seq Repeat Plain
	Gapped   Kind = "gapped"   // seqs that will not come. Epoch Seq UpTo Cause
	Acked    Kind = "acked"    // an ack or a hello, noted before it is written. Epoch Seq Also
	Broken   Kind = "broken"   // a frame that is not of the protocol. Text
	Fault    Kind = "fault"    // something was broken or mended. Code is its name. Text
	Bounded  Kind = "bounded"  // what is kept is bounded, for the whole run. Code is the overflow policy. Text
)

// Event is one line of a history. At most one goroutine writes a client's
// events, in the order in which they happened to it.
type Event struct {
	At     time.Duration `json:"at"` // since the history began
	Kind   Kind          `json:"kind"`
	Client string        `json:"client,omitempty"` // who writes it down; "" for the harness

	ID   string `json:"id,omitempty"`   // messageId
	From string `json:"from,omitempty"` // the sender
	Sum  uint64 `json:"sum,omitempty"`  // of the bytes of data

	N        int     `json:"n,omitempty"` // rises with every message of a sender
	To       *Target `json:"to,omitempty"`
	Key      string  `json:"key,omitempty"` // what it is the latest state of
	Priority int     `json:"priority,omitempty"`
	TTL      int     `json:"ttl,omitempty"` // seconds, 0 for none
	Receipt  bool    `json:"receipt,omitempty"`

	Stored string  `json:"stored,omitempty"`
	Status string  `json:"status,omitempty"`
	Counts *Counts `json:"counts,omitempty"` // nil for a single recipient

	Epoch     string      `json:"epoch,omitempty"`
	Seq       uint64      `json:"seq,omitempty"`  // 0 for a message that is not kept
	UpTo      uint64      `json:"upto,omitempty"` // of a gap, included
	Also      [][2]uint64 `json:"also,omitempty"` // ranges after Seq
	Last      uint64      `json:"last,omitempty"`
	Recovered bool        `json:"recovered,omitempty"`
	Repeat    bool        `json:"repeat,omitempty"` // the SDK's rules dropped it
	Plain     bool        `json:"plain,omitempty"`
	Cause     string      `json:"cause,omitempty"`

	Code string `json:"code,omitempty"`
	Text string `json:"text,omitempty"`
}

// Counts are those of an ack for several recipients.
type Counts struct {
	Delivered int `json:"delivered,omitempty"`
	Queued    int `json:"queued,omitempty"`
	Offline   int `json:"offline,omitempty"`
	Refused   int `json:"refused,omitempty"`
}

// Target is where a message goes. Events share it; nobody changes it.
type Target struct {
	Kind TargetKind `json:"kind"`
	Name string     `json:"name,omitempty"` // of the client, prefix or group
	// Members are the clients that the target may reach; for a list, the list.
	Members []string `json:"members"`
}

// TargetKind is how a message names its recipients.
type TargetKind string

// The kinds of targets.
const (
	ToClient TargetKind = "client"
	ToList   TargetKind = "list"
	ToPrefix TargetKind = "prefix"
	ToGroup  TargetKind = "group"
)

func (t *Target) reaches(client string) bool { return slices.Contains(t.Members, client) }

// The answers of the gateway that the rules depend on.
const (
	onDisk    = "disk"
	delivered = "delivered"
	queued    = "queued"
)

// The causes of gaps that can be legitimate.
const (
	causeExpired   = "expired"
	causeOverflow  = "overflow"
	causeConflated = "conflated"
	causeDamaged   = "damaged"
	causeLost      = "lost"
	causeSettled   = "settled"
)

// The names of faults in a history. Those that last say on and off in Text.
const (
	FaultKill   = "kill"   // kill -9; what is restarted has the same data
	FaultCut    = "cut"    // a connection is reset, or a client stays away
	FaultStall  = "stall"  // a client does not read
	FaultFull   = "full"   // the disk has no room; on, off
	FaultRoom   = "room"   // the disk has a few bytes left, and then no room; on, off
	FaultShort  = "short"  // some writes stop half way; on, off
	FaultSync   = "sync"   // fdatasync fails; on, off
	FaultLose   = "lose"   // what was not synced is gone after a kill; on, for the whole run
	FaultSave   = "save"   // scripts are saved
	FaultFlip   = "flip"   // a bit of a closed segment is another one
	FaultTTL    = "ttl"    // messages have a ttl; on, for the whole run
	FaultForget = "forget" // a recipient forgets its epoch
	// faultWeak: the scripts do without the stages that keep messages; on, off.
	// It belongs to FaultSave.
	faultWeak = "weak"
	// faultCalm: no more faults follow.
	faultCalm = "calm"
	// faultRest: all is answered and delivered; what follows is the end of the run.
	faultRest = "rest"
)

// Faults are all that can be asked for.
var Faults = []string{
	FaultKill, FaultCut, FaultStall, FaultForget, FaultFull, FaultRoom, FaultShort, FaultSync, FaultLose, FaultSave, FaultFlip, FaultTTL,
}

// refusing are the faults under which a message may be refused for the disk's
// sake, or accepted without being kept.
var refusing = []string{FaultFull, FaultRoom, FaultShort, FaultSync, faultWeak}

// transient reports whether a message refused with code is to be sent again:
// nothing of it was kept.
func transient(code string) bool {
	return code == "storage_full" || code == "storage_failed" || strings.HasPrefix(code, "over") // overflow, overloaded
}
