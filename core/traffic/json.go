package traffic

import (
	"encoding/json"
	"net/netip"
	"time"
)

// form is an Input as JSON. What is JSON already stays as it is.
type form struct {
	Time     time.Time       `json:"time"`
	From     string          `json:"from"`
	Remote   netip.Addr      `json:"remote,omitzero"`
	Claims   json.RawMessage `json:"claims,omitempty"`
	ID       json.RawMessage `json:"messageId,omitempty"`
	To       json.RawMessage `json:"to,omitempty"`
	Data     json.RawMessage `json:"data"`
	Headers  json.RawMessage `json:"headers,omitempty"`
	Size     int             `json:"size,omitempty"`
	TTL      uint32          `json:"ttl,omitempty"`
	Priority uint8           `json:"priority,omitempty"`
	Receipt  bool            `json:"receipt,omitempty"`
}

// MarshalJSON writes the Input as one object, with the names of a client's frame.
func (in Input) MarshalJSON() ([]byte, error) {
	return json.Marshal(form{
		Time: time.UnixMilli(in.Time).UTC(), From: in.From, Remote: in.Remote, Claims: in.Claims, ID: in.ID, To: in.To, Data: in.Data, Headers: in.Headers,
		Size: in.Size, TTL: in.TTL, Priority: in.Priority, Receipt: in.Receipt,
	})
}

// UnmarshalJSON reads what MarshalJSON writes.
func (in *Input) UnmarshalJSON(b []byte) error {
	var f form
	if err := json.Unmarshal(b, &f); err != nil {
		return err
	}
	*in = Input{
		From: f.From, Remote: f.Remote, Claims: f.Claims, Time: f.Time.UnixMilli(), ID: f.ID, Data: f.Data, Headers: f.Headers, To: f.To,
		Size: f.Size, TTL: f.TTL, Priority: f.Priority, Receipt: f.Receipt,
	}
	return nil
}
