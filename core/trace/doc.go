// Package trace is the way of a message as bytes: how it is written down on the
// shard that took it, kept there for a while, and read by operators. It works on
// bytes only; shards and requests are elsewhere.
//
// What is known of a message is written when it is known: one decision, when its
// pipeline has ended, then the answer to its sender, then what became of it where
// it had to wait. Each is an entry with the number of its trace. Numbers and times
// are 8 bytes in little endian, other integers uvarints, strings a uvarint length
// and the bytes. What a stage changed is named and measured; values stand there
// as previews of a bounded length only if the operator wants them.
//
//	decision: 'D' number millis id client remote size generation shard flags:1 outcome:1
//	          code reason instructions priority ttl storage:1 replies groups
//	          targets n { kind:1 name } preview n { step }
//	step:     stage verdict:1 nanos heldMillis instructions n { kind:1 was is detail }
//	answer:   'A' number millis flags:1 delivered queued offline refused stored status code reason
//	late:     'L' number millis outcome
package trace
