//go:build linux || darwin

package arena

import "golang.org/x/sys/unix"

// mapMemory gets n bytes of zeroes from the system, n whole pages, or nil if it
// has none. They cost memory once they are written to.
func mapMemory(n int) []byte {
	memory, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		return nil
	}
	keepPagesSmall(memory)
	return memory
}

// unmapMemory gives back what mapMemory got. The system refuses it only for
// arguments that make no sense.
func unmapMemory(memory []byte) {
	if err := unix.Munmap(memory); err != nil {
		panic("arena: unmap: " + err.Error())
	}
}

// dropPages lets the system have the pages of memory, which stays mapped and
// holds anything afterwards. Where it fails the pages stay, and are used again.
func dropPages(memory []byte) { _ = unix.Madvise(memory, pagesNotNeeded) }
