package core

import "context"

// Verdict is a stage's decision about one message.
type Verdict uint8

// The verdicts. After Drop the message's Effects say why.
const (
	Next Verdict = iota // go on with the next stage
	Done                // accept now, skip the stages that follow
	Drop                // end here: rejected or filtered out
	Hold                // the stage has detached the message and will Resume it
)

// String is the metric label.
func (v Verdict) String() string { return [...]string{"next", "done", "drop", "hold"}[v&3] }

// Stage handles one message at a time. Handle may run on all shards at once,
// always on the shard's goroutine: it must not block, and must not keep m or
// its bytes (see Message.Detach). An error rejects the message: its sender gets
// a type 2 frame with the code of a *Rejection, else "stage_error".
type Stage interface {
	Handle(m *Message) (Verdict, error)
}

// Sharded is a stage with state of its own for each shard. ForShard is called
// once a shard and generation; the stage it returns runs on that shard only.
type Sharded interface {
	ForShard(shard int) Stage
}

// Starter is a stage that acquires something. Start is called before its
// generation goes live; Open only validates, since a check opens stages too.
type Starter interface {
	Start(ctx context.Context) error
}

// Stopper is a stage that has something to give back. Stop is called when no
// live generation uses the stage and its last held message is done.
type Stopper interface {
	Stop(ctx context.Context) error
}

// Refresher is a stage that has read something from elsewhere than the scripts, and
// looks at it from time to time. Refresh makes it look soon, since somebody has asked
// the gateway to reload; it returns at once.
type Refresher interface {
	Refresh()
	// Failing names what it could not read at the last look, in which case what it has
	// from before stays; "" says that all is well. It runs on any goroutine.
	Failing() string
}

// Bounder is a stage that sets bounds of what the gateway keeps. Bound changes
// nothing but r: tests of scripts, which start no stage, have its bounds too.
type Bounder interface {
	Bound(r *Ring)
}

// Keeper is a stage whose state outlives it under a name (see Env.State): the next
// generation's finds it there. Two stages of one pipeline cannot have one name.
type Keeper interface {
	KeptAs() string
}

// Router is a stage that routes by a table, which operators may look at. Routes
// may be called from any goroutine; what it returns stays as it is.
type Router interface {
	Routes() []Route
}

// Route says where messages go whose senders' ClientIDs begin with Prefix.
type Route struct {
	Prefix  string
	Targets []Target
}

// Rejection is an error with a stable code for the sender.
type Rejection struct {
	Code, Text string
	// Cause is what happened, for those who write scripts; the sender is not told.
	// nil when the text says it all.
	Cause error
}

func (r *Rejection) Error() string { return r.Code + ": " + r.Text }

// Unwrap returns the cause.
func (r *Rejection) Unwrap() error { return r.Cause }

// Conn is a client that has just connected, as the on_connect hook sees it. The
// shard commits its decisions when the hook returns.
type Conn struct {
	Session *Session
	Joins   []string // groups to join
	// Refused closes the connection with code 4403 and this reason.
	Refused string
}

// Hooks are the optional functions of a generation beside its pipeline. They
// run on the shard's goroutine under the same rules as Stage.Handle. An error
// is already logged with its place by the implementation; the shard counts it.
type Hooks interface {
	// Connect runs before the client's first message. An error refuses it.
	Connect(c *Conn) error
	// Disconnect runs once for every Connect that did not refuse.
	Disconnect(s *Session, reason string) error
	// Tick runs about once a second, on the first shard only.
	Tick(unixMillis int64) error
	// MaySend decides on the client's own target t; the empty string allows.
	MaySend(s *Session, t Target) (refused string, err error)
	// MayJoin decides on a client's own join; the empty string allows.
	MayJoin(s *Session, group string) (refused string, err error)
}
