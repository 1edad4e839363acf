//go:build !unix

package server

import (
	"errors"
	"net"
)

func duplicate(net.Conn) (int, error) {
	return -1, errors.New("duplicate the descriptor: this system needs the goroutine transport")
}

func makePrivate(uintptr) {}
