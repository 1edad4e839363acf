package torture

import "testing"

func (s *story) forgot(client string) *story { return s.add(Event{Kind: Forgot, Client: client}) }

// repeated is got again, and dropped by the SDK's rules.
func (s *story) repeated(client, id string, seq uint64) *story {
	s.got(client, id, seq)
	lastOf(s).Repeat = true
	return s
}

func TestAClientMayForgetItsEpoch(t *testing.T) {
	two := func() *story {
		return begun().sent("a").queued("a").sent("b").queued("b").got("r", "a", 1).got("r", "b", 2)
	}
	broken(t, "it goes on where it was", two().forgot("r").hello("r", "e", 2, 2, false))
	broken(t, "what it had not acknowledged comes again", two().forgot("r").hello("r", "e", 1, 2, false).repeated("r", "b", 2))
	broken(t, "it is visible again", two().forgot("r").hello("r", "e", 1, 2, false).got("r", "b", 2), RuleOnce)
	broken(t, "that does not come again", two().forgot("r").hello("r", "e", 1, 2, false), RuleSeq)
	broken(t, "what it had acknowledged is named", two().forgot("r").hello("r", "e", 0, 2, false).repeated("r", "a", 1).gap("r", 2, 2, "settled"))
	broken(t, "what it never had is named as settled",
		two().sent("c").queued("c").forgot("r").hello("r", "e", 2, 3, false).gap("r", 3, 3, "settled"), RuleGap, RuleKept)
	broken(t, "what it never had is passed over", two().sent("c").queued("c").forgot("r").hello("r", "e", 3, 3, false), RuleKept, RuleSeq)
	broken(t, "what it was told is over is passed over",
		two().sentTo("c", one("r"), ttl).queued("c").gap("r", 3, 3, "expired").forgot("r").hello("r", "e", 3, 3, false))
	broken(t, "a gap is named again, for one message",
		begun().sentTo("a", one("r"), ttl).sentTo("b", one("r"), ttl).queued("a").queued("b").gap("r", 1, 1, "expired").
			forgot("r").hello("r", "e", 0, 1, false).gap("r", 1, 1, "expired"), RuleKept)
	broken(t, "a seq stands for another message",
		two().sent("c").queued("c").forgot("r").hello("r", "e", 1, 2, false).got("r", "c", 2).repeated("r", "b", 2), RuleSeq)
	broken(t, "twice", two().forgot("r").hello("r", "e", 1, 2, false).repeated("r", "b", 2).forgot("r").hello("r", "e", 2, 2, false))
	broken(t, "twice, and it does not come again",
		two().forgot("r").hello("r", "e", 1, 2, false).repeated("r", "b", 2).forgot("r").hello("r", "e", 1, 2, false), RuleSeq)
	broken(t, "recovered what it forgot", two().forgot("r").hello("r", "e", 2, 2, true), RuleSeq)
	broken(t, "the epoch ended meanwhile", two().forgot("r").hello("r", "f", 0, 0, false), RuleSeq)
	broken(t, "the epoch ended meanwhile for a reason", two().fault(FaultFlip, "").forgot("r").hello("r", "f", 0, 0, false))
	broken(t, "an epoch without seqs ends", begun().forgot("r").hello("r", "e", 0, 0, false).hello("r", "f", 0, 0, false))
	broken(t, "its acknowledgements do not count any more",
		begun().sentTo("a", one("r"), receipt).queued("a").got("r", "a", 1).acked("r", 1).forgot("r").hello("r", "e", 0, 1, false).repeated("r", "a", 1))
}
