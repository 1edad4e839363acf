package arena

import "golang.org/x/sys/unix"

// pagesNotNeeded lets the system take the pages when it is short of them; its
// MADV_DONTNEED is only a hint about paging.
const pagesNotNeeded = unix.MADV_FREE

func keepPagesSmall([]byte) {}
