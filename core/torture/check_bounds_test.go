package torture

import "testing"

// bounded has both recipients connected, under a policy.
func bounded(overflow string) *story {
	return new(story).add(Event{Kind: Bounded, Code: overflow}).hello("r", "e", 0, 0, false).hello("q", "e", 0, 0, false)
}

func under(name string) func(*Event) { return func(e *Event) { e.Key = name } }

// keyed sends a message to r under the key k.
func (s *story) keyed(id string) *story { return s.sentTo(id, one("r"), under("k")) }

func (s *story) refusedBySome(id string, queued, refused int) *story {
	return s.add(Event{Kind: Told, Client: "s", ID: id, Stored: "disk", Status: "queued", Counts: &Counts{Queued: queued, Refused: refused}})
}

func TestOnlySomePoliciesDropTheOldest(t *testing.T) {
	f := func(overflow string, want ...string) {
		t.Helper()
		broken(t, overflow, bounded(overflow).sent("a").queued("a").gap("r", 1, 1, "overflow"), want...)
	}
	f(OverflowDropOldest)
	f(OverflowConflate)
	f(OverflowReject, RuleKept, RuleGap)
	f(OverflowDisconnect, RuleKept, RuleGap)
	broken(t, "no bounds", begun().sent("a").queued("a").gap("r", 1, 1, "overflow"), RuleKept, RuleGap)
	broken(t, "one seq for two messages",
		bounded(OverflowDropOldest).sent("a").sent("b").queued("a").queued("b").gap("r", 1, 1, "overflow"), RuleKept)
	broken(t, "the seq was given later",
		bounded(OverflowDropOldest).sent("a").queued("a").sent("b").queued("b").got("r", "b", 1).gap("r", 2, 2, "overflow"), RuleKept)
	broken(t, "a receipt for what was dropped",
		bounded(OverflowDropOldest).sentTo("a", one("r"), receipt).queued("a").gap("r", 1, 1, "overflow").refused("a", "lost"))
	broken(t, "a repeat of what was dropped",
		bounded(OverflowDropOldest).sent("a").closed().gap("r", 1, 1, "overflow").again("a").refused("a", "lost"))
	broken(t, "lost where senders are refused",
		bounded(OverflowReject).sent("a").closed().again("a").refused("a", "lost").gap("r", 1, 1, "expired"), RuleAnswer, RuleGap)
}

func TestTheLastUnderAKeyIsNotReplaced(t *testing.T) {
	replaced := func(later func(*story)) *story {
		s := bounded(OverflowConflate).keyed("a").queued("a")
		later(s)
		return s
	}
	broken(t, "the next one came", replaced(func(s *story) {
		s.keyed("b").queued("b").gap("r", 1, 1, "conflated").got("r", "b", 2)
	}))
	broken(t, "the next one came first", replaced(func(s *story) {
		s.keyed("b").got("r", "b", 2).queued("b").gap("r", 1, 1, "conflated")
	}))
	broken(t, "the next one is of another sender", replaced(func(s *story) {
		s.keyed("b")
		lastOf(s).Client = "t"
		s.got("r", "b", 2)
		lastOf(s).From = "t"
		s.queued("b")
		lastOf(s).Client = "t"
		s.gap("r", 1, 1, "conflated")
	}))
	broken(t, "there is no next one", replaced(func(s *story) { s.gap("r", 1, 1, "conflated") }), RuleKept)
	broken(t, "the next one has another key", replaced(func(s *story) {
		s.sentTo("b", one("r"), under("other")).queued("b").gap("r", 1, 1, "conflated").got("r", "b", 2)
	}), RuleKept)
	broken(t, "the next one is for another recipient", replaced(func(s *story) {
		s.sentTo("b", one("q"), under("k")).queued("b").gap("r", 1, 1, "conflated").got("q", "b", 1)
	}), RuleKept)
	broken(t, "the next one was sent after the gap was named", replaced(func(s *story) {
		s.gap("r", 1, 1, "conflated").keyed("b").queued("b").got("r", "b", 2)
	}), RuleKept)
	broken(t, "the next one was accepted before", bounded(OverflowConflate).keyed("b").queued("b").got("r", "b", 1).
		keyed("a").queued("a").gap("r", 2, 2, "conflated"), RuleKept)
	broken(t, "the next one was sent before, and accepted later", bounded(OverflowConflate).keyed("b").keyed("a").queued("a").queued("b").
		gap("r", 1, 1, "conflated").got("r", "b", 2))
	broken(t, "the next one was refused", replaced(func(s *story) {
		s.keyed("b").refused("b", "storage_full").gap("r", 1, 1, "conflated").again("b").refused("b", "forbidden")
	}), RuleKept)
	broken(t, "all are replaced", replaced(func(s *story) {
		s.keyed("b").queued("b").gap("r", 1, 2, "conflated")
	}), RuleKept, RuleKept)
	broken(t, "all but the last are replaced", replaced(func(s *story) {
		s.keyed("b").queued("b").keyed("c").queued("c").gap("r", 1, 2, "conflated").got("r", "c", 3)
	}))
	broken(t, "the last one made room", replaced(func(s *story) {
		s.keyed("b").queued("b").gap("r", 1, 1, "conflated").gap("r", 2, 2, "overflow")
	}))
	broken(t, "the last one was over", replaced(func(s *story) {
		s.sentTo("b", one("r"), func(e *Event) { e.Key, e.TTL = "k", 1 }).queued("b").gap("r", 1, 1, "conflated").gap("r", 2, 2, "expired")
	}))
	broken(t, "the first one was over, and the last one replaced", replaced(func(s *story) {
		s.keyed("b").queued("b").gap("r", 1, 1, "overflow").gap("r", 2, 2, "conflated")
	}), RuleKept)
	broken(t, "the next one came in another epoch", replaced(func(s *story) {
		s.keyed("b").queued("b").gap("r", 1, 1, "conflated").fault(FaultFlip, "").hello("r", "f", 0, 1, false).got("r", "b", 1)
		lastOf(s).Epoch = "f"
	}))
	broken(t, "without a key", bounded(OverflowConflate).sent("a").queued("a").keyed("b").queued("b").gap("r", 1, 1, "conflated").got("r", "b", 2), RuleKept)
	broken(t, "under another policy", bounded(OverflowDropOldest).keyed("a").queued("a").keyed("b").queued("b").
		gap("r", 1, 1, "conflated").got("r", "b", 2), RuleGap, RuleKept)
	broken(t, "to a client without keys", bounded(OverflowConflate).sent("a").gap("r", 1, 1, "conflated").refused("a", "lost"), RuleGap)
}

