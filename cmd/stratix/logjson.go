package main

import (
	"encoding/json"

	"github.com/stratix-gateway/stratix/core/record"
)

// The records as stratix log show --json prints them. Epochs are the strings
// that they are on the wire; ranges are [from, to] pairs, both included.

type headJSON struct {
	Time    string `json:"time,omitempty"`
	Segment uint32 `json:"segment"`
	Offset  uint32 `json:"offset"`
	Kind    string `json:"kind"`
}

type recipientJSON struct {
	Client string `json:"client"`
	Epoch  string `json:"epoch"`
	Seq    uint64 `json:"seq"`
}

type messageJSON struct {
	headJSON
	From       string          `json:"from"`
	MessageID  string          `json:"messageId,omitempty"`
	Sent       string          `json:"sent"`
	Priority   uint8           `json:"priority"`
	TTL        uint32          `json:"ttl"` // seconds
	Generation uint32          `json:"generation"`
	Overflow   string          `json:"overflow,omitempty"`
	Key        string          `json:"conflateKey,omitempty"`
	Recipients []recipientJSON `json:"recipients"`
	Headers    json.RawMessage `json:"headers,omitempty"`
	Data       json.RawMessage `json:"data"`
}

type clientJSON struct {
	headJSON
	Client string `json:"client,omitempty"` // not there where the log does not say
	Epoch  string `json:"epoch"`
}

type ackJSON struct {
	clientJSON
	Upto uint64      `json:"upto"`
	Also [][2]uint64 `json:"also,omitempty"`
}

type goneJSON struct {
	clientJSON
	Cause string      `json:"cause"`
	Seqs  [][2]uint64 `json:"seqs"`
}

type spanJSON struct {
	Seqs  [2]uint64 `json:"seqs"`
	Cause string    `json:"cause,omitempty"` // of those that will never be delivered
}

type sessionJSON struct {
	clientJSON
	Seq    uint64     `json:"seq"`
	Upto   uint64     `json:"upto"`
	Also   []spanJSON `json:"also,omitempty"`
	Groups []string   `json:"groups,omitempty"`
	Seen   string     `json:"seen"`
}

type runJSON struct {
	headJSON
	Sync  string `json:"sync"`
	Ended bool   `json:"ended"`
}

// json is what stands for the line in JSON.
func (l *logLine) json() any {
	rec := l.rec
	head := headJSON{Segment: l.at.Segment, Offset: l.at.Offset, Kind: l.kind()}
	if when := l.when(); when != 0 {
		head.Time = timeText(when)
	}
	client := clientJSON{headJSON: head, Client: l.client, Epoch: epochText(rec.Epoch)}
	switch rec.Kind {
	case record.Message:
		m := messageJSON{
			headJSON: head, From: rec.Letter.From, MessageID: messageID(&rec.Letter), Sent: timeText(rec.Letter.Time),
			Priority: rec.Letter.Priority, TTL: rec.Letter.TTL, Generation: rec.Letter.Generation,
			Overflow: rec.Letter.Overflow.String(), Key: string(rec.Letter.Key),
			Headers: rawJSON(rec.Letter.Headers), Data: rawJSON(rec.Letter.Data),
		}
		for _, to := range rec.Recipients {
			m.Recipients = append(m.Recipients, recipientJSON{to.Name, epochText(to.Epoch), to.Seq})
		}
		return m
	case record.Ack:
		return ackJSON{client, rec.Upto, pairs(rec.Ranges)}
	case record.Gone:
		return goneJSON{client, rec.Cause.String(), pairs(rec.Ranges)}
	case record.Session:
		st := &rec.State
		client.Epoch = epochText(st.Epoch)
		s := sessionJSON{clientJSON: client, Seq: st.Seq, Upto: st.Upto, Groups: st.Groups, Seen: timeText(st.Seen * 1000)}
		for _, span := range st.Spans {
			one := spanJSON{Seqs: [2]uint64{span.From, span.To}}
			if span.Cause != 0 {
				one.Cause = span.Cause.String()
			}
			s.Also = append(s.Also, one)
		}
		return s
	case record.Run:
		return runJSON{head, syncText(rec.Sync), rec.Ended}
	default: // an end
		return client
	}
}

func pairs(ranges []record.Range) [][2]uint64 {
	list := make([][2]uint64, len(ranges))
	for i, r := range ranges {
		list[i] = [2]uint64{r.From, r.To}
	}
	return list
}

// rawJSON is b, or if that is no JSON, a string of it.
func rawJSON(b []byte) json.RawMessage {
	if len(b) == 0 || json.Valid(b) {
		return b
	}
	b, _ = json.Marshal(string(b)) // a string always can be
	return b
}
