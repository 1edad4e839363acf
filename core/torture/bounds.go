package torture

import (
	"fmt"
	"math/rand/v2"
)

// The overflow policies of a run. Without bounds none acts: what the gateway
// bounds by itself is more than a run sends.
const (
	OverflowNone       = "none" // no bounds
	OverflowReject     = "reject"
	OverflowDropOldest = "drop_oldest"
	OverflowConflate   = "conflate"
	OverflowDisconnect = "disconnect"
)

// Overflows are all that can be asked for.
var Overflows = []string{OverflowNone, OverflowReject, OverflowDropOldest, OverflowConflate, OverflowDisconnect}

// bounds are the settings of stage.ring for a run: so small that they are
// reached while a recipient is away.
type bounds struct {
	overflow       string
	clientMessages int
	clientBytes    int // KiB; 0 for the default
	senderMessages int // 0 for the default
}

// drawBounds follows from the seed; overflow is one of Overflows, or "" to draw
// one, too.
func drawBounds(seed uint64, overflow string) bounds {
	rng := rand.New(rand.NewPCG(seed, 2))
	b := bounds{overflow: Overflows[rng.IntN(len(Overflows))], clientMessages: 50 + rng.IntN(101)}
	if overflow != "" {
		b.overflow = overflow
	}
	if rng.IntN(3) == 0 {
		b.clientBytes = 32 + rng.IntN(33)
	}
	if rng.IntN(3) == 0 {
		b.senderMessages = 150 + rng.IntN(151)
	}
	return b
}

// bounded reports whether anything is.
func (b bounds) bounded() bool { return b.overflow != "" && b.overflow != OverflowNone }

// settings is what stands between the braces of stage.ring.
func (b bounds) settings() string {
	if !b.bounded() {
		return ""
	}
	text := fmt.Sprintf(" client_messages = %d, overflow = %q", b.clientMessages, b.overflow)
	if b.overflow == OverflowConflate {
		text += `, key = "data.key"`
	}
	if b.clientBytes > 0 {
		text += fmt.Sprintf(", client_bytes = \"%dKiB\"", b.clientBytes)
	}
	if b.senderMessages > 0 {
		text += fmt.Sprintf(", sender_messages = %d", b.senderMessages)
	}
	return text + " "
}
