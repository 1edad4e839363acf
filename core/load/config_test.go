package load

import (
	"math"
	"strings"
	"testing"
)

func TestTarget(t *testing.T) {
	f := func(url, wantAddr, wantPath string) {
		t.Helper()
		got, err := parseTarget(url)
		if err != nil || got.addr.String() != wantAddr || got.path != wantPath {
			t.Errorf("%s: %v %q %v", url, got.addr, got.path, err)
		}
	}
	f("ws://127.0.0.1:8080/ws", "127.0.0.1:8080", "/ws?")
	f("ws://localhost:8080/ws?token=a%20b", "127.0.0.1:8080", "/ws?token=a%20b&")
	f("ws://127.9.9.9", "127.9.9.9:80", "/?")

	bad := func(url, want string) {
		t.Helper()
		if _, err := parseTarget(url); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", url, err, want)
		}
	}
	bad("ws://10.0.0.1:8080/ws", "nothing else is put under load")
	bad("ws://example.com/ws", "nothing else is put under load")
	bad("ws://[::1]:8080/ws", "nothing else is put under load")
	bad("ws://127.0.0.1:0/ws", "nothing else is put under load")
	bad("ws://127.0.0.1:99999/ws", "nothing else is put under load")
	bad("wss://127.0.0.1:8080/ws", "only ws://")
	bad("127.0.0.1:8080", "url")
	bad("ws://127.0.0.1:8080/ws?a=\x01", "url")
	bad("ws://127.0.0.1:8080/ws?a=b c", "white space")
}

func TestCheck(t *testing.T) {
	f := func(want string, change func(*Config)) {
		t.Helper()
		c := Config{Scenario: Pairs}
		change(&c)
		err := c.withDefaults().check()
		if want == "" && err != nil || want != "" && (err == nil || !strings.Contains(err.Error(), want)) {
			t.Errorf("%+v: %v, want %q", c, err, want)
		}
	}
	for _, s := range []string{Idle, Pairs, Echo, Open, Fanout, Connect, Churn, Durable, Pending, Attack} {
		f("", func(c *Config) { c.Scenario = s })
	}
	f("", func(c *Config) { c.Scenario, c.Scripts = Reload, "routes" })
	f("a scratch copy", func(c *Config) { c.Scenario = Reload })
	f("do not make pairs", func(c *Config) { c.Scenario, c.Scripts, c.Connections = Reload, "routes", []int{3} })
	f("saves: 1001", func(c *Config) { c.Saves = 1001 })
	f("scenario", func(c *Config) { c.Scenario = "" })
	f("scenario", func(c *Config) { c.Scenario = "other" })
	f("connections: 19501", func(c *Config) { c.Connections = []int{19_501} })
	f("do not make pairs", func(c *Config) { c.Connections = []int{3} })
	f("", func(c *Config) { c.Scenario, c.Connections = Echo, []int{3} })
	f("a publisher", func(c *Config) { c.Scenario, c.Connections = Fanout, []int{1} })
	f("must rise", func(c *Config) { c.Scenario, c.Connections = Idle, []int{5, 5} })
	f("two levels", func(c *Config) { c.Scenario, c.Connections = Idle, []int{5} })
	f("window: 0", func(c *Config) { c.Window = []int{0} })
	f("rate: 2000000", func(c *Config) { c.Rate = []int{2_000_000} })
	f("seconds", func(c *Config) { c.Seconds = 601 })
	f("seconds", func(c *Config) { c.Seconds = math.NaN() })
	f("warmup", func(c *Config) { c.Warmup = -1 })
	f("size: 127", func(c *Config) { c.Size = 127 })
	f("workers: 17", func(c *Config) { c.Workers = 17 })
	f("payload: 39", func(c *Config) { c.Payload = 39 })
	f("messages: -1", func(c *Config) { c.Messages = -1 })
	f("recipients: 1000001", func(c *Config) { c.Recipients = 1_000_001 })
	f("do not make pairs", func(c *Config) { c.Scenario, c.Connections = Durable, []int{3} })
	f("by", func(c *Config) { c.By = "name" })
}
