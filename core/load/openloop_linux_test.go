package load

import (
	"testing"
	"testing/synctest"
	"time"
)

func TestStreamsKnowWhatIsLeft(t *testing.T) {
	f := func(span, per, next uint64, until time.Duration, want uint64) {
		t.Helper()
		s := stream{first: 100, span: span, per: per, next: next}
		if got := s.left(until); got != want {
			t.Errorf("%d in %d ns, from %d on, until %v: %d are left, want %d", per, span, next, until, got, want)
		}
		for s.due() < until {
			s.next++
		}
		if got := s.next - next; got != want {
			t.Errorf("%d in %d ns, from %d on, until %v: %d fall due, want %d", per, span, next, until, got, want)
		}
	}
	f(10, 1, 0, 100, 0)
	f(10, 1, 0, 50, 0)
	f(10, 1, 0, 101, 1)
	f(10, 1, 0, 110, 1)
	f(10, 1, 0, 111, 2)
	f(10, 1, 2, 111, 0)
	f(10, 1, 7, 111, 0)
	f(10, 3, 0, 103, 1) // at 100, 103, 106, 110
	f(10, 3, 0, 104, 2)
	f(10, 3, 1, 200, 29)
}

func TestADrainWaitsForThoseWhoStillSend(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, err := newFleet(target{}, 0, 2, nil)
		if err != nil {
			t.Fatal(err)
		}
		defer f.close()
		f.traffic = &traffic{copies: 1}
		drained := make(chan error, 1)
		go func() { drained <- f.drain(t.Context(), time.Hour, time.Hour) }()
		still := func(why string) {
			t.Helper()
			time.Sleep(30 * time.Second)
			if len(drained) > 0 {
				t.Errorf("it ended although %s", why)
			}
		}
		still("both may send")
		f.workers[0].hush()
		still("one may send")
		f.workers[1].Sent, f.workers[1].Acked = 1, 1
		f.workers[1].hush()
		still("a delivery is missing")
		f.workers[0].Delivered = 1
		f.workers[0].publish()
		if err := <-drained; err != nil {
			t.Error(err)
		}
	})
}
