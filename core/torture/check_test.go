package torture

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// story is a history made by hand; each event is a second after the one before.
type story struct {
	events []Event
	n      int
}

func (s *story) add(e Event) *story {
	e.At = time.Duration(len(s.events)+1) * time.Second
	s.events = append(s.events, e)
	return s
}

func one(name string) *Target { return &Target{Kind: ToClient, Name: name, Members: []string{name}} }

var both = &Target{Kind: ToList, Members: []string{"r", "q"}}

func (s *story) sentTo(id string, to *Target, change func(*Event)) *story {
	s.n++
	e := Event{Kind: Sent, Client: "s", ID: id, N: s.n, To: to, Sum: 7}
	if change != nil {
		change(&e)
	}
	return s.add(e)
}

func (s *story) sent(id string) *story { return s.sentTo(id, one("r"), nil) }

// again is one more attempt.
func (s *story) again(id string) *story {
	for _, e := range s.events {
		if e.Kind == Sent && e.ID == id {
			return s.add(e)
		}
	}
	panic(id)
}

func (s *story) told(id, stored, status string) *story {
	return s.add(Event{Kind: Told, Client: "s", ID: id, Stored: stored, Status: status})
}

func (s *story) queued(id string) *story { return s.told(id, "disk", "queued") }

func (s *story) counted(id string, delivered, queued int) *story {
	return s.add(Event{Kind: Told, Client: "s", ID: id, Stored: "disk", Status: "queued", Counts: &Counts{Delivered: delivered, Queued: queued}})
}

func (s *story) refused(id, code string) *story {
	return s.add(Event{Kind: Refused, Client: "s", ID: id, Code: code})
}

func (s *story) hello(client, epoch string, seq, last uint64, recovered bool) *story {
	return s.add(Event{Kind: Greeted, Client: client, Epoch: epoch, Seq: seq, Last: last, Recovered: recovered})
}

func (s *story) got(client, id string, seq uint64) *story {
	return s.add(Event{Kind: Received, Client: client, From: "s", ID: id, Sum: 7, Epoch: "e", Seq: seq})
}

func (s *story) gap(client string, from, to uint64, cause string) *story {
	return s.add(Event{Kind: Gapped, Client: client, Epoch: "e", Seq: from, UpTo: to, Cause: cause})
}

func (s *story) fault(name, text string) *story {
	return s.add(Event{Kind: Fault, Code: name, Text: text})
}

func (s *story) closed() *story { return s.add(Event{Kind: Closed, Client: "s"}) }

// begun has both recipients connected.
func begun() *story {
	return new(story).hello("r", "e", 0, 0, false).hello("q", "e", 0, 0, false)
}

func ttl(e *Event)           { e.TTL = 1 }
func receipt(e *Event)       { e.Receipt = true }
func urgent(e *Event)        { e.Priority = 9 }
func lastOf(s *story) *Event { return &s.events[len(s.events)-1] }

// broken checks which rules a story breaks; want is empty for a good one.
func broken(t *testing.T, name string, s *story, want ...string) {
	t.Helper()
	var got, texts []string
	for _, v := range Check(s.events) {
		got = append(got, v.Rule)
		texts = append(texts, v.String())
	}
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%s: breaks %v, want %v\n%s", name, got, want, strings.Join(texts, "\n"))
	}
}

func TestWhatWasStoredMustArrive(t *testing.T) {
	broken(t, "it arrives", begun().sent("a").queued("a").got("r", "a", 1))
	broken(t, "it arrives before the ack", begun().sent("a").got("r", "a", 1).queued("a"))
	broken(t, "it is missing", begun().sent("a").queued("a"), RuleKept)
	broken(t, "it is missing after a kill", begun().sent("a").queued("a").fault(FaultKill, ""), RuleKept)
	broken(t, "only a repeat arrives", func() *story {
		s := begun().sent("a").queued("a").got("r", "a", 1)
		lastOf(s).Repeat = true
		return s
	}(), RuleKept)
	broken(t, "its seq is missing too", begun().sent("a").sent("b").queued("a").queued("b").got("r", "b", 2), RuleKept, RuleSeq)
	broken(t, "it was in memory", begun().sent("a").told("a", "memory", "queued").fault(FaultKill, ""))
	broken(t, "it was written", begun().sent("a").told("a", "os", "queued").fault(FaultKill, ""), RuleKept)
	broken(t, "it was written and writes vanish", begun().fault(FaultLose, "on").sent("a").told("a", "os", "queued").fault(FaultKill, ""))
	broken(t, "it was refused", begun().sent("a").refused("a", "offline"))
	broken(t, "stored at the second attempt",
		begun().sent("a").closed().again("a").queued("a"), RuleKept)
	broken(t, "known again after an ack that came late",
		begun().sent("a").closed().fault(FaultKill, "").again("a").queued("a").got("r", "a", 1))
}

