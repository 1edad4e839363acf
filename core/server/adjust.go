package server

import "github.com/valyala/fasthttp"

// opt is what the Server goes by at this moment.
func (s *Server) opt() *Options { return s.options.Load() }

// Adjust takes over what can change while the Server runs: MaxConnections,
// MaxPerAddress, Proxies, ProxyProtocol, Origins, Deflate, MaxMessage,
// PublicPublish and PublicMetrics. All of it is for those who come from now on: nobody who is connected
// loses anything, and with a MaxPerAddress where there was none, those from before are
// not counted. Calls must not overlap.
func (s *Server) Adjust(to Options) {
	next := *s.opt()
	next.MaxConnections, next.MaxPerAddress = to.MaxConnections, to.MaxPerAddress
	next.Proxies, next.ProxyProtocol = to.Proxies, to.ProxyProtocol
	next.Origins, next.Deflate = to.Origins, to.Deflate
	next.MaxMessage = to.MaxMessage
	next.PublicPublish, next.PublicMetrics = to.PublicPublish, to.PublicMetrics
	s.options.Store(&next)
	s.bound(&next)
}

// bound sets the bounds on connections.
func (s *Server) bound(opt *Options) {
	s.counts.bound(opt.MaxConnections, opt.MaxPerAddress)
	perAddress := 0
	if opt.MaxPerAddress > 0 {
		perAddress = max(opt.MaxPerAddress, minPerAddress)
	}
	s.strangers.counts.bound(maxHandshakes, perAddress)
}

func (s *Server) writeSettings(ctx *fasthttp.RequestCtx) { s.writeJSON(ctx, s.opt().Settings()) }
