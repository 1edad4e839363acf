package kv

import (
	"fmt"
	"testing"
)

func TestACloneHasWhatThereIsAndGoesItsOwnWay(t *testing.T) {
	s := New(Limits{Entries: 2000})
	for i := range 1000 {
		if err := s.Set(fmt.Sprint("k", i), Value{Kind: Number, Num: float64(i)}, int64(i%3)*1000, 5000); err != nil {
			t.Fatal(err)
		}
	}
	c := s.Clone()
	if err := c.Set("k1", Value{Kind: Number, Num: -1}, 0, 5500); err != nil {
		t.Fatal(err)
	}
	c.Delete("k3", 5500)
	f := func(s *Store, key string, now int64, want float64, there bool) {
		t.Helper()
		if v, ok := s.Get(key, now); ok != there || v.Num != want {
			t.Errorf("%s at %d: got %v, %v", key, now, v.Num, ok)
		}
	}
	f(c, "k1", 5500, -1, true)
	f(s, "k1", 5500, 1, true)
	f(c, "k3", 5500, 0, false)
	f(s, "k3", 5500, 3, true)
	f(c, "k4", 5500, 4, true)
	f(c, "k4", 6001, 0, false) // expires as it would have
	f(c, "k999", 9_000_000, 999, true)
	if got, want := c.Stats().Entries, s.Stats().Entries; got > want {
		t.Errorf("the clone counts %d entries of %d", got, want)
	}
}
