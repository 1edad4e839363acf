//go:build race

package coretest

const raceDetector = true
