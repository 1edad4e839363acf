package server

import (
	"encoding/binary"
	"net/netip"
	"sync"
	"sync/atomic"
)

// Place is one connection's place in the counts. It takes 16 bytes, since every
// connection at rest keeps one.
type Place struct {
	counts  atomic.Pointer[counts] // nil after Leave
	address address
}

// Leave gives the place back. Only the first call does; calls may overlap.
func (p *Place) Leave() {
	if c := p.counts.Swap(nil); c != nil {
		c.leave(p.address)
	}
}

// address is what connections are counted under: an IPv6 /64 as its 64 bits,
// an IPv4 address behind a multicast prefix, which no peer can have.
type address uint64

const (
	ipv4      address = 0xff00 << 48
	noAddress address = 1<<64 - 1 // peers that are not counted by address
	noPeer    address = 1<<64 - 2 // no peer has it
)

// addressOf returns what ip is counted under.
func addressOf(ip netip.Addr) address {
	switch ip = ip.Unmap(); {
	case ip.Is4():
		b := ip.As4()
		return ipv4 | address(binary.BigEndian.Uint32(b[:]))
	case ip.Is6():
		b := ip.As16()
		return address(binary.BigEndian.Uint64(b[:8]))
	}
	return noAddress
}

// counts holds how many connections there are, in all and by address.
type counts struct {
	max           atomic.Int64 // 0: no bound
	maxPerAddress atomic.Int64 // 0: no bound, and those who enter are not counted by address
	total         atomic.Int64
	parts         [64]part
}

// bound changes the bounds. Who has a place keeps it.
func (c *counts) bound(all, perAddress int) {
	c.max.Store(int64(all))
	c.maxPerAddress.Store(int64(perAddress))
}

// part counts some of the addresses.
type part struct {
	sync.Mutex
	open map[address]int // no entry is 0
}

func (c *counts) part(a address) *part {
	return &c.parts[uint64(a)*0x9e3779b97f4a7c15>>58]
}

// enter takes a place for a connection from ip. Without one it returns full or
// addressFull.
func (c *counts) enter(ip netip.Addr) (*Place, refusal) {
	if n, most := c.total.Add(1), c.max.Load(); most > 0 && n > most {
		c.total.Add(-1)
		return nil, full
	}
	a := noAddress
	most := int(c.maxPerAddress.Load())
	if most > 0 {
		a = addressOf(ip)
	}
	if a != noAddress && !c.part(a).enter(a, most) {
		c.total.Add(-1)
		return nil, addressFull
	}
	p := &Place{address: a}
	p.counts.Store(c)
	return p, 0
}

func (c *counts) leave(a address) {
	if a != noAddress {
		c.part(a).leave(a)
	}
	c.total.Add(-1)
}

func (p *part) enter(a address, max int) bool {
	p.Lock()
	defer p.Unlock()
	if p.open[a] >= max {
		return false
	}
	if p.open == nil {
		p.open = make(map[address]int)
	}
	p.open[a]++
	return true
}

func (p *part) leave(a address) {
	p.Lock()
	defer p.Unlock()
	if p.open[a]--; p.open[a] == 0 {
		delete(p.open, a)
	}
}
