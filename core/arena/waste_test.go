package arena

import "testing"

// unlimited is a budget that never has no room.
func unlimited() *Budget { return NewBudget(func() int64 { return 1 << 40 }) }

// waste fills n blocks of size bytes and returns what is leased beyond them, in
// percent.
func waste(t testing.TB, size, n int) float64 {
	b := unlimited()
	a := New(b)
	defer a.Close()
	for range n {
		ref, ok := a.Alloc(size)
		if !ok {
			t.Fatal("the system has no memory")
		}
		a.Bytes(ref)[0] = 1
	}
	return 100 * (float64(b.Used())/float64(n*size) - 1)
}

func TestTheWasteIsSmall(t *testing.T) {
	f := func(size int, most float64) {
		t.Helper()
		got := waste(t, size, 16<<20/size)
		t.Logf("%5d bytes: %.1f %%", size, got)
		if got > most {
			t.Errorf("%d bytes: %.1f %% are wasted", size, got)
		}
	}
	f(16, 1)
	f(64, 1)
	f(200, 6)
	f(256, 1)
	f(300, 6)
	f(512, 1)
	f(700, 6)
	f(1000, 6)
	f(1024, 1)
	f(1500, 6)
	f(4000, 6)
	f(8192, 1)
	f(32768, 1)
}

func TestClassesGrowInSmallSteps(t *testing.T) {
	for n := 0; n <= maxSmall; n++ {
		class := classFor[(n+blockStep-1)/blockStep]
		size := int(classSize[class])
		switch {
		case size < n || size%blockStep != 0:
			t.Fatalf("a block of %d bytes for %d", size, n)
		case class > 0 && int(classSize[class-1]) >= n:
			t.Fatalf("a block of %d bytes for %d, where one of %d would do", size, n, classSize[class-1])
		}
		if blocks := spanBytes / size; n > 256 && blocks > 16 && blocks*n*108 < spanBytes*100 {
			t.Errorf("blocks of %d bytes for %d leave too much of a span", size, n)
		}
	}
}
