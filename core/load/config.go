package load

import (
	"errors"
	"fmt"
	"net/netip"
	"net/url"
	"strings"
	"time"
)

// The scenarios.
const (
	Idle    = "idle"    // resident memory of connections that do nothing
	Pairs   = "pairs"   // closed loop, every client sends to its partner
	Echo    = "echo"    // closed loop, no `to`: the default route sends back
	Open    = "open"    // open loop at a fixed rate, latency
	Fanout  = "fanout"  // one publisher, all other clients receive
	Connect = "connect" // handshakes, the connections stay
	Churn   = "churn"   // handshake, close, again
	Reload  = "reload"  // open loop while main.lua is saved, time from save to live
	Durable = "durable" // closed loop of reliable clients, acknowledged and received
	Pending = "pending" // messages for recipients that are not there, memory
	Attack  = "attack"  // open loop while the gateway is attacked in every way it knows
)

// What a run may ask for at most.
const (
	MaxConnections = 19_500
	MaxRate        = 1_000_000 // messages a second
	MaxWindow      = 1024
	MinSize        = 128       // bytes of JSON; the fixed parts need about 115
	MaxSize        = 16 * 1024 // bytes of JSON
	MaxWorkers     = 16
	MaxTime        = 600 // seconds
	MaxSaves       = 1000
	MinPayload     = 40        // bytes of data; the fixed parts need 39
	MaxPayload     = 15 * 1024 // bytes of data
	MaxMessages    = 10_000_000
	MaxRecipients  = 1_000_000
)

// Config says what to measure. Lists are measured one after the other, every
// combination of them, and an empty list stands for the scenario's own.
type Config struct {
	Scenario    string  `help:"What to measure: ${enum}." enum:"idle,pairs,echo,open,fanout,connect,churn,reload,durable,pending,attack" default:"pairs"`
	URL         string  `name:"url" help:"WebSocket address of the gateway, on an IPv4 loopback address." default:"ws://127.0.0.1:8080/ws"`
	PID         int     `name:"pid" help:"Process ID of the gateway, for its CPU time and memory; 0 finds the process that listens at the address." default:"0"`
	Connections []int   `help:"How many connections, 19500 at most; for idle, the levels between which memory is compared. Default: 5000,19000 for idle, 10000 for connect, 1001 for fanout, 5000 for reload, 64 senders for pending, 200 for attack, else 1000."`
	Window      []int   `aliases:"inflight" help:"Messages in flight for each sender in a closed loop; --inflight says the same. Default: 1,16 for fanout, 16 for durable, 64 for pending, else 1,8."`
	Rate        []int   `help:"Messages a second of an open loop, over all connections. Default: 20000 for reload, 2000 for attack, else 20000,100000."`
	Seconds     float64 `help:"How long each measurement takes; a reload takes as long as its saves do." default:"5"`
	Warmup      float64 `help:"Seconds of load before each measurement." default:"1"`
	Size        int     `help:"Bytes of JSON in each message, from 128 to 16384." default:"128"`
	Workers     int     `help:"Event loops of the load generator." default:"1"`
	By          string  `help:"How the publisher of a fanout names its subscribers: ${enum}." enum:"group,prefix" default:"group"`
	Scripts     string  `help:"Scripts folder that the gateway watches, for reload. It must be a scratch copy: main.lua is replaced many times, and put back at the end."`
	Saves       int     `help:"How often a reload replaces main.lua." default:"20"`
	Reliable    bool    `help:"Clients speak stratix.v1: they say hello and acknowledge what they get. Those of durable always do."`
	Payload     int     `help:"Bytes of data in each message of durable and pending, from 40 to 15360; the envelope is added." default:"200"`
	Messages    int     `help:"How many messages pending sends." default:"1000000"`
	Recipients  int     `help:"How many recipients that are not there they go to." default:"10000"`
	JSON        bool    `name:"json" help:"Print JSON lines instead of a table."`
}

// withDefaults fills in what is zero and must not be.
func (c Config) withDefaults() Config {
	connections, window, rate := 1000, []int{1, 8}, []int{20_000, 100_000}
	switch c.Scenario {
	case Fanout:
		connections, window = 1001, []int{1, 16}
	case Connect:
		connections = 10_000
	case Reload:
		connections, rate = 5000, []int{20_000}
	case Durable:
		window = []int{16}
	case Pending:
		connections, window = 64, []int{64}
	case Attack:
		connections, rate = 200, []int{2000}
	}
	if len(c.Connections) == 0 {
		c.Connections = []int{connections}
		if c.Scenario == Idle {
			c.Connections = []int{5000, 19_000}
		}
	}
	if len(c.Window) == 0 {
		c.Window = window
	}
	if len(c.Rate) == 0 {
		c.Rate = rate
	}
	if c.Seconds == 0 {
		c.Seconds = 5
	}
	if c.Size == 0 {
		c.Size = MinSize
	}
	if c.Workers == 0 {
		c.Workers = 1
	}
	if c.By == "" {
		c.By = "group"
	}
	if c.Saves == 0 {
		c.Saves = 20
	}
	if c.Payload == 0 {
		c.Payload = 200
	}
	if c.Messages == 0 {
		c.Messages = 1_000_000
	}
	if c.Recipients == 0 {
		c.Recipients = 10_000
	}
	if c.Scenario == Durable {
		c.Reliable = true
	}
	return c
}

