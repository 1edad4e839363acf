package gateway

import (
	"net"
	"strings"
)

// announce tells the operator where the gateway is and what is unsafe about it.
func (g *Gateway) announce() {
	attrs := []any{"version", g.opt().Version, "listen", g.Addr().String()}
	if g.admin != nil {
		attrs = append(attrs, "admin", g.AdminAddr().String())
	}
	if g.opt().Data != "" {
		attrs = append(attrs, "data", g.opt().Data)
	}
	if g.settings.File != "" {
		attrs = append(attrs, "settings", g.settings.File)
	}
	attrs = append(attrs, "scripts", g.dir, "shards", g.opt().Shards, "transport", g.opt().Transport)
	if c := g.opt().Certificate; c != nil {
		attrs = append(attrs, "tls", strings.Join(c.Names(), " "), "certificate_until", c.Until())
	}
	g.log.Info("stratix is ready", attrs...)
	if tcp, ok := g.Addr().(*net.TCPAddr); ok && !tcp.IP.IsLoopback() && !g.opt().InsecureOpen && !g.identifies() {
		g.log.Warn("ANYBODY WHO REACHES THIS ADDRESS CAN CONNECT UNDER ANY CLIENTID: nothing checks who they are; "+
			"let stage.jwt check their tokens, listen on 127.0.0.1 behind something that does, or say --insecure-open if that is meant",
			"listen", g.Addr().String())
	}
}