func TestOfSeveralRecipientsAsManyAsCountedMustSeeIt(t *testing.T) {
	f := func(name string, delivered, queued int, got []string, want ...string) {
		t.Helper()
		s := begun().sentTo("a", both, nil)
		for _, r := range got {
			s.got(r, "a", 1)
		}
		broken(t, name, s.counted("a", delivered, queued), want...)
	}
	f("both", 0, 2, []string{"r", "q"})
	f("both, delivered", 2, 0, []string{"r", "q"})
	f("one of one", 0, 1, []string{"q"})
	f("more than counted", 0, 1, []string{"r", "q"})
	f("one is missing", 0, 2, []string{"q"}, RuleKept)
	f("any of two is missing", 0, 1, nil, RuleKept)
	f("both are missing", 0, 2, nil, RuleKept, RuleKept)
	f("more than there are", 0, 3, []string{"r", "q"}, RuleAnswer)
	f("delivered to both, but received by one", 2, 0, []string{"q"}, RuleDelivery, RuleKept)

	broken(t, "a gap for one of them",
		begun().sentTo("a", both, ttl).counted("a", 0, 2).got("q", "a", 1).gap("r", 1, 1, "expired"))
	broken(t, "a gap for any of them",
		begun().sentTo("a", both, ttl).counted("a", 0, 1).gap("r", 1, 1, "expired"))
	broken(t, "a gap that another message needs more", begun().hello("p", "e", 0, 0, false).
		sentTo("a", both, ttl).counted("a", 0, 1).sentTo("b", &Target{Kind: ToList, Members: []string{"r", "p"}}, ttl).counted("b", 0, 1).
		gap("r", 1, 1, "expired").gap("q", 1, 1, "expired"))
	broken(t, "a gap for each, of one recipient", begun().sentTo("a", both, ttl).counted("a", 0, 2).gap("r", 1, 2, "expired"), RuleKept)
	broken(t, "one gap for two messages", begun().hello("p", "e", 0, 0, false).
		sentTo("a", both, ttl).counted("a", 0, 1).sentTo("b", &Target{Kind: ToList, Members: []string{"r", "p"}}, ttl).counted("b", 0, 1).
		gap("r", 1, 1, "expired"), RuleKept)
	broken(t, "a gap where it did arrive",
		begun().sentTo("a", both, ttl).counted("a", 0, 2).got("q", "a", 1).gap("q", 2, 2, "expired"), RuleKept)
}

