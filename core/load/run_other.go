//go:build !linux

package load

import (
	"context"
	"errors"
	"io"
)

// Run needs epoll and /proc, so it fails here.
func Run(context.Context, Config, io.Writer) (Report, error) {
	return Report{}, errors.New("bench: the load generator runs on Linux only")
}
