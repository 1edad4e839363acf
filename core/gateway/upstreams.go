package gateway

import (
	"context"
	"fmt"

	"github.com/stratix-gateway/stratix/core/shard"
	"github.com/stratix-gateway/stratix/core/upstream"
)

// closeUpstreams lets upstreams have what waits for them until ctx ends. The shards
// still run: they keep the dead letters of the rest.
func (g *Gateway) closeUpstreams(ctx context.Context) {
	if lost := g.upstreams.Close(ctx); lost > 0 {
		g.log.Error("upstreams did not take all messages in time: the rest is given up", "messages", lost, "within", g.opt().DrainTimeout.String())
	}
	g.shards.Settle()
}

// upstreams adds what waits for services outside, and how posting to them goes.
func (p *page) upstreams(all []upstream.Stats, sum *shard.Stats) {
	p.counter(`stratix_upstream_replies_total{result="delivered"}`, sum.Answers)
	p.counter(`stratix_upstream_replies_total{result="missed"}`, sum.AnswersMissed)
	p.counter("stratix_dead_letters_lost_total", sum.LettersLost)
	for i := range all {
		st := &all[i]
		label := fmt.Sprintf("upstream=%q", st.Name)
		with := func(name string) string { return name + "{" + label + "}" }
		p.gauge(with("stratix_upstream_queued"), float64(st.Queued))
		p.gauge(with("stratix_upstream_queued_bytes"), float64(st.Bytes))
		for _, state := range []string{"closed", "half_open", "open"} {
			p.gauge(fmt.Sprintf("stratix_upstream_breaker{%s,state=%q}", label, state), float64(flag(st.Breaker == state)))
		}
		for _, l := range []labelled{
			{"delivered", st.Delivered}, {"lost", st.Lost}, {"expired", st.Expired}, {"refused", st.Refused},
		} {
			p.counter(fmt.Sprintf("stratix_upstream_messages_total{%s,result=%q}", label, l.label), l.value)
		}
		for _, c := range st.Posts {
			p.counter(fmt.Sprintf("stratix_upstream_posts_total{%s,result=%q}", label, c.Result), c.Posts)
		}
		p.counter(with("stratix_upstream_retries_total"), st.Retries)
		p.counter(with("stratix_upstream_bad_replies_total"), st.BadReply)
		p.counter(with("stratix_dead_letters_total"), st.Lost+st.Expired)
		p.histogramOf("stratix_upstream_post_seconds", label, st.Took[:], 1e-3, st.Spent.Seconds())
	}
}
