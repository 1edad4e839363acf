package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// chain is the segments of a folder as their headers link them.
type chain struct {
	segments []*segment // all of them, by number
	last     *segment   // the one that nothing comes after; nil for an empty log
	needed   uint32     // as the newest header has it
	highest  uint32     // of all numbers
}

// survey reads the headers of all segments in dir.
func survey(dir string, files FS) (*chain, error) {
	names, err := files.List(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	c := &chain{needed: 1}
	for _, name := range names {
		number, ok := segmentNumber(name)
		if !ok {
			continue
		}
		s := &segment{path: segmentPath(dir, number)}
		s.number = number
		if err := s.look(files); err != nil {
			return nil, fmt.Errorf("segment %s: %w", name, err)
		}
		c.segments = append(c.segments, s)
		c.highest = number
	}
	c.link()
	return c, nil
}

// look reads what the file says of itself.
func (s *segment) look(files FS) error {
	f, err := files.Open(s.path)
	if err != nil {
		return err
	}
	defer f.Close()
	if s.size, err = f.Size(); err != nil {
		return err
	}
	s.end = s.size
	b := make([]byte, headerSize)
	if n, _ := io.ReadFull(io.NewSectionReader(f, 0, s.size), b); s.decode(b[:n], s.number) {
		return nil
	}
	w := newWindow(f, s.size)
	if s.unused = w.zeroFrom(headerSize); s.unused {
		return nil
	}
	s.broken = true
	s.salt, _ = findSalt(w)
	return nil
}

// link follows the headers from the newest segment back.
func (c *chain) link() {
	i := len(c.segments) - 1
	next := (*segment)(nil)
	for ; i >= 0; i-- {
		s := c.segments[i]
		switch {
		case next == nil && s.unused: // a crash came while it was made
			continue
		case next == nil:
			c.last = s
		case next.broken:
			// Nothing says what comes before: it has to be the one there is.
			s.sealed = s.created
		case s.number > next.prev:
			s.unused = true
			continue
		case s.number == next.prev:
			s.sealed, s.exact = next.created, true
			s.end = int64(next.prevEnd)
		default:
			next.missing = next.prev
			s.sealed = next.created
		}
		if s.unused { // and yet part of the log: its header is gone
			s.unused, s.broken = false, true
		}
		next = s
	}
	if next != nil && !next.broken {
		next.missing = next.prev
	}
	for i := len(c.segments) - 1; i >= 0; i-- {
		if s := c.segments[i]; !s.broken && !s.unused {
			c.needed = s.needed
			break
		}
	}
	if c.last != nil {
		c.last.sealed = 0
	}
}

// findSalt finds the salt that the frames of a segment were written with when
// its header does not say: the first that two frames in a row agree on, of
// which one is a commit record.
func findSalt(w *window) (salt uint32, ok bool) {
	for off := int64(headerSize); ; off += 8 {
		if off, ok = w.seekCommit(off); !ok {
			return 0, false
		}
		first, ok := w.impliedSalt(off)
		if !ok {
			continue
		}
		if second, ok := w.impliedSalt(off + commitFrame); ok && first == second {
			return first, true
		}
	}
}
