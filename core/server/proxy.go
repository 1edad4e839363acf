package server

import (
	"fmt"
	"net"
	"net/netip"
	"strings"

	"github.com/pires/go-proxyproto"
	"github.com/valyala/fasthttp"
)

// Proxies are the addresses whose word is taken for whom they speak for.
type Proxies struct {
	prefixes []netip.Prefix
	unix     bool
}

// ParseProxies reads addresses and networks such as 10.0.0.0/8; the word unix
// stands for whoever reaches a unix socket.
func ParseProxies(list []string) (Proxies, error) {
	var p Proxies
	for _, text := range list {
		if text == "unix" {
			p.unix = true
			continue
		}
		prefix, err := netip.ParsePrefix(text)
		if err != nil {
			ip, ipErr := netip.ParseAddr(text)
			if ipErr != nil {
				return Proxies{}, fmt.Errorf("%q is no address, no network such as 10.0.0.0/8, and not unix", text)
			}
			ip = ip.Unmap()
			prefix = netip.PrefixFrom(ip, ip.BitLen())
		}
		if a := prefix.Addr(); a.Is4In6() && prefix.Bits() >= 96 { // addresses are looked at unmapped
			prefix = netip.PrefixFrom(a.Unmap(), prefix.Bits()-96)
		}
		if prefix.Bits() == 0 {
			return Proxies{}, fmt.Errorf("%q is everybody: anybody could claim to be anybody", text)
		}
		p.prefixes = append(p.prefixes, prefix.Masked())
	}
	return p, nil
}

// trust reports whether ip is one of them; the invalid address is that of a unix
// socket's peer.
func (p *Proxies) trust(ip netip.Addr) bool {
	if !ip.IsValid() {
		return p.unix
	}
	ip = ip.Unmap().WithZone("")
	for _, prefix := range p.prefixes {
		if prefix.Contains(ip) {
			return true
		}
	}
	return false
}

// behind makes c tell the address that a proxy's PROXY header names. It is read
// with the first bytes, and must be there.
func behind(c net.Conn) net.Conn {
	return proxyproto.NewConn(c, proxyproto.WithPolicy(proxyproto.REQUIRE))
}

// client is the address that a request comes from: that of the connection, or
// where this is a proxy's, the last one in X-Forwarded-For that is none. A header
// that cannot be read ends the search: what stands before it may be anybody's.
func (p *Proxies) client(ctx *fasthttp.RequestCtx) netip.Addr {
	ip := remote(ctx.RemoteAddr())
	if !p.trust(ip) {
		return ip
	}
	var hops []string
	for _, line := range ctx.Request.Header.PeekAll(fasthttp.HeaderXForwardedFor) {
		hops = append(hops, strings.Split(string(line), ",")...)
	}
	for i := len(hops) - 1; i >= 0 && p.trust(ip); i-- {
		hop, err := netip.ParseAddr(strings.TrimSpace(hops[i]))
		if err != nil {
			break
		}
		ip = hop.Unmap().WithZone("")
	}
	return ip
}