func TestAGapExcusesWhatItCanBe(t *testing.T) {
	broken(t, "expired", begun().sentTo("a", one("r"), ttl).queued("a").gap("r", 1, 1, "expired"))
	broken(t, "expired without a ttl", begun().sent("a").queued("a").gap("r", 1, 1, "expired"), RuleKept, RuleGap)
	broken(t, "expired, but another's ttl",
		begun().sent("a").sentTo("b", one("r"), ttl).queued("a").queued("b").got("r", "b", 2).gap("r", 1, 1, "expired"), RuleKept)
	broken(t, "expired too early",
		begun().sentTo("a", one("r"), func(e *Event) { e.TTL = 100 }).queued("a").gap("r", 1, 1, "expired"), RuleKept)
	broken(t, "damaged", begun().sent("a").queued("a").fault(FaultFlip, "").gap("r", 1, 1, "damaged"))
	broken(t, "damaged before it was sent",
		begun().fault(FaultFlip, "").sent("a").queued("a").gap("r", 1, 1, "damaged"), RuleKept)
	broken(t, "damaged without a flip", begun().sent("a").queued("a").gap("r", 1, 1, "damaged"), RuleKept, RuleGap)
	broken(t, "overflow where senders are refused", begun().sent("a").queued("a").gap("r", 1, 1, "overflow"), RuleKept, RuleGap)
	broken(t, "lost, though on disk",
		begun().fault(faultWeak, "on").sent("a").queued("a").fault(FaultKill, "").gap("r", 1, 1, "lost"), RuleKept)
	broken(t, "lost, and in memory only",
		begun().fault(faultWeak, "on").sent("a").told("a", "memory", "queued").fault(FaultKill, "").gap("r", 1, 1, "lost"))
	broken(t, "lost without a kill",
		begun().fault(faultWeak, "on").sent("a").told("a", "memory", "queued").gap("r", 1, 1, "lost"), RuleGap)
	settled := func(seq uint64) *story {
		s := begun().sent("a").got("r", "a", 1).queued("a").fault(FaultFlip, "").fault(FaultKill, "").hello("r", "f", 0, 1, false)
		s.gap("r", seq, seq, "settled")
		lastOf(s).Epoch = "f"
		return s
	}
	broken(t, "settled in the epoch before", settled(1))
	broken(t, "settled, and never seen", settled(2), RuleGap, RuleSeq)
	broken(t, "conflated", begun().sent("a").queued("a").gap("r", 1, 1, "conflated"), RuleKept, RuleGap)
	broken(t, "one seq for two messages",
		begun().sentTo("a", one("r"), ttl).sentTo("b", one("r"), ttl).queued("a").queued("b").gap("r", 1, 1, "expired"), RuleKept)
	broken(t, "a gap of another epoch", func() *story {
		s := begun().sentTo("a", one("r"), ttl).queued("a").gap("r", 1, 1, "expired")
		lastOf(s).Epoch = "other"
		return s
	}(), RuleGap, RuleKept)
	broken(t, "a seq that was given before the message was sent",
		begun().sentTo("a", one("r"), ttl).refused("a", "offline").sent("b").queued("b").got("r", "b", 2).
			sentTo("c", one("r"), ttl).queued("c").sent("d").gap("r", 1, 1, "expired").queued("d").got("r", "d", 3), RuleKept)
	broken(t, "a seq that was given after the message was answered",
		begun().sentTo("a", one("r"), ttl).queued("a").sent("b").queued("b").got("r", "b", 1).gap("r", 2, 2, "expired"), RuleKept)
	// The gap at 1 fits both messages and the one at 3 only the second, so the
	// first must leave it the other way round.
	broken(t, "each its own seq",
		begun().sentTo("a", one("r"), ttl).sentTo("b", one("r"), ttl).queued("b").sent("x").queued("x").queued("a").
			got("r", "x", 2).gap("r", 1, 1, "expired").gap("r", 3, 3, "expired"))
}

func TestANewEpochExcusesWhatItMayLeaveOut(t *testing.T) {
	renewed := func(before func(*story), change func(*Event)) *story {
		s := begun().sentTo("a", one("r"), change).queued("a")
		if before != nil {
			before(s)
		}
		return s.hello("r", "f", 0, 0, false)
	}
	flip := func(s *story) { s.fault(FaultFlip, "") }
	broken(t, "after a flip", renewed(flip, nil))
	broken(t, "after its time", renewed(nil, ttl))
	broken(t, "for no reason", renewed(nil, nil), RuleKept)
	broken(t, "after a flip before it was sent", begun().fault(FaultFlip, "").sent("a").queued("a").hello("r", "f", 0, 0, false), RuleKept)
}

func TestAMessageIsSeenOnce(t *testing.T) {
	twice := func(between func(*story)) *story {
		s := begun().sent("a").queued("a").got("r", "a", 1)
		if between != nil {
			between(s)
		}
		return s.got("r", "a", 2)
	}
	kill := func(s *story) { s.fault(FaultKill, "") }
	broken(t, "twice", twice(nil), RuleOnce)
	broken(t, "twice around a kill", twice(kill), RuleOnce)
	broken(t, "twice around a flip", twice(func(s *story) { s.fault(FaultFlip, "") }))
	broken(t, "the SDK dropped it", func() *story {
		s := twice(nil)
		lastOf(s).Repeat = true
		return s
	}())
	broken(t, "it was in memory and the process was killed",
		begun().fault(faultWeak, "on").sent("a").got("r", "a", 1).closed().fault(FaultKill, "").
			fault(faultWeak, "off").again("a").queued("a").got("r", "a", 2))
	broken(t, "it was in memory and the process was not killed",
		begun().fault(faultWeak, "on").sent("a").got("r", "a", 1).closed().
			fault(faultWeak, "off").again("a").queued("a").got("r", "a", 2), RuleOnce)
	broken(t, "it was not kept the first time", begun().sent("a").got("r", "a", 0).closed().again("a").queued("a").got("r", "a", 1))
	broken(t, "by two recipients", begun().sentTo("a", both, nil).got("r", "a", 1).got("q", "a", 1).counted("a", 2, 0))
}

