//go:build !linux && !darwin

package arena

// mapMemory gets n bytes of zeroes from the Go heap. They hold no pointers, but
// count for the collector's target.
func mapMemory(n int) []byte { return make([]byte, n) }

// unmapMemory leaves memory to the collector.
func unmapMemory([]byte) {}

func dropPages([]byte) {}
