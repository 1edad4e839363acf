package server

import (
	"net/netip"
	"sync"
	"testing"
	"unsafe"
)

func TestAddressOf(t *testing.T) {
	f := func(a, b string, same bool) {
		t.Helper()
		if got := addressOf(netip.MustParseAddr(a)) == addressOf(netip.MustParseAddr(b)); got != same {
			t.Errorf("%s and %s are counted together: %v", a, b, got)
		}
	}
	f("10.0.0.1", "10.0.0.1", true)
	f("10.0.0.1", "10.0.0.2", false)
	f("10.0.0.1", "::ffff:10.0.0.1", true)
	f("2001:db8::1", "2001:db8::ffff:0:1", true)
	f("2001:db8:0:1::1", "2001:db8:0:2::1", false)
	f("::1", "0.0.0.0", false)
	f("fe80::1%eth0", "fe80::2", true)
	if addressOf(netip.Addr{}) != noAddress {
		t.Error("no address is counted as one")
	}
}

func TestPlacesUnderContention(t *testing.T) {
	c := &counts{}
	c.bound(100, 5)
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			ip := netip.AddrFrom4([4]byte{10, 0, 0, byte(i % 3)})
			for range 500 {
				if p, why := c.enter(ip); p != nil {
					p.Leave()
				} else if why != addressFull {
					t.Errorf("refused because of %s", why)
				}
			}
		})
	}
	all.Wait()
	if n := c.total.Load(); n != 0 {
		t.Errorf("%d places are left", n)
	}
	for i := range c.parts {
		if len(c.parts[i].open) != 0 {
			t.Errorf("part %d keeps %v", i, c.parts[i].open)
		}
	}
}

func TestLeaveTwiceAtOnce(t *testing.T) {
	c := &counts{}
	c.bound(0, 2)
	ip := netip.MustParseAddr("10.0.0.1")
	one, _ := c.enter(ip)
	two, _ := c.enter(ip)
	var all sync.WaitGroup
	for range 4 {
		all.Go(one.Leave)
	}
	all.Wait()
	if n := c.total.Load(); n != 1 {
		t.Errorf("%d places are taken, want 1", n)
	}
	two.Leave()
}

func TestNoBounds(t *testing.T) {
	c := &counts{}
	for range 1000 {
		if p, why := c.enter(netip.MustParseAddr("10.0.0.1")); p == nil {
			t.Fatalf("refused because of %s", why)
		}
	}
}

func TestPeersWithoutAddressCountInAllOnly(t *testing.T) {
	c := &counts{}
	c.bound(2, 1)
	for range 2 {
		if p, _ := c.enter(netip.Addr{}); p == nil {
			t.Fatal("refused")
		}
	}
	if _, why := c.enter(netip.Addr{}); why != full {
		t.Errorf("the third was refused because of %s", why)
	}
}

func TestPlaceIsSmall(t *testing.T) {
	if n := unsafe.Sizeof(Place{}); n > 16 {
		t.Errorf("a Place takes %d bytes", n)
	}
}

func TestBoundsThatChangeCostNobodyAPlace(t *testing.T) {
	c := &counts{}
	ip := netip.MustParseAddr("10.0.0.1")
	enter := func(want refusal) *Place {
		t.Helper()
		p, why := c.enter(ip)
		if why != want {
			t.Errorf("refused because of %s, want %s", why, want)
		}
		return p
	}
	uncounted := enter(0) // by address
	c.bound(3, 1)
	counted := enter(0)
	enter(addressFull)
	c.bound(2, 0)
	enter(full)
	uncounted.Leave()
	third := enter(0)
	c.bound(0, 1)
	enter(addressFull) // counted is
	counted.Leave()
	last := enter(0)
	last.Leave()
	third.Leave()
	if n := c.total.Load(); n != 0 {
		t.Errorf("%d places are left", n)
	}
	for i := range c.parts {
		if len(c.parts[i].open) != 0 {
			t.Errorf("part %d keeps %v", i, c.parts[i].open)
		}
	}
}
