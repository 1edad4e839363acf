// Package shard is the event loop of the gateway. Each Shard is one goroutine
// that owns its sockets, sessions, groups, timers and its share of the scripts'
// generation; nothing it owns is touched by another goroutine. Shards talk
// through each other's inbox only.
//
// A loop turn reads what arrived, runs each message through the pipeline,
// commits its effects, delivers, and writes once to every connection that has
// something to get. An acknowledgement is composed after the writes that it
// speaks of, and leaves with the sender's next write.
package shard
