package kv

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"sync"
	"testing"
)

func TestEachCallDoesWhatItSays(t *testing.T) {
	s := New(Limits{})
	f := func(got any, want string) {
		t.Helper()
		if got := fmt.Sprint(got); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
	get := func(key string, now int64) string {
		v, ok := s.Get(key, now)
		return fmt.Sprint(v.Kind, " ", v.Num, " ", v.Str, " ", ok)
	}
	add := func(key string, v Value, ttl, now int64) string {
		done, err := s.Add(key, v, ttl, now)
		return fmt.Sprint(done, " ", err)
	}
	incr := func(key string, n float64, ttl, now int64) string {
		sum, err := s.Incr(key, n, ttl, now)
		return fmt.Sprint(sum, " ", err)
	}

	f(get("a", 0), "nil 0  false")
	f(s.Set("a", Text("x"), 0, 0), "<nil>")
	f(get("a", math.MaxInt64-1), "string 0 x true")
	f(add("a", Count(1), 0, 0), "false <nil>")
	f(s.Set("a", Flag(true), 0, 0), "<nil>")
	f(get("a", 0), "boolean 1  true")
	f(s.Delete("a", 0), "true")
	f(s.Delete("a", 0), "false")
	f(add("a", Flag(false), 0, 0), "true <nil>")
	f(get("a", 0), "boolean 0  true")

	f(incr("n", 1, 0, 0), "1 <nil>")
	f(incr("n", 2.5, 0, 0), "3.5 <nil>")
	f(incr("n", -4, 0, 0), "-0.5 <nil>")
	f(incr("a", 1, 0, 0), "0 the value is no number")
	f(incr("n", math.Inf(1), 0, 0), "0 the number is out of range")
	f(incr("new", math.NaN(), 0, 0), "0 the number is out of range")
	f(s.Set("n", Count(math.MaxFloat64), 0, 0), "<nil>")
	f(incr("n", math.MaxFloat64, 0, 0), "0 the number is out of range")

	// Expiry is to the millisecond. A set replaces it; an incr keeps it.
	f(s.Set("t", Count(1), 100, 1000), "<nil>")
	f(get("t", 1099), "number 1  true")
	f(incr("t", 1, 500, 1099), "2 <nil>")
	f(get("t", 1100), "nil 0  false")
	f(incr("t", 1, 500, 1100), "1 <nil>")
	f(get("t", 1599), "number 1  true")
	f(s.Set("t", Count(7), 0, 1599), "<nil>")
	f(get("t", 9999), "number 7  true")
	f(s.Set("t", Count(7), 1, 9999), "<nil>")
	f(add("t", Count(8), 5, 10_000), "true <nil>")
	f(s.Delete("t", 10_005), "false")
	f(s.Set("t", Count(1), math.MaxInt64, 10_000), "<nil>")
	f(get("t", math.MaxInt64-1), "number 1  true")

	f(s.Set("", Count(1), 0, 0), ErrKey.Error())
	f(s.Set(strings.Repeat("k", MaxKey+1), Count(1), 0, 0), ErrKey.Error())
	f(s.Set("big", Text(strings.Repeat("v", MaxValue+1)), 0, 0), ErrValue.Error())
	f(s.Set(strings.Repeat("k", MaxKey), Text(strings.Repeat("v", MaxValue)), 0, 0), "<nil>")
}

func TestAFullStoreRefusesAndEvictsNothing(t *testing.T) {
	s := New(Limits{Entries: 3, Bytes: 1000})
	for _, key := range []string{"a", "b", "c"} {
		if err := s.Set(key, Count(1), 1000, 0); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Set("d", Count(1), 0, 0); err != ErrFull {
		t.Errorf("set: %v", err)
	}
	if done, err := s.Add("d", Count(1), 0, 0); done || err != ErrFull {
		t.Errorf("add: %v %v", done, err)
	}
	if _, err := s.Incr("d", 1, 0, 0); err != ErrFull {
		t.Errorf("incr: %v", err)
	}
	// What exists can change, as far as there is room.
	if sum, err := s.Incr("a", 1, 0, 0); sum != 2 || err != nil {
		t.Errorf("incr of what exists: %v %v", sum, err)
	}
	if err := s.Set("a", Text(strings.Repeat("x", 900)), 1000, 0); err != ErrFull {
		t.Errorf("a string that is too long: %v", err)
	}
	if v, _ := s.Get("a", 0); v != Count(2) {
		t.Errorf("after a refused set: %v", v)
	}
	if st := s.Stats(); st.Full != 4 || st.Entries != 3 || st.Bytes != 3*(1+Overhead) || st.Expired != 0 {
		t.Errorf("%+v", st)
	}
	// Time makes room, in whichever part it is.
	if err := s.Set("d", Text(strings.Repeat("x", 900)), 0, 1000); err != nil {
		t.Errorf("when the others have expired: %v", err)
	}
	if st := s.Stats(); st.Entries != 1 || st.Expired != 3 || st.Bytes != 1+900+Overhead {
		t.Errorf("%+v", st)
	}
}

func TestWritesTakeOutWhatHasExpired(t *testing.T) {
	s := New(Limits{})
	for i := range 10_000 {
		if err := s.Set(fmt.Sprint("key-", i), Count(1), int64(1+i%100), 0); err != nil {
			t.Fatal(err)
		}
	}
	for range 10_000 {
		if _, err := s.Incr("one", 1, 0, 1000); err != nil {
			t.Fatal(err)
		}
	}
	if st := s.Stats(); st.Entries != 1 || st.Expired != 10_000 || st.Bytes != 3+Overhead {
		t.Errorf("%+v", st)
	}
}

func TestAddAndIncrAreAtomic(t *testing.T) {
	s := New(Limits{})
	const workers, rounds = 8, 500
	var won [workers]int
	var all sync.WaitGroup
	for w := range workers {
		all.Go(func() {
			for i := range rounds {
				if done, err := s.Add(fmt.Sprint("lock-", i), Count(float64(w)), 0, 0); err != nil {
					t.Error(err)
				} else if done {
					won[w]++
				}
				if _, err := s.Incr("sum", 1, 0, 0); err != nil {
					t.Error(err)
				}
				// One that expires all the time.
				if _, err := s.Incr("window", 1, 1, int64(i)); err != nil {
					t.Error(err)
				}
			}
		})
	}
	all.Wait()
	total := 0
	for _, n := range won {
		total += n
	}
	if v, _ := s.Get("sum", 0); total != rounds || v.Num != workers*rounds {
		t.Errorf("%d adds were first of %d, and the sum is %v", total, rounds, v.Num)
	}
}

func TestNothingIsAllocatedForWhatExists(t *testing.T) {
	s := New(Limits{})
	if err := s.Set("key", Count(1), 1000, 0); err != nil {
		t.Fatal(err)
	}
	if n := testing.AllocsPerRun(100, func() {
		_, _ = s.Get("key", 0)
		_, _ = s.Incr("key", 1, 1000, 0)
		_, _ = s.Add("key", Count(1), 1000, 0)
		_ = s.Set("key", Count(2), 1000, 0)
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// FuzzStore holds the store to a map with the same calls.
func FuzzStore(f *testing.F) {
	f.Add([]byte("\x00\x01\x02\x03\x04\x05\x06\x07\x08\x09\x0a\x0b\x0c\x0d\x0e\x0f"))
	f.Add([]byte("aAbBcCdDeEfFgGhHiIjJ\xff\xfe\xfd\xfc"))
	f.Fuzz(func(t *testing.T, calls []byte) {
		type plain struct {
			v       Value
			expires int64
		}
		const most = 5
		s, model, now := New(Limits{Entries: most}), map[string]plain{}, int64(1)
		for len(calls) >= 2 {
			op, arg := calls[0], calls[1]
			calls = calls[2:]
			now += int64(op >> 5)
			for key, p := range model {
				if p.expires <= now {
					delete(model, key)
				}
			}
			key, ttl := string('a'+rune(arg%8)), int64(arg>>5)
			old, stands := model[key]
			full := !stands && len(model) == most
			next := plain{Count(float64(arg)), expiry(ttl, now)}
			var err error
			switch op % 5 {
			case 0:
				if v, ok := s.Get(key, now); ok != stands || ok && v != old.v {
					t.Fatalf("get %s: %v %v, want %v %v", key, v, ok, old.v, stands)
				}
				continue
			case 1:
				err = s.Set(key, next.v, ttl, now)
			case 2:
				var done bool
				if done, err = s.Add(key, next.v, ttl, now); done != (!stands && !full) {
					t.Fatalf("add %s: %v", key, done)
				}
				if stands {
					next = old
				}
			case 3:
				var sum float64
				if stands {
					next = plain{Count(old.v.Num + float64(arg)), old.expires}
				}
				if sum, err = s.Incr(key, float64(arg), ttl, now); err == nil && sum != next.v.Num {
					t.Fatalf("incr %s: %v, want %v", key, sum, next.v.Num)
				}
			case 4:
				if s.Delete(key, now) != stands {
					t.Fatalf("delete %s: want %v", key, stands)
				}
				delete(model, key)
				continue
			}
			if full != errors.Is(err, ErrFull) || !full && err != nil {
				t.Fatalf("%s: %v, want full %v", key, err, full)
			}
			if !full {
				model[key] = next
			}
		}
		s.makeRoom(now)
		if st := s.Stats(); st.Entries != len(model) || st.Bytes != len(model)*(1+Overhead) {
			t.Fatalf("%+v, want %d entries", st, len(model))
		}
	})
}

func BenchmarkStore(b *testing.B) {
	s := New(Limits{})
	keys := make([]string, 1024)
	for i := range keys {
		keys[i] = fmt.Sprint("client-", i, ":count")
		_ = s.Set(keys[i], Count(1), 60_000, 0)
	}
	f := func(name string, call func(i int)) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				for i := 0; pb.Next(); i++ {
					call(i % len(keys))
				}
			})
		})
	}
	f("get", func(i int) { _, _ = s.Get(keys[i], 0) })
	f("incr", func(i int) { _, _ = s.Incr(keys[i], 1, 60_000, 0) })
	f("set with a ttl", func(i int) { _ = s.Set(keys[i], Count(1), 60_000, int64(i)) })
}

func TestNarrowerLimitsRefuseWhatIsNewAndKeepWhatIsThere(t *testing.T) {
	s := New(Limits{Entries: 3, Bytes: 1000})
	for _, key := range []string{"a", "b", "c"} {
		if err := s.Set(key, Count(1), 0, 0); err != nil {
			t.Fatal(err)
		}
	}
	s.SetLimits(Limits{Entries: 2, Bytes: 1000})
	if sum, err := s.Incr("a", 1, 0, 0); sum != 2 || err != nil {
		t.Errorf("what is there: %v, %v", sum, err)
	}
	s.Delete("c", 0)
	if err := s.Set("d", Count(1), 0, 0); err != ErrFull {
		t.Errorf("with 2 of 2: %v", err)
	}
	s.SetLimits(Limits{Entries: 4, Bytes: 3*(1+Overhead) + 10})
	if err := s.Set("d", Text("0123456789"), 0, 0); err != nil {
		t.Errorf("with more room: %v", err)
	}
	if err := s.Set("e", Count(1), 0, 0); err != ErrFull {
		t.Errorf("without bytes: %v", err)
	}
}
