package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/stratix-gateway/stratix/core/gateway"
	corejournal "github.com/stratix-gateway/stratix/core/journal"
	"github.com/stratix-gateway/stratix/core/record"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/core/reload"
	"github.com/stratix-gateway/stratix/core/shadow"
	"github.com/stratix-gateway/stratix/core/traffic"
	"github.com/stratix-gateway/stratix/core/wire"
)

// recordedFlags choose messages of late, of a running gateway or of a data folder.
type recordedFlags struct {
	adminFlag
	Data      string        `help:"Take the messages in the log of this data folder in place of asking a gateway: those that were kept, as the scripts left them." placeholder:"DIR"`
	From      time.Duration `help:"How far back; 0 for all that there is." default:"0"`
	Client    string        `help:"Only what this ClientID has sent." placeholder:"ID"`
	Messages  int           `help:"The newest so many, at the most." default:"10000"`
	Budget    int           `help:"Lua instructions for one message." default:"100000" env:"STRATIX_BUDGET"`
	ScriptEnv []string      `help:"Environment variables that scripts may read with stratix.env, by their names." placeholder:"NAME" env:"STRATIX_SCRIPT_ENV"`
}

func (f *recordedFlags) check() error {
	switch {
	case f.Messages < 1 || f.Messages > 1_000_000:
		return fmt.Errorf("--messages must be between 1 and 1000000")
	case f.Budget <= 0:
		return fmt.Errorf("--budget must be positive")
	case f.From < 0:
		return fmt.Errorf("--from must not be negative: it is how far back")
	}
	return badVariable(f.ScriptEnv)
}

// inputs are the messages of one client, or of all for "", oldest first.
func (f *recordedFlags) inputs(ctx context.Context, client string) ([]traffic.Input, error) {
	if f.Data != "" {
		return f.logged(client)
	}
	query := url.Values{"limit": {strconv.Itoa(f.Messages)}}
	if f.From > 0 {
		query.Set("from", f.From.String())
	}
	if client != "" {
		query.Set("client", client)
	}
	resp, err := f.get(ctx, "/v1/traffic", query)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	var all []traffic.Input
	for lines := json.NewDecoder(resp.Body); ; {
		var in traffic.Input
		err := lines.Decode(&in)
		if err == io.EOF {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("the traffic of %s cannot be read: %w", f.Admin, err)
		}
		all = append(all, in)
	}
}

// logged are the messages in the log. Their targets are those who were given
// them.
func (f *recordedFlags) logged(client string) ([]traffic.Input, error) {
	since := int64(0)
	if f.From > 0 {
		since = time.Now().Add(-f.From).UnixMilli()
	}
	var all []traffic.Input
	var rec record.Record
	_, err := logFolder{f.Data}.scan(func() { all = all[:0] }, func(e corejournal.Entry) error {
		if e.Damage != nil || !rec.Read(e.Record) || rec.Kind != record.Message {
			return nil
		}
		l := &rec.Letter
		if l.Time < since || client != "" && l.From != client {
			return nil
		}
		names := make([]string, len(rec.Recipients))
		for i, to := range rec.Recipients {
			names[i] = to.Name
		}
		to, err := json.Marshal(names)
		if err != nil {
			return err
		}
		all = append(all, traffic.Input{
			From: string([]byte(l.From)), Time: l.Time, ID: kept(l.ID), Data: kept(l.Data), Headers: kept(l.Headers), To: to,
			Priority: l.Priority,
		})
		if len(all) >= 2*f.Messages {
			all = slices.Delete(all, 0, len(all)-f.Messages)
		}
		return nil
	})
	return all[max(0, len(all)-f.Messages):], err
}

// live are the scripts that are live in the gateway, or were in the data folder.
func (f *recordedFlags) live(ctx context.Context) (reload.Snapshot, error) {
	if f.Data != "" {
		return gateway.LastGood(f.Data)
	}
	var files gateway.Files
	if err := f.getJSON(ctx, "/v1/generations/live", nil, &files); err != nil {
		return reload.Snapshot{}, err
	}
	return reload.Snapshot{Dir: files.Dir, Files: files.Files}, nil
}

// side loads scripts for a run with all effects withheld.
func (f *recordedFlags) side(snap reload.Snapshot) (*shadow.Side, error) {
	quiet := slog.New(slog.DiscardHandler)
	clock := &shadow.Clock{}
	clock.Set(time.Now().UnixMilli())
	gen, err := loader(f.Budget, f.ScriptEnv)(snap, gateway.LoadOptions{
		Number: 1, Env: rehearse.Env(quiet), Log: quiet, Now: clock.Now, Seed: 1,
	})
	if err != nil {
		return nil, err
	}
	return &shadow.Side{Rehearsal: rehearse.New(gen.Programs[0]), Clock: clock}, nil
}

// idOf is the messageId as its sender wrote it; "" for none.
func idOf(in *traffic.Input) string { return string(wire.Unquote(nil, in.ID)) }

// kept is a copy of a part of a letter; nil if it is empty.
func kept(part []byte) []byte {
	if len(part) == 0 {
		return nil
	}
	return bytes.Clone(part)
}
