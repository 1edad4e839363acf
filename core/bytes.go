package core

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// Bytes is a size in bytes, written as "512MiB", "64KiB", "1GB" or "4096".
type Bytes int64

// Longer suffixes stand before those they end with.
var sizeUnits = [...]struct {
	suffix string
	bytes  int64
}{
	{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10},
	{"TB", 1e12}, {"GB", 1e9}, {"MB", 1e6}, {"KB", 1e3}, {"kB", 1e3},
	{"B", 1}, {"", 1},
}

// UnmarshalText reads a whole number and a unit: B, KiB, MiB, GiB, TiB (powers
// of 1024), KB, MB, GB, TB (powers of 1000), or none for bytes.
func (b *Bytes) UnmarshalText(text []byte) error {
	s := string(text)
	for _, unit := range sizeUnits {
		digits, ok := strings.CutSuffix(s, unit.suffix)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 63)
		if err != nil {
			break
		}
		if n > math.MaxInt64/uint64(unit.bytes) {
			break
		}
		*b = Bytes(int64(n) * unit.bytes)
		return nil
	}
	return fmt.Errorf("%q is not a size: write a whole number and a unit, such as 64KiB, 512MiB or 1GB", s)
}

// String is the size in the largest unit of 1024 that holds it exactly.
func (b Bytes) String() string {
	for _, unit := range sizeUnits[:4] {
		if b != 0 && int64(b)%unit.bytes == 0 {
			return strconv.FormatInt(int64(b)/unit.bytes, 10) + unit.suffix
		}
	}
	return strconv.FormatInt(int64(b), 10) + "B"
}
