package shard

// cause is why a connection was closed, in the word that on_disconnect gets.
type cause string

const (
	causeLeft     cause = "left"     // the client closed it
	causeLost     cause = "lost"     // it broke
	causeReplaced cause = "replaced" // by a newer one with the same ClientID
	causeRefused  cause = "refused"  // by on_connect, or because that failed
	causeIdle     cause = "idle"
	causeSlow     cause = "slow"
	causeStalled  cause = "stalled"
	causeProtocol cause = "protocol"
	causeUnacked  cause = "unacked"  // it took too long to acknowledge
	causeExpired  cause = "expired"  // its grant did
	causeLimited  cause = "limited"  // it went past a limit of its rate
	causeOperator cause = "operator" // an operator disconnected it
	causeDrain    cause = "drain"    // the gateway shuts down ...
	causeStop     cause = "stop"     // ... and has
)

// closed counts a connection that has been closed, once.
func (c *Counts) closed(why cause) {
	c.Closed++
	switch why {
	case causeLeft:
		c.Left++
	case causeLost:
		c.Lost++
	case causeReplaced:
		c.Replaced++
	case causeRefused:
		c.Refused++
	case causeIdle:
		c.Idle++
	case causeSlow:
		c.Slow++
	case causeStalled:
		c.Stalled++
	case causeProtocol:
		c.Protocol++
	case causeUnacked:
		c.Unacked++
	case causeExpired:
		c.Expired++
	case causeLimited:
		c.Limited++
	case causeOperator:
		c.Dismissed++
	case causeDrain, causeStop:
		c.Drained++
	}
}
