package gateway

import "time"

// Live is what GET /v1/live says of one period. Numbers are rates a second over the
// period where nothing else is said; what is not known is left out or null. While a
// gateway recovers, nothing but its own state is known.
type Live struct {
	TS        int64   `json:"ts"`     // milliseconds since 1970, at the end of the period
	Uptime    float64 `json:"uptime"` // seconds
	Period    float64 `json:"period"` // seconds; 0 while the gateway recovers
	Version   string  `json:"version"`
	Readiness string  `json:"readiness"` // ready, draining, recovering

	Connections *LiveConnections  `json:"connections,omitempty"`
	Rates       *LiveRates        `json:"rates,omitempty"`
	Latency     *LiveLatency      `json:"latency,omitempty"`
	Verdicts    *LiveVerdicts     `json:"verdicts,omitempty"` // of all stages of the live generation
	Stages      []LiveStage       `json:"stages"`             // of the live generation, in their order
	Top         []LiveSender      `json:"top"`                // the most active senders of about the last ten seconds
	Pending     *LivePending      `json:"pending,omitempty"`
	Gaps        map[string]uint64 `json:"gaps"` // messages that will never come, by cause, since the start
	// LettersLost are the dead letters of upstreams that reached nobody, since the start.
	LettersLost uint64 `json:"deadLettersLost"`
	// KeysFailing names the keys that cannot be fetched or read: those from before stay.
	KeysFailing []string `json:"keysFailing"`
	// Ended are the messages that came to nothing, by how, since the start.
	Ended      map[string]uint64 `json:"cameToNothing"`
	Log        *LiveLog          `json:"log,omitempty"` // absent without a data folder
	Upstreams  []LiveUpstream    `json:"upstreams"`
	Memory     LiveMemory        `json:"memory"`
	CPU        *float64          `json:"cpu"` // share of one core
	Generation *LiveGeneration   `json:"generation,omitempty"`
	Gate       *Attempt          `json:"gate,omitempty"` // the last attempt to change the scripts
}

// LiveConnections are the connections now, and counts of upgrades since the start.
type LiveConnections struct {
	Open      int               `json:"open"`
	Reliable  int               `json:"reliable"`
	Mailboxes int               `json:"mailboxes"`
	Upgraded  uint64            `json:"upgraded"`
	Refused   map[string]uint64 `json:"refused"` // by reason
}

// LiveRates are what came, what became of it, and what went out.
type LiveRates struct {
	Received    float64 `json:"received"` // text messages of clients of all types, and published ones
	Accepted    float64 `json:"accepted"` // these six say what became of messages
	Dropped     float64 `json:"dropped"`
	Rejected    float64 `json:"rejected"`
	Failed      float64 `json:"failed"`
	Forbidden   float64 `json:"forbidden"`
	Malformed   float64 `json:"malformed"`
	NoRoute     float64 `json:"noRoute"`
	Delivered   float64 `json:"delivered"`   // to recipients, each counts
	Undelivered float64 `json:"undelivered"` // that did not reach a recipient, at once or later
	BytesIn     float64 `json:"bytesIn"`     // on the sockets
	BytesOut    float64 `json:"bytesOut"`
}

// LiveLatency is how long sampled messages took in the gateway, in microseconds.
type LiveLatency struct {
	Samples uint64   `json:"samples"`
	P50     *float64 `json:"p50"`
	P90     *float64 `json:"p90"`
	P99     *float64 `json:"p99"`
	Max     *float64 `json:"max"`
}

// LiveVerdicts are the verdicts of stages.
type LiveVerdicts struct {
	Next  float64 `json:"next"`
	Done  float64 `json:"done"`
	Drop  float64 `json:"drop"`
	Hold  float64 `json:"hold"`
	Error float64 `json:"error"`
}

// LiveStage is what one stage said, and what it took of sampled messages.
type LiveStage struct {
	Name  string `json:"name"`            // "lua main.lua:12", or what follows stage. in the script
	Place string `json:"place,omitempty"` // file:line
	LiveVerdicts
	Samples      uint64   `json:"samples"`
	Time         *float64 `json:"time"`         // microseconds, the mean
	Instructions *float64 `json:"instructions"` // of Lua, the mean
}

// LiveSender is one of the most active senders, estimated from sampled messages.
type LiveSender struct {
	Client   string  `json:"client"`
	Messages float64 `json:"messages"`
	Bytes    float64 `json:"bytes"`
	Errors   float64 `json:"errors"`
}

// LivePending is what waits for recipients now.
type LivePending struct {
	Messages int           `json:"messages"` // one a recipient
	Bytes    int64         `json:"bytes"`    // of memory that they take
	Oldest   float64       `json:"oldest"`   // seconds
	Clients  []LiveBacklog `json:"clients"`  // those with the most, looked for every few seconds
}

// LiveBacklog is how many messages wait for a client.
type LiveBacklog struct {
	Client   string `json:"client"`
	Messages int    `json:"messages"`
}

// LiveLog is the log on the disk.
type LiveLog struct {
	Full     bool     `json:"full"`
	Failing  bool     `json:"failing"`
	Bytes    int64    `json:"bytes"`
	Segments int      `json:"segments"`
	Commits  float64  `json:"commits"`
	CommitMS *float64 `json:"commitMs"` // the mean of the period
}

// LiveUpstream is a service that messages are posted to.
type LiveUpstream struct {
	Name     string  `json:"name"`
	State    string  `json:"state"` // live, draining, gone
	Queued   int64   `json:"queued"`
	Breaker  string  `json:"breaker"` // closed, open, half_open
	Posts    float64 `json:"posts"`
	Failures float64 `json:"failures"` // posts with another end than ok
	// Since the start: given up, and refused for lack of room.
	Lost    uint64 `json:"lost"`
	Expired uint64 `json:"expired"`
	Refused uint64 `json:"refused"`
	Letters bool   `json:"deadLetters"` // what is given up goes to somebody
}

// LiveMemory is in bytes.
type LiveMemory struct {
	RSS  *int64 `json:"rss"`
	Heap int64  `json:"heap"` // objects, the dead that are not yet collected included
}

// LiveGeneration is the live generation; while one is a canary, Canary is its
// number.
type LiveGeneration struct {
	Number   uint32  `json:"number"`
	Hash     string  `json:"hash"`
	State    string  `json:"state"`    // live; trial: it may be taken back; canary: a share of the clients has another one
	Since    int64   `json:"since"`    // milliseconds since 1970
	LastGood *uint32 `json:"lastGood"` // the newest good one before it, of this life of the process
	StandsIn bool    `json:"standsIn"` // the folder holds something else, which did not load or was taken back
	Canary   *uint32 `json:"canary,omitempty"`
}

// The values of Live.Readiness.
const (
	isReady      = "ready"
	isDraining   = "draining"
	isRecovering = "recovering"
)

func (g *Gateway) readiness() string {
	switch {
	case g.ending.Err() != nil:
		return isDraining
	case g.ready.Load():
		return isReady
	}
	return isRecovering
}

// recovering is all that is known of a gateway that is not ready yet: its shards
// are busy with the log.
func (g *Gateway) recovering() *Live {
	return &Live{
		TS: time.Now().UnixMilli(), Uptime: rounded(time.Since(g.started).Seconds()), Version: g.opt().Version, Readiness: g.readiness(),
		Stages: []LiveStage{}, Top: []LiveSender{}, Gaps: map[string]uint64{}, Ended: map[string]uint64{}, KeysFailing: []string{}, Upstreams: []LiveUpstream{},
		Memory: LiveMemory{RSS: resident(), Heap: heap()},
	}
}
