package shard

// senders are those of whose messages some wait on a shard. A block names its
// sender by the index.
type senders struct {
	all    []sender
	byName map[string]uint32
	unused []uint32
}

type sender struct {
	name    string
	blocks  int32
	waiting int32 // messages, one a recipient, without those that yield
}

// take returns the sender with this name, which has one block more. name is
// copied if it is kept.
func (t *senders) take(name string) uint32 {
	at, known := t.byName[name]
	if !known {
		if n := len(t.unused); n > 0 {
			at = t.unused[n-1]
			t.unused = t.unused[:n-1]
		} else {
			at = uint32(len(t.all))
			t.all = append(t.all, sender{})
		}
		name = string([]byte(name))
		t.all[at] = sender{name: name}
		t.byName[name] = at
	}
	t.all[at].blocks++
	return at
}

// give takes one block from a sender.
func (t *senders) give(at uint32) {
	if t.all[at].blocks--; t.all[at].blocks > 0 {
		return
	}
	delete(t.byName, t.all[at].name)
	t.all[at] = sender{}
	t.unused = append(t.unused, at)
}

// waiting is how many messages of the sender wait.
func (t *senders) waiting(name string) int64 {
	if at, known := t.byName[name]; known {
		return int64(t.all[at].waiting)
	}
	return 0
}
