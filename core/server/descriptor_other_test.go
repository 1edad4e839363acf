//go:build !unix

package server

func closeDescriptor(int) {}
