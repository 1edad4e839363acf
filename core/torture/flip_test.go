package torture

import (
	"bytes"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestAFlipChangesOneWrittenBitOfAClosedSegment(t *testing.T) {
	folder := t.TempDir()
	written := bytes.Repeat([]byte{0x5a}, 1000)
	for _, name := range []string{"log/1.seg", "log/2.seg", "log/3.seg", "other"} {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, append(bytes.Clone(written), make([]byte, 1000)...), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	did, err := flip(folder, rand.New(rand.NewPCG(1, 1)))
	if err != nil || !strings.Contains(did, ".seg, byte ") {
		t.Fatalf("%q %v", did, err)
	}
	bits := map[string]int{}
	for _, name := range []string{"log/1.seg", "log/2.seg", "log/3.seg", "other"} {
		got, err := os.ReadFile(filepath.Join(folder, name))
		if err != nil {
			t.Fatal(err)
		}
		for i, b := range got {
			want := byte(0)
			if i < len(written) {
				want = written[i]
			}
			for diff := b ^ want; diff != 0; diff &= diff - 1 {
				bits[name]++
				if i >= len(written) {
					t.Errorf("%s was changed at %d, where nothing was written", name, i)
				}
			}
		}
	}
	if bits["log/1.seg"]+bits["log/2.seg"] != 1 || bits["log/3.seg"] != 0 || bits["other"] != 0 {
		t.Errorf("changed bits: %v", bits)
	}
}

func TestTheOnlySegmentIsNotFlipped(t *testing.T) {
	folder := t.TempDir()
	if err := os.WriteFile(filepath.Join(folder, "1.seg"), []byte("written"), 0o644); err != nil {
		t.Fatal(err)
	}
	if did, err := flip(folder, rand.New(rand.NewPCG(1, 1))); did != "" || err != nil {
		t.Errorf("%q %v", did, err)
	}
}
