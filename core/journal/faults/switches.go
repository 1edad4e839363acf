package faults

import "math"

// FailSyncs makes the next n Datasyncs fail; all, if n is negative, and none, if
// it is 0. What a file had not synced then is never written, though it can be
// read until the crash.
func (f *FS) FailSyncs(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.failSyncs = n
}

// Full switches on that the disk is full.
func (f *FS) Full(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.full = on
}

// NoOpens switches on that no file can be opened that is there: the process has
// no descriptors left.
func (f *FS) NoOpens(on bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.noOpens = on
}

// Room makes the disk full when n more bytes are written; negative: never. The
// write that does not fit is done in part.
func (f *FS) Room(n int64) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.room = n; n < 0 {
		f.room = math.MaxInt64
	}
}

// ShortWrites makes the next n writes stop half way.
func (f *FS) ShortWrites(n int) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.short = n
}
