package gateway

import (
	"errors"
	"net/http"
	"time"

	"github.com/stratix-gateway/stratix/core"
	"github.com/stratix-gateway/stratix/core/server"
	"github.com/stratix-gateway/stratix/core/shard"
)

// ClientList is a page of GET /v1/clients.
type ClientList struct {
	Clients []shard.ClientStatus `json:"clients"`
	Next    string               `json:"next,omitempty"` // for after=, if there are more
}

// GroupList is a page of GET /v1/groups.
type GroupList struct {
	Groups []shard.GroupStatus `json:"groups"`
	Next   string              `json:"next,omitempty"`
}

// PendingList is what GET /v1/clients/ID/pending shows.
type PendingList struct {
	Pending  int                    `json:"pending"` // how many wait in all
	Messages []shard.PendingMessage `json:"messages"`
}

// RouteList is what GET /v1/routes shows.
type RouteList struct {
	Generation uint32        `json:"generation"`
	Stages     []StageRoutes `json:"stages"`
}

// StageRoutes are the routes of one stage.
type StageRoutes struct {
	Stage  string  `json:"stage"`
	Place  string  `json:"place"` // file:line
	Routes []Route `json:"routes"`
}

// Route says where messages go whose senders' ClientIDs begin with a prefix.
type Route struct {
	Prefix  string        `json:"prefix"`
	Targets []RouteTarget `json:"targets"`
}

// RouteTarget is one of these places.
type RouteTarget struct {
	Kind string `json:"kind"` // client, prefix, group, sender
	Name string `json:"name,omitempty"`
}

// directory is what the API asks about clients and groups.
func (g *Gateway) directory() server.Directory {
	return server.Directory{
		Clients: func(p server.Page) (any, error) {
			found, next := g.shards.Clients(p.Prefix, p.After, p.Limit)
			return ClientList{Clients: found, Next: next}, nil
		},
		Client: func(id string) (any, error) {
			c, err := g.shards.Client(id)
			return c, directoryProblem(err)
		},
		Disconnect: func(id, reason string) error { return directoryProblem(g.shards.Disconnect(id, reason)) },
		Join:       func(id, group string) error { return directoryProblem(g.shards.Join(id, group)) },
		Leave:      func(id, group string) error { return directoryProblem(g.shards.Leave(id, group)) },
		Pending: func(id string, limit int, data bool) (any, error) {
			all, count, err := g.shards.Pending(id, limit, data)
			return PendingList{Pending: count, Messages: all}, directoryProblem(err)
		},
		Groups: func(p server.Page) (any, error) {
			found, next := g.shards.Groups(p.Prefix, p.After, p.Limit)
			return GroupList{Groups: found, Next: next}, nil
		},
		Routes: func() any { return g.routes() },
	}
}

// directoryProblem is the answer to an error of the shards; nil for none.
func directoryProblem(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, shard.ErrUnknown):
		return &server.Problem{Status: http.StatusNotFound, Code: "unknown_client", Detail: err.Error()}
	case errors.Is(err, shard.ErrNotConnected):
		return &server.Problem{Status: http.StatusNotFound, Code: "not_connected", Detail: err.Error()}
	case errors.Is(err, shard.ErrGroups):
		return &server.Problem{Status: http.StatusUnprocessableEntity, Code: "limit", Detail: err.Error()}
	}
	return &server.Problem{Status: http.StatusServiceUnavailable, Code: "draining", Detail: err.Error(), RetryAfter: 5 * time.Second}
}

// routes are those of the live generation's stages.
func (g *Gateway) routes() RouteList {
	number, stages := g.scripts.openStages()
	list := RouteList{Generation: number, Stages: []StageRoutes{}}
	for _, s := range stages {
		router, is := s.Stage.(core.Router)
		if !is {
			continue
		}
		one := StageRoutes{Stage: s.Name, Place: s.Pos, Routes: []Route{}}
		for _, r := range router.Routes() {
			shown := Route{Prefix: r.Prefix, Targets: make([]RouteTarget, len(r.Targets))}
			for i, t := range r.Targets {
				shown.Targets[i] = RouteTarget{t.Kind.String(), t.Name}
			}
			one.Routes = append(one.Routes, shown)
		}
		list.Stages = append(list.Stages, one)
	}
	return list
}
