package shard

import (
	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/wire"
)

// blankPosts are posts that came back, to be used again.
type blankPosts struct {
	posts     *core.Post
	postCount int
}

const (
	// keepPosts is how many are kept, and fewPosts how many for longer: in each tick
	// a share of the others goes.
	keepPosts = 1024
	fewPosts  = 64
	// keepPost is how large the buffer of one may stay.
	keepPost = 4 << 10
)

// post hands m to the upstreams in s.ups, once each, and reports that it waits
// there or was refused. What became of it comes back with the post.
func (s *Shard) post(m *core.Message, slot uint32, wanted, kept bool) {
	var n wire.Counts
	why := faultNone
	for i, t := range s.ups {
		if named(s.ups[:i], t.Name) {
			continue
		}
		p := s.blankPost()
		p.Upstream = m.Held().Program.Upstream(t.Name)
		p.From = m.From.ID
		p.Flight, p.Wanted, p.Storage = slot, wanted, m.Storage
		if m.TTL > 0 {
			p.Expires = m.Time + int64(m.TTL)*1000
		}
		if p.Body = append(p.Body[:0], '{'); kept {
			p.Body = wire.AppendBody(p.Body, m) // s.body is a letter
		} else {
			p.Body = append(p.Body, s.body...)
		}
		p.ID = append(p.ID[:0], m.ID...)
		if p.Upstream != nil && p.Upstream.Queue.Offer(p) {
			n.Queued++
			continue
		}
		s.givePost(p)
		n.Refused++
		why = faultUpstream
	}
	s.report(slot, n, storedMemory, why)
}

func named(targets []core.Target, name string) bool {
	for i := range targets {
		if targets[i].Name == name {
			return true
		}
	}
	return false
}

// postConnect tells the upstreams that ask for it of a client that has come.
func (s *Shard) postConnect(c *session) {
	all := s.programOf(c.ID).Upstreams
	for i := range all {
		if u := &all[i]; u.Connects {
			p := s.blankPost()
			p.Body = wire.AppendConnect(p.Body[:0], c.ID, c.Remote, s.unixMillis)
			s.postEvent(c, u, p)
		}
	}
}

// postDisconnect tells them of one that has gone.
func (s *Shard) postDisconnect(c *session, why cause) {
	all := s.programOf(c.ID).Upstreams
	for i := range all {
		if u := &all[i]; u.Disconnects {
			p := s.blankPost()
			p.Body = wire.AppendDisconnect(p.Body[:0], c.ID, string(why), s.unixMillis)
			s.postEvent(c, u, p)
		}
	}
}

// postEvent hands over what nobody waits for. The upstream counts what it refuses.
func (s *Shard) postEvent(c *session, u *core.Upstream, p *core.Post) {
	p.Upstream, p.From, p.Storage = u, c.ID, core.StorageUnset
	if !u.Queue.Offer(p) {
		s.givePost(p)
	}
}

// TakeBack takes posts back that an upstream is done with. It may be called from
// any goroutine.
func (s *Shard) TakeBack(posts *core.Post) {
	s.inbox.post(&parcel{kind: parcelPosts, posts: posts})
}

// posted sees to what came of posts.
func (s *Shard) posted(p *core.Post) {
	for p != nil {
		next := p.Next
		for _, data := range p.Replies {
			s.answerFrom(p, data)
		}
		if p.Wanted {
			s.reportLate(p.Flight, [...]byte{
				core.PostDelivered: lateDelivered, core.PostLost: lateUntaken, core.PostExpired: lateExpired,
			}[p.Outcome])
		}
		if p.Outcome != core.PostDelivered && p.Upstream.DeadLetter.Kind != 0 {
			s.deadLetter(p)
		}
		s.givePost(p)
		p = next
	}
	s.reap()
}

// answerFrom gives the sender of a post a reply of its upstream, if it is
// connected: to whom the ClientID belongs by now.
func (s *Shard) answerFrom(p *core.Post, data []byte) {
	c := s.dir.byID[p.From]
	if c == nil || c.state != open {
		s.count.AnswersMissed++
		return
	}
	s.body = wire.AppendReply(s.body[:0], &core.Message{ID: p.ID, Time: s.unixMillis}, data)
	size := wire.HeadSize(c.nextSeq()) + len(s.body)
	if c.out != nil && c.out.waiting()+size > s.opt.QueueBytes && !s.makeRoom(c, size) {
		s.count.AnswersMissed++
		return
	}
	s.count.Answers++
	s.giveSelf(c, s.body)
}

// deadLetter sends a post that was given up to where such go. It comes from the
// gateway itself, so it has no "from", and is kept as its message should have been.
func (s *Shard) deadLetter(p *core.Post) {
	u := p.Upstream
	m := &core.Message{
		From: &core.Session{}, Time: s.unixMillis, Storage: p.Storage,
		Data: wire.AppendDeadLetter(nil, u.Name, p.Reason, p.Tries, p.Body),
	}
	m.Own(s, core.Held{Slot: none})
	s.route(nil, m, []core.Target{u.DeadLetter})
}

// blankPost returns a post of this shard, a used one if there is any.
func (s *Shard) blankPost() *core.Post {
	p := s.posts
	if p == nil {
		return &core.Post{Owner: s}
	}
	s.posts = p.Next
	s.postCount--
	*p = core.Post{Owner: s, Body: p.Body, ID: p.ID[:0], Replies: p.Replies[:0]}
	return p
}

// givePost takes a post that nobody else has.
func (s *Shard) givePost(p *core.Post) {
	clear(p.Replies)
	if s.postCount >= keepPosts || cap(p.Body) > keepPost {
		return
	}
	p.Upstream = nil
	p.Next = s.posts
	s.posts = p
	s.postCount++
}

// thinPosts gives back what a wave of posts has left, bit by bit.
func (s *Shard) thinPosts() {
	for n := s.postCount / 16; n > 0 && s.postCount > fewPosts; n-- {
		s.posts = s.posts.Next
		s.postCount--
	}
}
