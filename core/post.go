package core

// Upstream is a service that messages are posted to, as the programs of one
// generation have it.
type Upstream struct {
	Name string
	// Queue takes what is posted.
	Queue PostQueue
	// Connects and Disconnects ask for a post when a client has come, or has gone.
	Connects, Disconnects bool
	// DeadLetter is where posts go that were given up; its Kind is 0 for nowhere.
	DeadLetter Target
}

// PostQueue is where shards leave posts.
type PostQueue interface {
	// Offer takes p over, or returns false, and p stays the caller's: there is no
	// room. It never blocks and may be called from any goroutine. Posts with the
	// same From are made in the order in which they were offered.
	Offer(p *Post) bool
}

// Post is one message, or one event, on its way to an upstream. Its shard makes
// it, with bytes of its own; while an upstream has it nobody else touches it, and
// it always comes back.
type Post struct {
	Next    *Post // for whoever has it
	Owner   PostOwner
	From    string // ClientID
	ID      []byte // the messageId as a JSON string; empty for none
	Body    []byte // the JSON object that the upstream gets
	Expires int64  // milliseconds since 1970; 0 for never

	// The owner's own.
	Upstream *Upstream
	Flight   uint32
	Wanted   bool // a receipt
	Storage  Storage

	// What came of it, when it is back.
	Outcome PostOutcome
	Reason  string // why it was given up
	Tries   int
	// Replies are JSON values for the client that it is from.
	Replies [][]byte
}

// PostOwner takes posts back, chained by Next. It never blocks and may be called
// from any goroutine.
type PostOwner interface{ TakeBack(posts *Post) }

// PostOutcome is what came of a post.
type PostOutcome uint8

// The outcomes.
const (
	PostDelivered PostOutcome = iota // the upstream has taken it
	PostLost                         // it was given up
	PostExpired                      // ... because it waited too long
)