func TestOrderIsKept(t *testing.T) {
	// swapped has b overtake a.
	swapped := func(prepare, between func(*story), change func(*Event)) *story {
		s := begun()
		if prepare != nil {
			prepare(s)
		}
		s.sent("a").sentTo("b", one("r"), change)
		if between != nil {
			between(s)
		} else {
			s.queued("a").queued("b")
		}
		return s.got("r", "b", 2).got("r", "a", 1)
	}
	again := func(s *story) { s.closed().again("a").again("b").queued("a").queued("b") }
	broken(t, "in order", begun().sent("a").sent("b").queued("a").queued("b").got("r", "a", 1).got("r", "b", 2))
	broken(t, "swapped", swapped(nil, nil, nil), RuleOrder)
	broken(t, "swapped, of two priorities", swapped(nil, nil, urgent))
	broken(t, "swapped, both sent again in order", swapped(nil, again, nil), RuleOrder)
	broken(t, "swapped, after a kill", swapped(nil, func(s *story) { s.fault(FaultKill, ""); again(s) }, nil), RuleOrder)
	broken(t, "swapped, but the first was refused",
		swapped(nil, func(s *story) { s.refused("a", "storage_full").queued("b").again("a").queued("a") }, nil))
	broken(t, "swapped, and the refusal may have been cut off",
		swapped(func(s *story) { s.fault(FaultFull, "on") }, again, nil))
	broken(t, "swapped, long after refusals",
		swapped(func(s *story) { s.fault(FaultFull, "on").fault(FaultFull, "off").queuedNobody().queuedNobody() }, again, nil), RuleOrder)
	broken(t, "swapped, one was not kept",
		swapped(func(s *story) { s.fault(faultWeak, "on") }, func(s *story) { s.told("a", "memory", "queued").told("b", "memory", "queued") }, nil))
	broken(t, "a repeat does not count", func() *story {
		s := begun().sent("a").sent("b").queued("a").queued("b").got("r", "a", 1).got("r", "b", 2).got("r", "a", 1)
		lastOf(s).Repeat = true
		return s
	}())
}

// queuedNobody lets a second pass.
func (s *story) queuedNobody() *story { return s.add(Event{Kind: Fault, Code: faultCalm}) }

func TestAnswersBelongToAttempts(t *testing.T) {
	broken(t, "never sent", begun().queued("a"), RuleAnswer)
	broken(t, "an error, never sent", begun().refused("a", "overflow"), RuleAnswer)
	broken(t, "never answered", begun().sent("a"), RuleAnswer)
	broken(t, "never answered again", begun().sent("a").refused("a", "storage_full"), RuleAnswer)
	broken(t, "answered in the end", begun().sent("a").refused("a", "storage_full").again("a").queued("a").got("r", "a", 1))
	broken(t, "answered twice", begun().sent("a").queued("a").queued("a").got("r", "a", 1), RuleAnswer)
	broken(t, "answered once each", begun().sent("a").closed().again("a").queued("a").got("r", "a", 1))
	broken(t, "a second ack that nobody asked for",
		begun().sent("a").queued("a").got("r", "a", 1).told("a", "disk", "delivered"), RuleAnswer)
	broken(t, "a receipt", begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).told("a", "disk", "delivered"))
	broken(t, "two receipts",
		begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).told("a", "disk", "delivered").told("a", "disk", "delivered"), RuleAnswer)
	broken(t, "a receipt that says queued",
		begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).queued("a"), RuleAnswer)
	broken(t, "a receipt for an expired message",
		begun().sentTo("a", one("r"), func(e *Event) { ttl(e); receipt(e) }).queued("a").gap("r", 1, 1, "expired").refused("a", "expired"))
	broken(t, "expired without a ttl", begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).refused("a", "expired"), RuleAnswer)
	broken(t, "lost for no reason", begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).refused("a", "lost"), RuleAnswer)
}

func TestDeliveredMeansReceived(t *testing.T) {
	broken(t, "received", begun().sent("a").got("r", "a", 1).told("a", "disk", "delivered"))
	broken(t, "received later", begun().sent("a").told("a", "disk", "delivered").got("r", "a", 1), RuleDelivery)
	givenUp := func(fault string) *story {
		return bounded(OverflowDropOldest).sent("a").closed().gap("r", 1, 1, "overflow").fault(fault, "").fault(FaultKill, "").
			again("a").told("a", "disk", "delivered")
	}
	broken(t, "given up", givenUp(faultCalm), RuleDelivery)
	broken(t, "given up, and then the log was damaged", givenUp(FaultFlip))
	broken(t, "a receipt before it was received",
		begun().sentTo("a", one("r"), receipt).queued("a").told("a", "disk", "delivered").got("r", "a", 1), RuleDelivery)
	broken(t, "written to a plain client",
		begun().add(Event{Kind: Opened, Client: "p", Plain: true}).sentTo("a", one("p"), nil).told("a", "disk", "delivered"))
	broken(t, "counted before it was received",
		begun().sentTo("a", both, nil).got("r", "a", 1).counted("a", 2, 0).got("q", "a", 1), RuleDelivery)
}