// check says what is wrong with a configuration that has its defaults.
func (c Config) check() error {
	var errs []error
	within := func(name string, v, least, most int) {
		if v < least || v > most {
			errs = append(errs, fmt.Errorf("%s: %d is not between %d and %d", name, v, least, most))
		}
	}
	switch c.Scenario {
	case Idle, Pairs, Echo, Open, Fanout, Connect, Churn, Reload, Durable, Pending, Attack:
	default:
		errs = append(errs, fmt.Errorf("scenario: there is none named %q", c.Scenario))
	}
	for i, n := range c.Connections {
		within("connections", n, 1, MaxConnections)
		if c.paired() && n%2 != 0 {
			errs = append(errs, fmt.Errorf("connections: %d do not make pairs", n))
		}
		if c.Scenario == Fanout && n < 2 {
			errs = append(errs, errors.New("connections: a fanout needs a publisher and a subscriber"))
		}
		if c.Scenario == Idle && i > 0 && n <= c.Connections[i-1] {
			errs = append(errs, errors.New("connections: the levels must rise"))
		}
	}
	if c.Scenario == Idle && len(c.Connections) < 2 {
		errs = append(errs, errors.New("connections: idle compares two levels or more"))
	}
	for _, w := range c.Window {
		within("window", w, 1, MaxWindow)
	}
	for _, r := range c.Rate {
		within("rate", r, 1, MaxRate)
	}
	if !(c.Seconds > 0 && c.Seconds <= MaxTime) {
		errs = append(errs, fmt.Errorf("seconds: %v is not above 0 and at most %d", c.Seconds, MaxTime))
	}
	if !(c.Warmup >= 0 && c.Warmup <= MaxTime) {
		errs = append(errs, fmt.Errorf("warmup: %v is not between 0 and %d", c.Warmup, MaxTime))
	}
	within("size", c.Size, MinSize, MaxSize)
	within("workers", c.Workers, 1, MaxWorkers)
	if c.By != "group" && c.By != "prefix" {
		errs = append(errs, fmt.Errorf("by: %q is neither group nor prefix", c.By))
	}
	if c.Scenario == Reload && c.Scripts == "" {
		errs = append(errs, errors.New("scripts: reload needs the folder that the gateway watches, a scratch copy"))
	}
	within("saves", c.Saves, 1, MaxSaves)
	within("payload", c.Payload, MinPayload, MaxPayload)
	within("messages", c.Messages, 1, MaxMessages)
	within("recipients", c.Recipients, 1, MaxRecipients)
	return errors.Join(errs...)
}

// paired reports whether the connections send to each other in pairs.
func (c Config) paired() bool {
	switch c.Scenario {
	case Pairs, Open, Reload, Durable, Attack:
		return true
	}
	return false
}

// target is a gateway's address, taken apart.
type target struct {
	addr netip.AddrPort // IPv4, loopback
	host string         // for the Host header
	path string         // with a query that clientId=... can be appended to
}

// parseTarget refuses everything but plain WebSocket on IPv4 loopback: the
// generator is meant for one's own gateway and can overwhelm any other.
func parseTarget(raw string) (target, error) {
	u, err := url.Parse(raw)
	if err != nil {
		return target{}, fmt.Errorf("url: %w", err)
	}
	if u.Scheme != "ws" {
		return target{}, fmt.Errorf("url: %s: only ws:// can be measured", raw)
	}
	host, port := u.Hostname(), u.Port()
	if host == "localhost" {
		host = "127.0.0.1"
	}
	if port == "" {
		port = "80"
	}
	addr, err := netip.ParseAddrPort(host + ":" + port)
	if err != nil || !addr.Addr().Is4() || !addr.Addr().IsLoopback() || addr.Port() == 0 {
		return target{}, fmt.Errorf("url: %s: the host must be localhost or an address in 127.0.0.0/8; nothing else is put under load", raw)
	}
	path := u.EscapedPath()
	if path == "" {
		path = "/"
	}
	if u.RawQuery != "" {
		path += "?" + u.RawQuery + "&"
	} else {
		path += "?"
	}
	if strings.ContainsAny(path, " \r\n") {
		return target{}, fmt.Errorf("url: %q holds white space", raw)
	}
	return target{addr, u.Host, path}, nil
}

func seconds(s float64) time.Duration { return time.Duration(s * float64(time.Second)) }
