package rehearse

import "github.com/stratix-gateway/stratix/core/wire"

// Post is what an upstream would have got.
type Post struct {
	Upstream string
	Body     []byte // a JSON object: a message, or a client that comes or goes
}

// post notes a message for an upstream, once: it waits there for ever, since
// nothing is posted. It reports whether it was the first time.
func (w *World) post(r *Result, upstream string, body []byte) bool {
	to := "upstream:" + upstream
	for _, l := range r.copies {
		if l.to == to {
			return false
		}
	}
	r.copies = append(r.copies, &letterCopy{to: to, state: Queued})
	w.Posts = append(w.Posts, Post{upstream, append([]byte{'{'}, body...)})
	return true
}

// HasUpstream reports whether there is an upstream of this name.
func (w *World) HasUpstream(name string) bool { return w.program.Upstream(name) != nil }

func (w *World) postConnect(c *Client) {
	for _, u := range w.program.Upstreams {
		if u.Connects {
			w.Posts = append(w.Posts, Post{u.Name, wire.AppendConnect(nil, c.ID, c.Remote, w.millis())})
		}
	}
}

func (w *World) postDisconnect(c *Client, reason string) {
	for _, u := range w.program.Upstreams {
		if u.Disconnects {
			w.Posts = append(w.Posts, Post{u.Name, wire.AppendDisconnect(nil, c.ID, reason, w.millis())})
		}
	}
}
