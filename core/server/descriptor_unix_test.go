//go:build unix

package server

import "golang.org/x/sys/unix"

func closeDescriptor(fd int) { _ = unix.Close(fd) }
