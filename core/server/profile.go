package server

import (
	"context"
	"fmt"
	"time"

	"github.com/stratix-gateway/stratix/core/profile"
	"github.com/valyala/fasthttp"
)

// How long a profile of the scripts takes, in seconds.
const (
	defaultProfile = 10
	maxProfile     = 60
)

// profileScripts answers with where the instructions of the scripts went, for as
// many seconds as were asked for.
func (s *Server) profileScripts(ctx *fasthttp.RequestCtx) {
	q, ok := known(ctx, "seconds", "format")
	if !ok {
		return
	}
	format := profile.Table
	seconds, err := q.number("seconds", defaultProfile, 1, maxProfile)
	if name := q["format"]; name != "" && err == nil {
		format, err = profile.ParseFormat(name)
	}
	if err != nil {
		fail(ctx, err)
		return
	}
	if !s.profiling.CompareAndSwap(false, true) {
		problem(ctx, fasthttp.StatusConflict, fmt.Sprintf("another profile is being taken; try again, it takes at most %d seconds", maxProfile))
		return
	}
	defer s.profiling.Store(false)
	within, release := whileAsked(ctx, time.Duration(seconds)*time.Second)
	report, err := s.opt().Profile(within, format)
	release()
	if err != nil {
		problem(ctx, fasthttp.StatusServiceUnavailable, err.Error())
		return
	}
	answer(ctx, fasthttp.StatusOK, format.ContentType(), report)
}

// whileAsked is a context that ends after a time, or before when the client
// closes its connection or the server shuts down. release comes before the
// answer; the connection is closed with it, since bytes of it may be read here.
func whileAsked(ctx *fasthttp.RequestCtx, most time.Duration) (within context.Context, release func()) {
	within, cancel := context.WithTimeout(context.Background(), most)
	ctx.SetConnectionClose()
	conn, down := ctx.Conn(), ctx.Done()
	_ = conn.SetReadDeadline(time.Time{}) // that of the request would end it
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer cancel()
		for b := make([]byte, 512); ; {
			if _, err := conn.Read(b); err != nil {
				return
			}
		}
	}()
	go func() {
		select {
		case <-down:
			cancel()
		case <-within.Done():
		}
	}()
	return within, func() {
		cancel()
		_ = conn.SetReadDeadline(time.Unix(1, 0))
		<-gone
	}
}