func TestWhatArrivesWasSentThere(t *testing.T) {
	broken(t, "invented", begun().got("r", "a", 1), RuleOrigin)
	broken(t, "misrouted", begun().sent("a").got("r", "a", 1).got("q", "a", 1).queued("a"), RuleOrigin)
	broken(t, "altered", func() *story {
		s := begun().sent("a").queued("a").got("r", "a", 1)
		lastOf(s).Sum++
		return s
	}(), RuleOrigin)
	broken(t, "invented for a plain client", begun().add(Event{Kind: Received, Client: "p", From: "s", ID: "a", Plain: true}), RuleOrigin)
	broken(t, "twice at a plain client", func() *story {
		s := begun().sentTo("a", one("p"), nil).told("a", "memory", "delivered")
		e := Event{Kind: Received, Client: "p", From: "s", ID: "a", Sum: 7, Plain: true}
		return s.add(e).add(e)
	}())
	broken(t, "a frame that is none", begun().add(Event{Kind: Broken, Client: "r", Text: "type 12"}), RuleWire)
	broken(t, "an unknown event", begun().add(Event{Kind: "other"}), RuleWire)
}

func TestEverySeqComesOrIsNamed(t *testing.T) {
	two := func() *story { return begun().sent("a").queued("a").got("r", "a", 1) }
	broken(t, "the last one is missing", two().hello("r", "e", 1, 2, true), RuleSeq)
	broken(t, "the last one is named", two().sentTo("b", one("r"), ttl).queued("b").hello("r", "e", 1, 2, true).gap("r", 2, 2, "expired"))
	flipped := func() *story { return two().hello("r", "e", 1, 2, true).fault(FaultFlip, "") }
	broken(t, "an epoch that is over", flipped().hello("r", "f", 0, 0, false))
	broken(t, "an epoch that is over for no reason", two().fault(FaultKill, "").hello("r", "f", 0, 0, false), RuleSeq)
	broken(t, "an epoch that ended before its first message was acknowledged",
		begun().sent("a").got("r", "a", 1).fault(FaultKill, "").hello("r", "f", 0, 0, false).queued("a"), RuleSeq)
	broken(t, "an epoch that ended with seqs that nobody saw",
		begun().hello("r", "e", 0, 3, true).fault(FaultKill, "").hello("r", "f", 0, 0, false), RuleSeq)
	broken(t, "an epoch that ended with a gap",
		begun().sentTo("a", one("r"), ttl).queued("a").gap("r", 1, 1, "expired").fault(FaultKill, "").hello("r", "f", 0, 0, false), RuleSeq)
	broken(t, "an epoch of which no seq was given", begun().fault(FaultKill, "").hello("r", "f", 0, 0, false))
	broken(t, "an epoch with seqs in memory",
		two().fault(faultWeak, "on").fault(FaultKill, "").hello("r", "f", 0, 0, false))
	learned := func(first, then Event) *story {
		return new(story).hello("q", "e", 0, 0, false).fault(faultWeak, "on").add(first).add(then).
			hello("r", "e", 0, 0, false).sent("a").queued("a").got("r", "a", 1).hello("r", "f", 0, 0, false)
	}
	opened, kill := Event{Kind: Opened, Client: "r"}, Event{Kind: Fault, Code: FaultKill}
	broken(t, "an epoch of a process that is gone when its answer is read", learned(opened, kill))
	broken(t, "an epoch of a process that is not", learned(kill, opened), RuleSeq)
	broken(t, "recovered into another epoch", two().hello("r", "f", 1, 1, true), RuleSeq)
	broken(t, "an epoch a second time", flipped().hello("r", "f", 0, 0, false).hello("r", "e", 0, 0, false), RuleSeq)
	broken(t, "a seq for two messages", two().sent("b").queued("b").got("r", "b", 1), RuleSeq)
	broken(t, "the same seq again is a repeat", func() *story {
		s := two().got("r", "a", 1)
		lastOf(s).Repeat = true
		return s
	}())
	broken(t, "before the hello", new(story).sent("a").queued("a").got("r", "a", 1), RuleSeq)
	broken(t, "a gap of all seqs", begun().gap("r", 1, 1<<60, "expired"), RuleGap)
}
