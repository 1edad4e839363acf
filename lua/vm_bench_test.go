package lua

import (
	"testing"

	glua "github.com/yuin/gopher-lua"
)

func BenchmarkVMNew(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		newVM(vmOptions{}).close()
	}
}

func BenchmarkVMCall(b *testing.B) {
	v := newTestVM(b, vmOptions{})
	fn := handler(b, v, `return function(msg) end`)
	var arg glua.LValue = v.L.NewUserData()
	b.ReportAllocs()
	for b.Loop() {
		if err := v.call(fn, 0, arg); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkVMLoop(b *testing.B) {
	const loop = `return function() local n = 0 for i = 1, 10000 do n = n + i end return n end`
	bench := func(name string, counted bool) {
		b.Run(name, func(b *testing.B) {
			v := newTestVM(b, vmOptions{})
			fn := handler(b, v, loop)
			if !counted {
				v.L.RemoveContext()
			}
			for b.Loop() {
				if err := v.call(fn, 1); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	bench("counted", true)
	bench("uncounted", false)
}

func BenchmarkVMOperators(b *testing.B) {
	bench := func(name, body string) {
		b.Run(name, func(b *testing.B) {
			v := newTestVM(b, vmOptions{Budget: 1 << 40})
			fn := handler(b, v, "return function(n) local t, s = {}, 'x' for i = 1, n do "+body+" end end")
			b.ReportAllocs()
			b.ResetTimer()
			if err := v.call(fn, 0, glua.LNumber(b.N)); err != nil {
				b.Fatal(err)
			}
		})
	}
	bench("empty", "")
	bench("concat", "local a = s .. i .. s")
	bench("set", "t[i % 50 + 1] = i")
	bench("setfield", "t.field = i")
	bench("library", "local a = string.len(s)")
	bench("method", "local a = s:len()")
	bench("find", "local a = s:find('x')")
	bench("match", "local a = s:match('^%a+$')")
}
