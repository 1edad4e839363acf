package core

// TargetKind says how a Target names its recipients.
type TargetKind uint8

// The kinds of targets. The zero kind is invalid.
const (
	ToClient   TargetKind = iota + 1 // one ClientID
	ToPrefix                         // every connected ClientID that begins with Name
	ToGroup                          // every member of the group Name
	ToSender                         // back to the client that sent the message; Name is empty
	ToUpstream                       // the upstream with this name; only stages choose it
)

// String is the word used in routes files, policies, logs and metrics.
func (k TargetKind) String() string {
	switch k {
	case ToClient:
		return "client"
	case ToPrefix:
		return "prefix"
	case ToGroup:
		return "group"
	case ToSender:
		return "sender"
	case ToUpstream:
		return "upstream"
	}
	return "invalid"
}

// Target is where a message goes. Name may alias the message's bytes: it is
// valid for as long as they are (one turn, or until a held message ends).
type Target struct {
	Kind TargetKind
	Name string
}
