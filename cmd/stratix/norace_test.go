//go:build !race

package main

// raceEnabled makes the large tests smaller: the detector costs a factor of ten.
const raceEnabled = false
