package shard

import "slices"

// Waiting is how many messages wait for a client.
type Waiting struct {
	Client   string
	Messages int
}

// Backlogs returns the clients with the most messages waiting, at most so many, the
// most first. It walks over all mailboxes, a part of them between two turns of
// their shard; what comes and goes meanwhile may be missing.
func (set *Set) Backlogs(n int) []Waiting {
	b := backlogs{most: n}
	for _, s := range set.all {
		set.walk(s, func() int { return len(s.boxList) }, func(i int) {
			if i < len(s.boxList) && s.boxList[i].count > 0 {
				b.add(s.boxList[i].name, int(s.boxList[i].count))
			}
		})
	}
	return b.top
}

// backlogs gathers the longest ones, the longest first.
type backlogs struct {
	most int
	top  []Waiting
}

// add adds a client, which may be there already.
func (b *backlogs) add(client string, messages int) {
	if len(b.top) == b.most && messages <= b.top[len(b.top)-1].Messages {
		return
	}
	b.top = slices.DeleteFunc(b.top, func(w Waiting) bool { return w.Client == client })
	at := slices.IndexFunc(b.top, func(w Waiting) bool { return w.Messages < messages })
	if at < 0 {
		at = len(b.top)
	}
	b.top = slices.Insert(b.top, at, Waiting{client, messages})
	b.top = b.top[:min(len(b.top), b.most)]
}
