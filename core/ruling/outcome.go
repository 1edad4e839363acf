package ruling

// Outcome is what a sender is told of a message that did not reach whom it was
// for.
type Outcome struct{ Code, Text string }

// The outcomes that a recipient decides.
var (
	Offline       = Outcome{"offline", "no recipient is connected"}
	Full          = Outcome{"overflow", "the recipient's queue is full"}
	TooManyWait   = Outcome{"overflow", "too many messages of this sender wait for their recipients"}
	UpstreamFull  = Outcome{"upstream_full", "too many messages wait for the upstream; nothing was kept for it"}
	Untaken       = Outcome{"lost", "the upstream did not take the message"}
	Expired       = Outcome{"expired", "the message waited for a recipient for longer than its ttl"}
	GivenUp       = Outcome{"lost", "the message was given up before its recipient had it"}
	LostUnwritten = Outcome{"lost", "a recipient left or fell behind before the message was written"}
)
