package rehearse_test

import (
	"log/slog"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/rehearse"
	"github.com/stratix-gateway/stratix/lua"
	_ "github.com/stratix-gateway/stratix/plugins/all"
)

var noon = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// load is a generation of one script.
func load(t testing.TB, script string, clock *rehearse.Clock) *core.Generation {
	t.Helper()
	gen, err := lua.Load(lua.Sources{"main.lua": []byte(script)}, lua.Options{
		Number: 1, Shards: 1, Now: clock.Now, Seed: 1, Env: rehearse.Env(slog.New(slog.DiscardHandler)),
	})
	if err != nil {
		t.Fatal(err)
	}
	return gen
}

// world is a World around one script.
type world struct {
	*rehearse.World
	t testing.TB
}

func newWorld(t testing.TB, script string) world {
	t.Helper()
	clock := rehearse.NewClock(noon)
	return world{rehearse.NewWorld(load(t, script, clock), clock), t}
}

func (w world) connect(id string) *rehearse.Client {
	return w.Connect(rehearse.Arrival{ID: id, Remote: netip.MustParseAddr("192.0.2.7")})
}

func (w world) reliable(id string, groups ...string) *rehearse.Client {
	return w.Connect(rehearse.Arrival{ID: id, Reliable: true, Groups: groups})
}

// got is the data of the messages that a client has got since it was last asked.
func got(c *rehearse.Client) string {
	var all []string
	for _, f := range c.Frames {
		text := string(f)
		if strings.HasPrefix(text, `{"type":0`) {
			_, data, _ := strings.Cut(text, `"data":`)
			data, _, _ = strings.Cut(data, `,"ts"`)
			all = append(all, data)
		}
	}
	c.Frames = nil
	return strings.Join(all, " ")
}

func (w world) want(what, got, want string) {
	w.t.Helper()
	if got != want {
		w.t.Errorf("%s: got %q, want %q", what, got, want)
	}
}
