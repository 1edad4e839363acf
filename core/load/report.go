package load

import "fmt"

// Report is what a run found: a result for each measurement.
type Report struct {
	Machine Machine  `json:"machine"`
	Results []Result `json:"results"`
}

// Machine is where the figures come from.
type Machine struct {
	CPU    string `json:"cpu"`
	Cores  int    `json:"cores"`
	Kernel string `json:"kernel"`
	Go     string `json:"go"`
}

// Result is one measurement. Figures that the scenario does not have are zero.
type Result struct {
	Scenario    string  `json:"scenario"`
	Connections int     `json:"connections"`
	Window      int     `json:"window,omitzero"`
	Rate        int     `json:"rate,omitzero"` // asked for, messages a second
	Size        int     `json:"size,omitzero"` // bytes of JSON
	Workers     int     `json:"workers"`       // of the load generator
	Reliable    bool    `json:"reliable,omitzero"`
	Seconds     float64 `json:"seconds,omitzero"` // measured, without the warm-up

	// Of the time measured:
	Sent      float64 `json:"sent_per_s,omitzero"`
	Acked     float64 `json:"acked_per_s,omitzero"`
	Delivered float64 `json:"delivered_per_s,omitzero"`
	// Handshakes is whole open-and-close cycles in a churn.
	Handshakes float64 `json:"handshakes_per_s,omitzero"`
	// GatewayCPU and LoadCPU are in cores: 1 is one core all the time.
	GatewayCPU float64 `json:"gateway_cpu,omitzero"`
	LoadCPU    float64 `json:"load_cpu,omitzero"`
	// PerCPUSecond is deliveries, handshakes or cycles for each second of the
	// gateway's CPU time, CPUMicros the microseconds that each one took.
	PerCPUSecond float64  `json:"per_cpu_s,omitzero"`
	CPUMicros    float64  `json:"cpu_us,omitzero"`
	Latency      *Latency `json:"latency,omitzero"`

	// Of a reload; the figures above hold its probes as well, but not Latency,
	// which is of messages that were due while no save was going live:
	Saves *Saves `json:"saves,omitzero"`

	// Of the durable scenario: messages that were acknowledged and delivered, and
	// those of them whose sender was told that they are on the disk. It counts by
	// the former for each second of CPU time.
	Payload int     `json:"payload,omitzero"` // bytes of data
	Whole   float64 `json:"whole_per_s,omitzero"`
	Durable float64 `json:"durable_per_s,omitzero"`
	Log     *Log    `json:"log,omitzero"` // nil if the gateway does not say

	// Of pending messages:
	Backlog *Backlog `json:"backlog,omitzero"`

	// Of an attack; the latency is that of the clients who have nothing to do with it:
	Assault *Assault `json:"assault,omitzero"`

	// Of idle connections:
	Levels             []Level `json:"levels,omitzero"`
	BytesPerConnection float64 `json:"bytes_per_connection,omitzero"`

	// Totals is everything that was counted, warm-up and end included.
	Totals Counts `json:"totals"`
	// Faults says what came out wrong, "" for nothing.
	Faults string `json:"faults,omitzero"`
	// Why is the first explanation that the gateway gave for a fault or refusal.
	Why string `json:"why,omitzero"`
}

// Log is what the gateway's log did in the time measured.
type Log struct {
	Commits float64 `json:"commits_per_s"`
	Records float64 `json:"records_per_commit"`
	Bytes   float64 `json:"bytes_per_commit"`
	Mean    float64 `json:"commit_mean_ms"`
	// P99 is the bound of the bucket that holds it; 0 past the last.
	P99 float64 `json:"commit_p99_ms"`
}

// Backlog is what messages cost that wait for absent recipients.
type Backlog struct {
	Messages   uint64 `json:"pending_messages"` // acknowledged
	Recipients int    `json:"recipients"`
	Payload    uint64 `json:"payload_bytes"` // of all of them
	RSS        int64  `json:"rss"`           // bytes, of the whole gateway
	Settled    bool   `json:"settled"`       // it had stopped changing
	// Ratio is RSS / (1.3 x Payload + 64 MB): at most 1 is the goal.
	Ratio float64 `json:"rss_ratio"`
}

// Assault is an attack, what it came to, and what it cost.
type Assault struct {
	Name    string            `json:"attack"`
	Opened  uint64            `json:"attack_opened"` // connections
	Held    int64             `json:"attack_held"`   // that were open in the end
	Answers map[string]uint64 `json:"attack_answers,omitzero"`
	Ended   uint64            `json:"attack_ended"` // closed by the gateway without an answer
	// The gateway's resident memory before the attack, and the most while it lasted.
	Before    int64     `json:"rss_before"`
	Peak      int64     `json:"rss_peak"`
	Newcomers Newcomers `json:"newcomers"`
}

// Newcomers are clients that came while it lasted, one in 20 ms: how long they
// took from connecting to the answer 101, in milliseconds.
type Newcomers struct {
	Count  int64   `json:"newcomers"`
	Failed uint64  `json:"newcomers_failed"` // within two seconds
	P50    float64 `json:"newcomers_p50_ms"`
	P99    float64 `json:"newcomers_p99_ms"`
	Why    string  `json:"newcomers_why,omitzero"` // of the first that failed
}

// Level is the gateway's resident memory at a number of connections.
type Level struct {
	Connections int   `json:"connections"`
	RSS         int64 `json:"rss"`     // bytes
	Settled     bool  `json:"settled"` // it had stopped changing
}

// Latency is in milliseconds. In an open loop it runs from the time a message
// was due to be sent to its arrival at the recipient, and covers every message
// that was due within the time measured and arrived at all; of handshakes it
// runs from connect() to the answer 101.
type Latency struct {
	Count int64   `json:"count"`
	P50   float64 `json:"p50_ms"`
	P90   float64 `json:"p90_ms"`
	P99   float64 `json:"p99_ms"`
	P999  float64 `json:"p999_ms"`
	Max   float64 `json:"max_ms"`
}

