package upstream

import (
	"fmt"
	"net"
	"net/netip"
	"syscall"
)

// A script names the upstreams, and a name may come to resolve to anything. What
// only the machine itself is meant to reach is therefore refused at the moment of
// dialling: link-local addresses, where clouds serve credentials, and the other
// addresses of such services. Loopback and private networks are allowed: that is
// where upstreams are.

var metadata = []netip.Addr{
	netip.MustParseAddr("100.100.100.200"), // Alibaba Cloud
	netip.MustParseAddr("192.0.0.192"),     // Oracle Cloud
	netip.MustParseAddr("168.63.129.16"),   // Azure
	netip.MustParseAddr("fd00:ec2::254"),   // AWS
	netip.MustParseAddr("fd20:ce::254"),    // Google Cloud
}

// translated are the prefixes under which an IPv6 address stands for an IPv4 one,
// which begins at this byte: NAT64 (RFC 6052 and 8215) and 6to4 (RFC 3056).
var translated = []struct {
	prefix netip.Prefix
	at     int
}{
	{netip.MustParsePrefix("64:ff9b::/96"), 12},
	{netip.MustParsePrefix("64:ff9b:1::/48"), 12},
	{netip.MustParsePrefix("2002::/16"), 2},
}

// blocked says why addr is not posted to; "" means that it is.
func blocked(addr netip.Addr) string {
	a := addr.Unmap().WithZone("")
	for _, t := range translated {
		if b := a.As16(); t.prefix.Contains(a) {
			a = netip.AddrFrom4([4]byte(b[t.at:]))
		}
	}
	switch {
	case a.IsLinkLocalUnicast():
		return fmt.Sprintf("%s is a link-local address, where clouds serve credentials; allow_link_local = true allows it", addr)
	case a.IsMulticast(), a.IsUnspecified(), a == netip.AddrFrom4([4]byte{255, 255, 255, 255}):
		return fmt.Sprintf("%s is the address of no service", addr)
	}
	for _, m := range metadata {
		if a == m {
			return fmt.Sprintf("%s is a metadata service of a cloud; allow_link_local = true allows it", addr)
		}
	}
	return ""
}

// checkDial is a net.Dialer's Control: it sees the address that a name has come to.
func checkDial(_, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return &net.AddrError{Err: "it cannot be checked", Addr: address}
	}
	if why := blocked(at.Addr()); why != "" {
		return &refusedAddress{why}
	}
	return nil
}

type refusedAddress struct{ why string }

func (e *refusedAddress) Error() string { return e.why }
