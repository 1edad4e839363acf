package trace

import (
	"errors"
	"strings"
	"time"

	"github.com/stratix-gateway/stratix/core"
)

// Outcome is what a pipeline and the routing behind it decided about a message:
// the words of stratix_verdicts_total.
type Outcome uint8

// The outcomes.
const (
	Accepted Outcome = iota
	Dropped
	Rejected
	Failed // a stage returned an error or panicked
	Forbidden
	Malformed
	NoRoute
	outcomes
)

var outcomeWords = [outcomes]string{"accepted", "dropped", "rejected", "error", "forbidden", "malformed", "no_route"}

func (o Outcome) String() string { return outcomeWords[o%outcomes] }

// MarshalText is the word.
func (o Outcome) MarshalText() ([]byte, error) { return []byte(o.String()), nil }

// UnmarshalText reads the word.
func (o *Outcome) UnmarshalText(text []byte) error {
	for i, word := range outcomeWords {
		if word == string(text) {
			*o = Outcome(i)
			return nil
		}
	}
	return errors.New("a verdict is one of " + strings.Join(outcomeWords[:], ", "))
}

// Trace is what is known of the way of one message. As JSON it is what the admin
// API answers.
type Trace struct {
	Number     uint64    `json:"-"`    // joins its entries
	Time       time.Time `json:"time"` // when the shard took the message
	MessageID  string    `json:"messageId,omitempty"`
	Client     string    `json:"client"`
	Remote     string    `json:"remote,omitempty"`
	Size       int       `json:"size,omitempty"` // bytes of the client's frame
	Generation uint32    `json:"generation,omitempty"`
	Shard      int       `json:"shard"`
	// Sampled says that every stage was watched. Otherwise it is here because of
	// its end: Stages is the one that ended it, without a time.
	Sampled      bool     `json:"sampled"`
	Verdict      Outcome  `json:"verdict"`
	Code         string   `json:"code,omitempty"`
	Reason       string   `json:"reason,omitempty"`
	Instructions int      `json:"instructions"`
	Priority     uint8    `json:"priority"`
	TTL          uint32   `json:"ttl,omitempty"`     // seconds; 0 is the gateway's default
	Storage      string   `json:"storage,omitempty"` // what the pipeline wants; see Upstreams
	Stages       []Stage  `json:"stages,omitempty"`
	OwnTargets   bool     `json:"ownTargets,omitempty"` // the client's own "to" was followed
	TargetCount  int      `json:"targetCount"`
	Targets      []Target `json:"targets,omitempty"` // the first of them
	Replies      int      `json:"replies,omitempty"`
	Groups       int      `json:"groups,omitempty"` // that the sender was made to join or leave
	Data         string   `json:"data,omitempty"`   // a preview of it as it went out
	Answer       *Answer  `json:"answer,omitempty"`
	Late         *Late    `json:"late,omitempty"`
}

// Conceal takes the previews of data out of t.
func (t *Trace) Conceal() {
	t.Data = ""
	for i := range t.Stages {
		for j := range t.Stages[i].Changes {
			if c := &t.Stages[i].Changes[j]; c.What != changeWords[changeStorage] {
				c.Before, c.After = "", ""
			}
		}
	}
}

// Upstreams reports whether t goes to upstreams, and whether to nobody else: there it
// waits in memory, whatever its Storage, which then is that of a dead letter.
func (t *Trace) Upstreams() (some, alone bool) {
	alone = t.TargetCount == len(t.Targets)
	for _, to := range t.Targets {
		is := to.Kind == core.ToUpstream.String()
		some, alone = some || is, alone && is
	}
	return some, some && alone
}

// Stage is what one stage of the pipeline did.
type Stage struct {
	Stage        string   `json:"stage"`
	Verdict      string   `json:"verdict"` // next, done, drop, hold or error
	Micros       float64  `json:"micros"`
	HeldMillis   int64    `json:"heldMillis,omitempty"`
	Instructions int      `json:"instructions"`
	Changes      []Change `json:"changes,omitempty"`
}

// Change is one thing that a stage changed. Was and Is are sizes in bytes of data
// and headers, numbers of targets, replies and groups, else values.
type Change struct {
	What string `json:"what"`
	Was  uint64 `json:"was"`
	Is   uint64 `json:"is"`
	// Keys names the changed members of data or headers: +added -removed ~changed.
	Keys string `json:"keys,omitempty"`
	// Before and After are previews, if the operator wants them; of "storage" the words
	// for the values.
	Before string `json:"before,omitempty"`
	After  string `json:"after,omitempty"`
}

// Target is where a message was sent, before it was known who that is.
type Target struct {
	Kind string `json:"kind"`
	Name string `json:"name,omitempty"`
}

// Answer is what its sender was told, with the recipients counted.
type Answer struct {
	Time      time.Time `json:"time"`
	Told      bool      `json:"told"` // the sender was there, and had asked by a messageId
	Delivered uint32    `json:"delivered"`
	Queued    uint32    `json:"queued"`
	Offline   uint32    `json:"offline"`
	Refused   uint32    `json:"refused"`
	Repeats   uint32    `json:"repeats,omitempty"` // of these: they were given the message before, and this is what has become of that
	Stored    string    `json:"stored,omitempty"`
	Status    string    `json:"status,omitempty"` // delivered, queued; or empty and
	Code      string    `json:"code,omitempty"`   // an error
	Reason    string    `json:"reason,omitempty"`
}

// Late is what became of a message that had to wait.
type Late struct {
	Time    time.Time `json:"time"`
	Outcome string    `json:"outcome"` // delivered, expired, lost or unknown
}

// Bounds of one trace.
const (
	maxSteps   = 64
	maxTargets = 8
	maxName    = 128
	maxReason  = 256
	maxKeys    = 8
	// MaxPreview is the longest preview, in bytes.
	MaxPreview = 1024
	// previewsUntil is how long an entry may be for a preview to be added.
	previewsUntil = 4 << 10
)
