package arena

import "golang.org/x/sys/unix"

const pagesNotNeeded = unix.MADV_DONTNEED

// keepPagesSmall asks for no huge pages: of these a few bytes in use cost 2 MiB,
// and the kernel may fill up again what dropPages gave back. A kernel that has
// none says no, which is as well.
func keepPagesSmall(memory []byte) { _ = unix.Madvise(memory, unix.MADV_NOHUGEPAGE) }
