package shard

import (
	"math"
	"slices"
	"time"
)

const (
	// maxBusy is how many senders a shard looks for the most active ones among.
	maxBusy = 128
	// busySpan is for how long what a sender did counts: it fades away with this
	// time constant.
	busySpan = 10 * time.Second
	// idleRate is the rate, in messages a second, below which a sender is no busy one.
	idleRate = 0.01
	// leastSpan is the shortest time, in seconds, that says something about rates.
	leastSpan = 0.1
)

// BusySender is one of the most active senders and what it is estimated to send in
// a second.
type BusySender struct {
	Client                  string
	Messages, Bytes, Errors float64
}

// busy finds the most active senders of a shard in bounded memory, from sampled
// messages that each stand for several (the space-saving sketch of Metwally et
// al.): whoever is new takes the place of the least active one, and all that it had. What
// a sender has from others does not count for it in the end.
type busy struct {
	at   map[string]int // in all, by name
	all  []busySender
	span float64 // seconds that all counts are of, fading as they do
	last int64   // milliseconds of the shard's life, up to which they have faded
}

type busySender struct {
	BusySender         // what it did, faded
	owed       float64 // of Messages: what was there before it came
}

// note counts a message of a sender that stands for so many of its size.
func (t *busy) note(name string, messages, size int) {
	i, known := t.at[name]
	switch {
	case known:
	case len(t.all) < maxBusy:
		i = len(t.all)
		t.all = append(t.all, busySender{BusySender: BusySender{Client: name}})
		t.at[name] = i
	default:
		for at := range t.all {
			if t.all[at].Messages < t.all[i].Messages {
				i = at
			}
		}
		least := &t.all[i]
		delete(t.at, least.Client)
		*least = busySender{BusySender{Client: name, Messages: least.Messages}, least.Messages}
		t.at[name] = i
	}
	s := &t.all[i]
	s.Messages += float64(messages)
	s.Bytes += float64(messages) * float64(size)
}

// failed counts an error of a sender, if it is among the most active ones.
func (t *busy) failed(name string) {
	if i, known := t.at[name]; known {
		t.all[i].Errors++
	}
}

// fade lets what was done count less, now being milliseconds of the shard's life.
func (t *busy) fade(now int64) {
	spent := time.Duration(now-t.last) * time.Millisecond
	if spent <= 0 {
		return
	}
	left := math.Exp(-float64(spent) / float64(busySpan))
	t.last = now
	t.span = t.span*left + (1-left)*busySpan.Seconds()
	for i := range t.all {
		s := &t.all[i]
		s.Messages *= left
		s.Bytes *= left
		s.Errors *= left
		s.owed *= left
	}
}

// most returns the most active senders, at most so many, with what they do in a
// second.
func (t *busy) most(n int) []BusySender {
	if t.span < leastSpan {
		return nil
	}
	var found []BusySender
	for _, s := range t.all {
		one := BusySender{s.Client, (s.Messages - s.owed) / t.span, s.Bytes / t.span, s.Errors / t.span}
		if one.Messages >= idleRate {
			found = append(found, one)
		}
	}
	return mostActive(found, n)
}

// mostActive sorts senders, the most active first, and returns the first n.
func mostActive(all []BusySender, n int) []BusySender {
	slices.SortFunc(all, func(a, b BusySender) int {
		switch {
		case a.Messages > b.Messages, a.Messages == b.Messages && a.Client < b.Client:
			return -1
		}
		return 1
	})
	return all[:min(n, len(all))]
}
