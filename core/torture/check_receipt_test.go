package torture

import "testing"

func (s *story) acked(client string, seq uint64, also ...[2]uint64) *story {
	return s.add(Event{Kind: Acked, Client: client, Epoch: "e", Seq: seq, Also: also})
}

func (s *story) gone(client string) *story { return s.add(Event{Kind: Closed, Client: client}) }

func TestAReceiptComes(t *testing.T) {
	// delivered is a message that waits, and comes.
	delivered := func() *story { return begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1) }
	broken(t, "it comes", delivered().acked("r", 1).told("a", "disk", "delivered"))
	broken(t, "it never comes", delivered().acked("r", 1), RuleReceipt)
	broken(t, "acknowledged out of order", delivered().acked("r", 0, [2]uint64{1, 1}), RuleReceipt)
	broken(t, "acknowledged another one", delivered().acked("r", 0))
	broken(t, "not acknowledged", delivered())
	broken(t, "the sender left", delivered().acked("r", 1).closed())
	broken(t, "the sender left at the end", delivered().acked("r", 1).fault(faultRest, "").closed(), RuleReceipt)
	broken(t, "the sender had left before", begun().sent("x").closed().again("x").queued("x").got("r", "x", 1).
		sentTo("a", one("r"), receipt).queued("a").got("r", "a", 2).acked("r", 2), RuleReceipt)
	broken(t, "the acknowledgement may be lost", delivered().acked("r", 1).gone("r"))
	broken(t, "it was lost, and then said again", delivered().acked("r", 1).gone("r").acked("r", 1).hello("r", "e", 1, 1, true), RuleReceipt)
	broken(t, "it was said in another epoch",
		delivered().acked("r", 1).fault(FaultFlip, "").hello("r", "f", 0, 0, false))
	broken(t, "nobody asked for it", begun().sent("a").queued("a").got("r", "a", 1).acked("r", 1))
	broken(t, "it came before the first answer", begun().sentTo("a", one("r"), receipt).got("r", "a", 1).acked("r", 1).told("a", "disk", "delivered"))
	broken(t, "to a plain client", begun().add(Event{Kind: Opened, Client: "p", Plain: true}).sentTo("a", one("p"), receipt).queued("a"))
	over := func() *story {
		return begun().sentTo("a", one("r"), func(e *Event) { ttl(e); receipt(e) }).queued("a").gap("r", 1, 1, "expired")
	}
	broken(t, "what was over", over().refused("a", "expired"))
	broken(t, "nothing is said of what was over", over(), RuleReceipt)
	broken(t, "the sender of what was over left", over().closed())
	broken(t, "a repeat whose first receipt was cut off",
		begun().sentTo("a", one("r"), receipt).closed().again("a").queued("a").got("r", "a", 1).acked("r", 1), RuleReceipt)
	broken(t, "one receipt for two attempts",
		begun().sentTo("a", one("r"), receipt).queued("a").closed().again("a").queued("a").got("r", "a", 1).acked("r", 1).told("a", "disk", "delivered"))
	// The sender gets other answers, on the same connection.
	next := func(s *story, id string) *story { return s.sent(id).queued(id) }
	last := func(s *story, id string, seq uint64) *story { return s.got("r", id, seq) }
	broken(t, "it does not come before later answers", last(next(delivered().acked("r", 1).queuedNobody().queuedNobody(), "b"), "b", 2).closed(), RuleReceipt)
	broken(t, "it comes behind later answers",
		last(next(delivered().acked("r", 1).queuedNobody().queuedNobody(), "b"), "b", 2).told("a", "disk", "delivered").closed())
	broken(t, "the later answer is to what was sent soon after", last(next(delivered().acked("r", 1), "b"), "b", 2).closed())
	broken(t, "the recipient left soon after",
		last(next(delivered().acked("r", 1).gone("r").queuedNobody().queuedNobody(), "b"), "b", 2).closed())
	broken(t, "the recipient left long after",
		last(next(delivered().acked("r", 1).queuedNobody().queuedNobody().gone("r"), "b"), "b", 2).closed(), RuleReceipt)
	broken(t, "the later answer is on another connection",
		last(next(delivered().acked("r", 1).closed().queuedNobody().queuedNobody(), "b"), "b", 2))
}