// Saves is how long saves took to go live, in milliseconds: from just before
// main.lua was replaced until the last of the probes had its first answer that
// bears the number of the save. A probe is sent to each every two milliseconds,
// so a figure is up to that much too high.
type Saves struct {
	Live int     `json:"saves_live"`
	Late int     `json:"saves_late"` // not live within 5 s; there are no saves after one
	P50  float64 `json:"live_p50_ms"`
	P90  float64 `json:"live_p90_ms"`
	Max  float64 `json:"live_max_ms"`
	// P99 is the latency of messages that were due while a save was going live.
	P99 float64 `json:"p99_saving_ms"`
}

// Counts is what was counted.
type Counts struct {
	Sent    uint64 `json:"sent"`
	Acked   uint64 `json:"acked"`
	Refused uint64 `json:"refused,omitzero"` // answered with an error
	// Of the acked, as the senders were told:
	ToldDisk      uint64 `json:"told_disk,omitzero"`
	ToldOS        uint64 `json:"told_os,omitzero"`
	ToldMemory    uint64 `json:"told_memory,omitzero"`
	ToldQueued    uint64 `json:"told_queued,omitzero"` // a recipient did not have it yet
	ToldDelivered uint64 `json:"told_delivered,omitzero"`
	// Where both are counted: acknowledged and delivered, and of these told disk.
	Whole   uint64 `json:"whole,omitzero"`
	Durable uint64 `json:"durable,omitzero"`
	// Of reliable recipients:
	Ephemeral    uint64 `json:"ephemeral,omitzero"`     // messages without a seq
	Redelivered  uint64 `json:"redelivered,omitzero"`   // given before the connection on which they came
	Gaps         uint64 `json:"gaps,omitzero"`          // seqs that the gateway said will not come
	RepeatedSeqs uint64 `json:"repeated_seqs,omitzero"` // a seq that was settled already

	Delivered          uint64 `json:"delivered"`
	RepeatedAcks       uint64 `json:"repeated_acks,omitzero"`       // a second answer to a message
	RepeatedDeliveries uint64 `json:"repeated_deliveries,omitzero"` // a second copy of a message
	Overtaken          uint64 `json:"overtaken,omitzero"`           // delivered after a later message of the same sender
	Stale              uint64 `json:"stale,omitzero"`               // probes through an older script after a newer one
	Strange            uint64 `json:"strange,omitzero"`             // frames that were not for this connection, or of no known kind
	Unsent             uint64 `json:"unsent,omitzero"`              // due in an open loop, but the socket or the generator was far behind
	Closed             uint64 `json:"closed,omitzero"`              // connections that the gateway ended
	Handshakes         uint64 `json:"handshakes"`
	Failed             uint64 `json:"failed,omitzero"` // handshakes
	Cycles             uint64 `json:"cycles,omitzero"` // of a churn
	Stuck              uint64 `json:"stuck,omitzero"`  // of a churn: still open seconds after their close frame
}

func (c *Counts) add(d *Counts) {
	c.Sent += d.Sent
	c.Acked += d.Acked
	c.ToldDisk += d.ToldDisk
	c.ToldOS += d.ToldOS
	c.ToldMemory += d.ToldMemory
	c.ToldQueued += d.ToldQueued
	c.ToldDelivered += d.ToldDelivered
	c.Whole += d.Whole
	c.Durable += d.Durable
	c.Ephemeral += d.Ephemeral
	c.Redelivered += d.Redelivered
	c.Gaps += d.Gaps
	c.RepeatedSeqs += d.RepeatedSeqs
	c.Refused += d.Refused
	c.Delivered += d.Delivered
	c.RepeatedAcks += d.RepeatedAcks
	c.RepeatedDeliveries += d.RepeatedDeliveries
	c.Overtaken += d.Overtaken
	c.Stale += d.Stale
	c.Strange += d.Strange
	c.Unsent += d.Unsent
	c.Closed += d.Closed
	c.Handshakes += d.Handshakes
	c.Failed += d.Failed
	c.Cycles += d.Cycles
	c.Stuck += d.Stuck
}

// outstanding reports whether something that was sent has still to be answered
// or delivered.
func (c *Counts) outstanding(copies int) bool {
	return c.Acked+c.Refused < c.Sent || c.Delivered < (c.Sent-c.Refused)*uint64(copies)
}

// faults says what is wrong with the counts at the end, when each message that
// was not refused should have been delivered copies times. A refusal is an
// honest answer and no fault.
func (c *Counts) faults(copies int) (all []string) {
	say := func(what string, n int64) {
		if n > 0 {
			all = append(all, fmt.Sprintf("%s: %d", what, n))
		}
	}
	missing := int64(c.Sent-c.Refused)*int64(copies) - int64(c.Delivered)
	say("messages not answered", int64(c.Sent-c.Acked-c.Refused))
	say("deliveries lost", missing)
	say("messages refused but delivered", -missing)
	say("answers repeated", int64(c.RepeatedAcks))
	say("deliveries repeated", int64(c.RepeatedDeliveries))
	say("seqs repeated", int64(c.RepeatedSeqs))
	say("deliveries out of order", int64(c.Overtaken))
	say("messages through an older script after a newer one", int64(c.Stale))
	say("frames not understood", int64(c.Strange))
	say("messages not sent in time", int64(c.Unsent))
	say("connections closed by the gateway", int64(c.Closed))
	say("handshakes failed", int64(c.Failed))
	say("connections not closed after their close frame", int64(c.Stuck))
	return all
}
