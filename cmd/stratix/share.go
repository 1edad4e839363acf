package main

import (
	"fmt"
	"strconv"
	"strings"
)

// share is a part of something, which flags give in percent: 5%, 0.5%.
type share float64

// String is the share as flags give it.
func (s share) String() string { return strconv.FormatFloat(100*float64(s), 'g', 6, 64) + "%" }

// UnmarshalText reads a percentage.
func (s *share) UnmarshalText(text []byte) error {
	number, ok := strings.CutSuffix(strings.TrimSpace(string(text)), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(number), 64)
	if !ok || err != nil || !(percent >= 0 && percent <= 100) {
		return fmt.Errorf("%q is no share: write 0%% to 100%%", text)
	}
	*s = share(percent / 100)
	return nil
}