func TestNothingIsKeptOfWhatWasRefused(t *testing.T) {
	f := func(code string, want ...string) {
		t.Helper()
		broken(t, code, bounded(OverflowReject).sent("a").refused("a", code).got("r", "a", 1).again("a").queued("a"), want...)
	}
	f("overflow", RuleRefused)
	f("storage_full", RuleRefused)
	f("storage_failed", RuleRefused)
	f("forbidden")
	broken(t, "refused after it came", bounded(OverflowReject).sent("a").got("r", "a", 1).refused("a", "overflow").again("a").queued("a"), RuleRefused)
	broken(t, "accepted the second time", bounded(OverflowReject).sent("a").refused("a", "overflow").again("a").got("r", "a", 1).queued("a"))
	broken(t, "refused the second time",
		bounded(OverflowReject).sent("a").refused("a", "overflow").again("a").refused("a", "overflow").got("r", "a", 1).again("a").queued("a"), RuleRefused)
	broken(t, "the first answer was cut off",
		bounded(OverflowReject).sent("a").closed().again("a").refused("a", "overflow").got("r", "a", 1).again("a").queued("a"))
	broken(t, "by a plain client", func() *story {
		s := bounded(OverflowReject).sentTo("a", one("p"), nil).refused("a", "overflow")
		return s.add(Event{Kind: Received, Client: "p", From: "s", ID: "a", Sum: 7, Plain: true}).again("a").told("a", "memory", "delivered")
	}(), RuleRefused)
	broken(t, "where nothing is bounded", begun().sent("a").refused("a", "overflow").again("a").queued("a").got("r", "a", 1), RuleRefused)
	broken(t, "where nothing is bounded, and not kept",
		begun().fault(faultWeak, "on").sent("a").refused("a", "overflow").again("a").queued("a").got("r", "a", 1))
}

func TestSomeRecipientsMayRefuse(t *testing.T) {
	broken(t, "the other gets it", bounded(OverflowReject).sentTo("a", both, nil).refusedBySome("a", 1, 1).got("q", "a", 1))
	broken(t, "nobody gets it", bounded(OverflowReject).sentTo("a", both, nil).refusedBySome("a", 1, 1), RuleKept)
	again := func() *story {
		return bounded(OverflowReject).sentTo("a", both, nil).refusedBySome("a", 1, 1).got("q", "a", 1).sent("b").queued("b").got("r", "b", 1).
			again("a").counted("a", 1, 1)
	}
	broken(t, "the other one later, and out of order", again().got("r", "a", 2))
	broken(t, "the other one never", again(), RuleKept)
	// The seq 2 is behind that of a, which was refused at first: b can have it.
	broken(t, "a seq behind one that was refused at first",
		bounded(OverflowDropOldest).sentTo("a", both, nil).refusedBySome("a", 1, 1).got("q", "a", 1).sent("b").queued("b").
			again("a").counted("a", 1, 1).got("r", "a", 2).gap("r", 1, 1, "overflow"))
}

func TestAnUnansweredMessageMayHaveBeenRefusedWhereThereAreBounds(t *testing.T) {
	swapped := func(s *story) *story {
		return s.sent("a").sent("b").closed().again("a").again("b").queued("a").queued("b").got("r", "b", 1).got("r", "a", 2)
	}
	broken(t, "bounds", swapped(bounded(OverflowReject)))
	broken(t, "no bounds", swapped(begun()), RuleOrder)
}
