package lua

import (
	"errors"
	"math"
	"strconv"
	"strings"

	glua "github.com/yuin/gopher-lua"
)

// mathLibrary is the math library with its constants.
func (v *vm) mathLibrary() *glua.LTable {
	t := v.library(functions{
		"abs": unary(math.Abs), "acos": unary(math.Acos), "asin": unary(math.Asin), "atan": unary(math.Atan),
		"ceil": unary(math.Ceil), "cos": unary(math.Cos), "cosh": unary(math.Cosh), "exp": unary(math.Exp),
		"floor": unary(math.Floor), "log": unary(math.Log), "log10": unary(math.Log10),
		"sin": unary(math.Sin), "sinh": unary(math.Sinh), "sqrt": unary(math.Sqrt),
		"tan": unary(math.Tan), "tanh": unary(math.Tanh),
		"deg":   unary(func(x float64) float64 { return x * 180 / math.Pi }),
		"rad":   unary(func(x float64) float64 { return x * math.Pi / 180 }),
		"atan2": binary(math.Atan2), "fmod": binary(math.Mod), "pow": binary(math.Pow),
		"max": fold(func(a, b float64) bool { return b > a }), "min": fold(func(a, b float64) bool { return b < a }),
		"frexp": mathFrexp, "ldexp": mathLdexp, "modf": mathModf,
		"random": v.mathRandom, "randomseed": mathRandomseed,
	})
	t.RawSetString("pi", glua.LNumber(math.Pi))
	t.RawSetString("huge", glua.LNumber(math.Inf(1)))
	return t
}

func unary(f func(float64) float64) glua.LGFunction {
	return func(L *glua.LState) int {
		L.Push(glua.LNumber(f(float64(L.CheckNumber(1)))))
		return 1
	}
}

func binary(f func(a, b float64) float64) glua.LGFunction {
	return func(L *glua.LState) int {
		L.Push(glua.LNumber(f(float64(L.CheckNumber(1)), float64(L.CheckNumber(2)))))
		return 1
	}
}

// fold returns the argument that better prefers to all others.
func fold(better func(a, b float64) bool) glua.LGFunction {
	return func(L *glua.LState) int {
		best := float64(L.CheckNumber(1))
		for i := 2; i <= L.GetTop(); i++ {
			if x := float64(L.CheckNumber(i)); better(best, x) {
				best = x
			}
		}
		L.Push(glua.LNumber(best))
		return 1
	}
}

func mathFrexp(L *glua.LState) int {
	fraction, exponent := math.Frexp(float64(L.CheckNumber(1)))
	L.Push(glua.LNumber(fraction))
	L.Push(glua.LNumber(exponent))
	return 2
}

func mathLdexp(L *glua.LState) int {
	L.Push(glua.LNumber(math.Ldexp(float64(L.CheckNumber(1)), integer(L, 2))))
	return 1
}

func mathModf(L *glua.LState) int {
	x := float64(L.CheckNumber(1))
	whole, fraction := math.Modf(x)
	if math.IsInf(x, 0) {
		whole, fraction = x, 0
	}
	L.Push(glua.LNumber(whole))
	L.Push(glua.LNumber(fraction))
	return 2
}

// mathRandom draws from the VM's own source: a float in [0,1), or an integer in
// [1,n] or [m,n].
func (v *vm) mathRandom(L *glua.LState) int {
	if L.GetTop() == 0 {
		L.Push(glua.LNumber(v.random.Float64()))
		return 1
	}
	low, high, last := 1.0, math.Floor(float64(L.CheckNumber(1))), 1
	if L.GetTop() > 1 {
		low, high, last = high, math.Floor(float64(L.CheckNumber(2))), 2
	}
	if !(low <= high) || high-low >= 1<<53 {
		L.ArgError(last, "interval is empty")
	}
	L.Push(glua.LNumber(low + float64(v.random.Int64N(int64(high-low)+1))))
	return 1
}

// mathRandomseed does nothing: each VM has a random source with a seed of its own.
func mathRandomseed(L *glua.LState) int {
	L.CheckNumber(1)
	return 0
}

// integer is argument n without its fraction. What no float64 counts exactly is
// cut to the largest that one does, so that sums of two do not overflow.
func integer(L *glua.LState, n int) int {
	const exact = 1 << 53
	x := float64(L.CheckNumber(n))
	if math.IsNaN(x) {
		return 0
	}
	return int(min(max(x, -exact), exact))
}

// optInteger is argument n, or otherwise where there is none.
func optInteger(L *glua.LState, n, otherwise int) int {
	if L.Get(n) == glua.LNil {
		return otherwise
	}
	return integer(L, n)
}

// parseNumber reads a number the way Lua 5.1 writes them: decimal, or 0x and
// hexadecimal digits; in another base an integer.
func parseNumber(s string, base int) (float64, bool) {
	s = strings.Trim(s, " \t\n\v\f\r")
	digits, negative := strings.CutPrefix(s, "-")
	if !negative {
		digits = strings.TrimPrefix(s, "+")
	}
	if hex := strings.ToLower(digits); strings.HasPrefix(hex, "0x") && (base == 10 || base == 16) {
		base, digits = 16, digits[2:]
	} else if base == 10 {
		if digits == "" || strings.Trim(digits, "0123456789.eE+-") != "" {
			return 0, false
		}
		n, err := strconv.ParseFloat(s, 64)
		return n, err == nil || errors.Is(err, strconv.ErrRange)
	}
	n, err := strconv.ParseUint(digits, base, 64)
	if err != nil || strings.HasPrefix(digits, "_") {
		return 0, false
	}
	if negative {
		return -float64(n), true
	}
	return float64(n), true
}
