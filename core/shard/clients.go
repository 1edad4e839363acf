package shard

import (
	"errors"
	"net/netip"
	"time"

	"github.com/stratix-gateway/stratix/core/wire"
)

// The errors of what operators do to clients.
var (
	ErrUnknown      = errors.New("no client of this ID is connected, and nothing is kept for it")
	ErrNotConnected = errors.New("no client of this ID is connected")
	ErrGroups       = errors.New("the client is in as many groups as it may be in")
)

// ClientStatus is what a shard knows of a ClientID.
type ClientStatus struct {
	ID           string     `json:"id"`
	Connected    bool       `json:"connected"`
	Since        time.Time  `json:"since,omitzero"`    // when it connected
	LastSeen     time.Time  `json:"lastSeen,omitzero"` // when it left
	Address      netip.Addr `json:"address,omitzero"`  // absent on a unix socket
	Reliable     bool       `json:"reliable"`          // it acknowledges, and resumes
	Groups       []string   `json:"groups,omitempty"`  // left out of lists
	GroupCount   int        `json:"groupCount"`        //
	Pending      int        `json:"pending"`           // messages that wait, or that it has not acknowledged
	PendingBytes int64      `json:"pendingBytes"`
	OnTheWay     int        `json:"onTheWay"`        // of these: given to its connection
	Window       int        `json:"window"`          // how many these may be; 0 for a plain client, which has none
	Epoch        string     `json:"epoch,omitempty"` // of what is kept for it
}

// Clients returns the clients that are connected or wait for something, whose
// IDs begin with prefix and come after another, in their order; limit at the
// most. next is what others come after; "" if there are none.
func (set *Set) Clients(prefix, after string, limit int) (found []ClientStatus, next string) {
	names := newNames(prefix, after, limit+1)
	for _, s := range set.all {
		set.on(s, func() { s.connectedNames(names) })
		set.walk(s, func() int { return len(s.boxList) }, func(i int) int {
			if i < len(s.boxList) && s.boxList[i].count > 0 {
				names.add(s.boxList[i].name)
			}
			return 1
		})
	}
	all, next := names.page(limit)
	found = make([]ClientStatus, 0, len(all))
	of := make([][]string, len(set.all))
	for _, name := range all {
		i := set.all[0].ownerOf(name)
		of[i] = append(of[i], name)
	}
	known := make(map[string]ClientStatus, len(all))
	for i, s := range set.all {
		if len(of[i]) == 0 {
			continue
		}
		set.on(s, func() {
			for _, name := range of[i] {
				if st, ok := s.clientStatus(name); ok {
					st.Groups = nil
					known[name] = st
				}
			}
		})
	}
	for _, name := range all {
		if st, ok := known[name]; ok {
			found = append(found, st)
		}
	}
	return found, next
}

// connectedNames adds the connected clients to names.
func (s *Shard) connectedNames(names *names) {
	from, n := max(names.prefix, names.after), 0
	s.dir.pivot.ID = from
	s.dir.order.AscendGreaterOrEqual(&s.dir.pivot, func(c *session) bool {
		if c.ID == names.after {
			return true
		}
		n++
		return names.add(c.ID) && n < names.most
	})
	s.dir.pivot.ID = ""
}

// Client returns what is known of a ClientID.
func (set *Set) Client(id string) (st ClientStatus, err error) {
	err = ErrUnknown
	ok := set.on(set.owner(id), func() {
		if found, known := set.owner(id).clientStatus(id); known {
			st, err = found, nil
		}
	})
	if !ok {
		return ClientStatus{}, ErrEnded
	}
	return st, err
}

func (s *Shard) clientStatus(id string) (st ClientStatus, known bool) {
	c, b := s.dir.byID[id], s.boxes[id]
	if c == nil && b == nil {
		return st, false
	}
	st.ID = id
	if b != nil {
		st.Reliable = b.reliable
		st.Pending, st.PendingBytes, st.OnTheWay = int(b.count), b.bytes, int(b.sent)
		st.Epoch = string(wire.AppendEpoch(nil, b.epoch))
		for _, a := range b.groups {
			st.Groups = append(st.Groups, a.group.name)
		}
		if c == nil {
			st.LastSeen = time.Unix(b.seen, 0).UTC()
		}
	}
	if c != nil {
		st.Connected, st.Reliable, st.Address = true, c.reliable, c.Remote
		st.Since = s.began.Add(time.Duration(c.since) * tickLength).UTC()
		for _, m := range c.groups {
			st.Groups = append(st.Groups, m.group.name)
		}
	}
	if st.Reliable {
		st.Window = s.opt.Window
	}
	st.GroupCount = len(st.Groups)
	return st, true
}

// Disconnect closes the connection of a client, with CloseDismissed and the
// reason. What is kept for it stays.
func (set *Set) Disconnect(id, reason string) error {
	return set.onClient(id, func(s *Shard) error {
		c := s.dir.byID[id]
		if c == nil || c.state != open {
			return ErrNotConnected
		}
		s.abandon(c, CloseDismissed, reason, causeOperator)
		return nil
	})
}

// Join makes a client a member of a group: one that is connected, or an offline
// one that resumes. No policy is asked.
func (set *Set) Join(id, group string) error {
	return set.onClient(id, func(s *Shard) error {
		if c := s.dir.byID[id]; c != nil && c.state == open {
			if !s.dir.join(c, group) {
				return ErrGroups
			}
			s.noteGroups(c)
			return nil
		}
		b := s.resumable(id)
		if b == nil {
			return ErrNotConnected
		}
		for _, a := range b.groups {
			if a.group.name == group {
				return nil
			}
		}
		if len(b.groups) >= MaxGroups {
			return ErrGroups
		}
		s.dir.addAbsent(s.dir.group(group), b)
		s.noteAbsence(b)
		return nil
	})
}

// Leave takes a client out of a group, in which it need not be.
func (set *Set) Leave(id, group string) error {
	return set.onClient(id, func(s *Shard) error {
		if c := s.dir.byID[id]; c != nil && c.state == open {
			s.dir.leave(c, group)
			s.noteGroups(c)
			return nil
		}
		b := s.resumable(id)
		if b == nil {
			return ErrNotConnected
		}
		for i, a := range b.groups {
			if a.group.name == group {
				s.dir.dropAbsent(b, i)
				s.noteAbsence(b)
				break
			}
		}
		return nil
	})
}

// resumable is the mailbox of an offline client that still is in its groups.
func (s *Shard) resumable(id string) *mailbox {
	b := s.boxes[id]
	if b == nil || b.conn != nil {
		return nil
	}
	if at, ok := s.dir.absent.Get(b); !ok || at != b {
		return nil
	}
	return b
}

// noteAbsence lets the log know the groups of an offline client.
func (s *Shard) noteAbsence(b *mailbox) {
	if b.home != 0 {
		s.logState(b)
		s.filling.soon = true
	}
}

// onClient runs f on the goroutine of the shard that owns the ClientID.
func (set *Set) onClient(id string, f func(*Shard) error) (err error) {
	s := set.owner(id)
	if !set.on(s, func() { err = f(s) }) {
		return ErrEnded
	}
	return err
}
