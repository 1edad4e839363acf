package load

import (
	"encoding/json"
	"fmt"
)

// subprotocol is what a reliable client asks for in its handshake.
const subprotocol = "stratix.v1"

// greeting is the gateway's answer to a hello.
type greeting struct {
	Epoch     string `json:"epoch"`
	Seq       uint64 `json:"seq"`
	Last      uint64 `json:"last"`
	Recovered bool   `json:"recovered"`
	Gaps      []gap  `json:"gaps"`
}

// gap is a range of seqs that will not come, and why.
type gap struct {
	span
	cause string
}

// UnmarshalJSON reads [from,to,"cause"].
func (g *gap) UnmarshalJSON(b []byte) error {
	var parts []json.RawMessage
	if err := json.Unmarshal(b, &parts); err != nil {
		return err
	}
	if len(parts) != 3 {
		return fmt.Errorf("a gap of %d parts", len(parts))
	}
	for i, to := range []any{&g.from, &g.to, &g.cause} {
		if err := json.Unmarshal(parts[i], to); err != nil {
			return err
		}
	}
	if g.from == 0 || g.to < g.from || g.to == 1<<64-1 {
		return fmt.Errorf("a gap from %d to %d", g.from, g.to)
	}
	return nil
}

// parseGreeting reads a type 3 frame; there is one for each connection.
func parseGreeting(text []byte) (g greeting, err error) {
	if err = json.Unmarshal(text, &g); err == nil && (g.Epoch == "" || g.Last < g.Seq) {
		err = fmt.Errorf("epoch %q, seq %d, last %d", g.Epoch, g.Seq, g.Last)
	}
	if err != nil {
		return greeting{}, fmt.Errorf("the answer to a hello: %w", err)
	}
	return g, nil
}

// parseGaps reads a type 7 frame; they are rare.
func parseGaps(text []byte) ([]gap, error) {
	var frame struct {
		Gaps []gap `json:"gaps"`
	}
	if err := json.Unmarshal(text, &frame); err != nil {
		return nil, fmt.Errorf("gaps: %w", err)
	}
	return frame.Gaps, nil
}

// appendHello appends a hello: of a client that knows nothing if epoch is "",
// else of one that has settled what t says of it.
func appendHello(dst []byte, epoch string, t *settled) []byte {
	dst = append(dst, `{"type":3`...)
	if epoch != "" {
		dst = append(dst, `,"epoch":"`...)
		dst = append(dst, epoch...)
		dst = t.appendSeqs(append(dst, `",`...))
	}
	return append(dst, '}')
}

// appendAck appends the acknowledgement of what t says is settled.
func appendAck(dst []byte, t *settled) []byte {
	return append(t.appendSeqs(append(dst, `{"type":1,`...)), '}')
}
