package arena

// A class is a size of blocks. The sizes go in steps of blockStep up to
// finestClasses, of twice that up to fineClasses; above, each is the largest of
// which so many fit into a span, so that nothing is left over at its end, and
// about 6 % from the one before as long as a span holds enough of them for that.
//
// Finer steps would waste less of each block, and more in spans that are not
// full: two of these bytes are a percent of what most messages take.
const (
	blockStep     = 4
	leastBlock    = 16 // a span has numbers for no more
	finestClasses = 512
	fineClasses   = 1024
	maxSmall      = 32 << 10 // larger blocks get a mapping of their own
	classes       = (finestClasses-leastBlock)/blockStep + 1 + (fineClasses-finestClasses)/(2*blockStep) + 45
)

// classSize is the block size of each class in bytes.
var classSize = sizes()

// classFor is the class for a block of (i-1)*blockStep+1 to i*blockStep bytes.
var classFor = smallestClasses()

func sizes() (all [classes]uint32) {
	n := 0
	for size := leastBlock; size <= fineClasses; size += blockStep {
		if size > finestClasses {
			size += blockStep
		}
		all[n] = uint32(size)
		n++
	}
	last := all[n-1]
	const step = 2 * blockStep
	for blocks := spanBytes/fineClasses - 1; blocks >= spanBytes/maxSmall; blocks-- {
		size := uint32(spanBytes / blocks / step * step)
		next := uint32(spanBytes / max(blocks-1, 1) / step * step)
		if uint64(next)*100 > uint64(last)*106 || size == maxSmall { // the next one would be too far
			all[n] = size
			last = size
			n++
		}
	}
	if n != classes {
		panic("arena: the number of classes is not what it is said to be")
	}
	return all
}

func smallestClasses() (of [maxSmall/blockStep + 1]uint8) {
	class := 0
	for i := range of {
		for classSize[class] < uint32(i*blockStep) {
			class++
		}
		of[i] = uint8(class)
	}
	return of
}
