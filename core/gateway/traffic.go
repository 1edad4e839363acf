package gateway

import (
	"encoding/json"
	"fmt"
	"net/url"
	"strconv"
	"time"

	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/traffic"
)

// Files are the content of a generation, as GET /v1/generations/NAME shows it.
type Files struct {
	Number uint32            `json:"number,omitempty"`
	Hash   string            `json:"hash"`
	Dir    string            `json:"dir"`
	Files  map[string][]byte `json:"files"`
}

// generationFiles returns the files of the generation with this number or hash,
// or of the live one.
func (g *Gateway) generationFiles(name string) (*Files, error) {
	past := g.scripts.past
	if name == "live" {
		name = g.scripts.report().hash // its number changes when it goes live again
	}
	p, err := past.named(name)
	if err != nil {
		return nil, err
	}
	return &Files{Number: p.number, Hash: fmt.Sprintf("%x", p.Hash[:6]), Dir: p.Dir, Files: p.Files}, nil
}

// LastGood reads the last good generation of a data folder that no gateway uses.
func LastGood(data string) (reload.Snapshot, error) {
	all, err := readPasts(generationsDir(data))
	if err != nil {
		return reload.Snapshot{}, err
	}
	for _, p := range all {
		if p.Bad == "" {
			return p.snapshot(), nil
		}
	}
	return reload.Snapshot{}, fmt.Errorf("%s holds no good generation of the scripts", data)
}

// maxTraffic bounds the messages of one answer.
const maxTraffic = 1_000_000

// traffic streams what clients have sent of late, oldest first: ?from=10m is how
// far back, ?client= whose, ?limit= how many of the newest.
func (g *Gateway) traffic(query url.Values) (server.Stream, error) {
	since, limit := int64(0), maxTraffic
	if text := query.Get("from"); text != "" {
		d, err := time.ParseDuration(text)
		if err != nil || d <= 0 {
			return nil, fmt.Errorf("from=%q is no duration such as 10m", text)
		}
		since = time.Now().Add(-d).UnixMilli()
	}
	if text := query.Get("limit"); text != "" {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > maxTraffic {
			return nil, fmt.Errorf("limit=%q is no number between 1 and %d", text, maxTraffic)
		}
		limit = n
	}
	client := query.Get("client")
	var chosen []traffic.Input
	for _, in := range g.shards.Recorded(maxTraffic) {
		if in.Time >= since && (client == "" || in.From == client) {
			chosen = append(chosen, in)
		}
	}
	chosen = chosen[max(0, len(chosen)-limit):]
	return func(write func([]byte) error) {
		var lines []byte
		for i := range chosen {
			line, err := json.Marshal(&chosen[i])
			if err != nil {
				continue // what a client sent was JSON
			}
			lines = append(append(lines, line...), '\n')
			if len(lines) < 64<<10 && i < len(chosen)-1 {
				continue
			}
			if write(lines) != nil {
				return
			}
			lines = lines[:0]
		}
	}, nil
}
