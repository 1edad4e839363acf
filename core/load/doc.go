// Package load is the load generator behind `stratix bench`: a few epoll loops
// that drive a gateway on the same machine as leanly as they can, and count
// what comes back.
//
// Every message carries who sent it, its number and when it was due, at fixed
// places and in fixed width, so that sending is a copy with some digits written
// over it and receiving is a search for two byte patterns. Nothing is sampled:
// each message has to be acknowledged once and delivered once, and what is not
// makes Run return an error beside the figures.
//
// Reliable clients say hello, and acknowledge what they have at the end of each
// read and every 32 messages. What the gateway says of a message is counted as it
// is said: that "disk" is true is for core/torture to prove.
//
// A reload replaces the scripts of the gateway meanwhile. It never guesses when
// a save is live: clients of its own ask, and the scripts answer.
package load
