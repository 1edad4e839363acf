package main

import "testing"

func TestAShareIsAPercentage(t *testing.T) {
	f := func(text string, want share, ok bool) {
		t.Helper()
		var s share
		if err := s.UnmarshalText([]byte(text)); (err == nil) != ok || s != want {
			t.Errorf("%q: got %v, %v", text, s, err)
		}
	}
	f("5%", 0.05, true)
	f(" 0.5 % ", 0.005, true)
	f("100%", 1, true)
	f("0%", 0, true)
	f("5", 0, false)
	f("101%", 0, false)
	f("-1%", 0, false)
	f("NaN%", 0, false)
	f("%", 0, false)
	f("", 0, false)
}
