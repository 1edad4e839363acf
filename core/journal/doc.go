// Package journal is the append-only log on disk. It knows nothing of messages:
// a record is opaque bytes. One goroutine, the committer, gathers the batches of
// all producers into one write and one fdatasync, then tells them.
//
// The log is a folder of segments, files such as 00000017.seg. All integers are
// little endian. A segment begins with a header of 64 bytes:
//
//	 0  "STXJ"
//	 4  version, 1
//	 8  number of this segment
//	12  oldest segment that was needed when this one was made
//	16  creation, milliseconds since 1970 (8 bytes)
//	24  number of the segment before; 0 for none
//	28  where that one ends; what stands behind it there is ignored
//	32  salt, random
//	36  zeros
//	60  CRC32C of the bytes before
//
// Frames follow, each at a multiple of 8:
//
//	0  length of the payload; the top bit is set in a commit record
//	4  check: CRC32C of the length, the payload and the padding, xor salt, xor
//	   a hash of the frame's offset in the file (see place)
//	8  the payload, padded with zeros to a multiple of 8
//
// A length of 0 is the end: segments are preallocated. The salt and the offset
// see to it that bytes of a payload are not taken for a frame when reading
// begins anew behind damage, nor blocks that a disk wrote to the wrong place.
//
// A commit is a commit record and the records of its batches. The payload of a
// commit record is the number of the commit (8 bytes), its time in milliseconds
// since 1970 (8 bytes), and how many bytes and how many records belong to it
// (4 bytes each).
//
// Numbers only grow but may have gaps: a segment that could not be finished
// leaves one. The header's link to the segment before is what counts; a segment
// that no later one links to was given up when it was made.
package journal
