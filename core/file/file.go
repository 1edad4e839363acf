// Package file reads the small files that a gateway is given: settings, keys,
// certificates.
package file

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
)

// Max bounds such a file, in bytes.
const Max = 1 << 20

// Read returns what a regular file of at most Max bytes holds, and its mode. It does
// not wait for anybody, as the opening of a pipe would. An error names the path.
func Read(path string) (text []byte, mode fs.FileMode, err error) {
	text, mode, err = read(path)
	var named *fs.PathError
	if errors.As(err, &named) {
		err = named.Err
	}
	if err != nil {
		return nil, 0, fmt.Errorf("%s: %w", path, err)
	}
	return text, mode, nil
}

func read(path string) ([]byte, fs.FileMode, error) {
	info, err := os.Stat(path)
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New("it is not a regular file")
	}
	if err != nil {
		return nil, 0, err
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, err
	}
	defer func() { _ = f.Close() }()
	if info, err = f.Stat(); err != nil { // the one that is read now: it may be another one
		return nil, 0, err
	}
	text, err := io.ReadAll(io.LimitReader(f, Max+1))
	if err == nil && len(text) > Max {
		err = fmt.Errorf("it holds more than %d bytes", Max)
	}
	return text, info.Mode(), err
}
