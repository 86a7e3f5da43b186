package cli

import (
	"runtime/debug"

	"github.com/rowferry/rowferry"
)

// budget says how the memory that was allowed is divided:
//
//	            of 256 MiB   for
//	fixed           40 MiB   SQLite's page cache, outside the Go heap
//	1/8 of rest     27 MiB   room for the garbage collector, whose limit is
//	                         soft, and for what it does not see
//	7/8 of rest    189 MiB   the Go heap with all that the runtime keeps
//
// What lives in the heap at a time, with its share of the whole:
//
//	1/16            16 MiB   transactions queued for the next batch
//	1/32             8 MiB   the batch in hand, whose mutations share its rows
//	3/32            24 MiB   the transaction being collected, before it spills
//	1/64             4 MiB   the chunk being decoded
//	at most 3/32    24 MiB   notes that were read or written lately, if there are any
//	fixed           16 MiB   the state's memtables and a spool
//	fixed           12 MiB   the program
//	               104 MiB   together; the rest is what the collector lets
//	                         pile up between two rounds, and up to 26 MiB for
//	                         the tables of the state that a compaction builds
//
// Beyond the whole come four times the largest row, as promised.
type budget struct {
	Total      int64 // what was allowed, in bytes
	Heap       int64 // the runtime's soft limit
	BatchBytes int
	SpillBytes int
	ChunkBytes int
	Recent     int // of notes; see checkpoint.Options
}

// sinkMemory is what the SQLite sink says that it takes, and fixedMemory what the state
// and the program do.
const (
	sinkMemory  = 40 << 20
	fixedMemory = 28 << 20
)

// divide returns the budget for a total of at least leastMemory. Batches stop
// growing with it where larger ones are no faster.
func divide(total int64) budget {
	const mostBatch, mostSpill, mostChunk, mostRecent = 32 << 20, 1 << 30, 16 << 20, 1 << 30
	b := budget{
		Total:      total,
		Heap:       (total - sinkMemory) / 8 * 7,
		BatchBytes: int(min(total/32, mostBatch)),
		SpillBytes: int(min(total*3/32, mostSpill)),
		ChunkBytes: int(min(total/64, mostChunk)),
	}
	b.Recent = int(min(total/8, mostRecent, (b.Heap-b.live())/2))
	return b
}

// live is what lives in the heap at a time, but for the notes.
func (b budget) live() int64 {
	return int64(3*b.BatchBytes+b.SpillBytes+b.ChunkBytes) + fixedMemory
}

// pileUp is how much may pile up between two rounds of the garbage collector where
// the limit is far, in percent of what lives: a small pipeline's rounds would come so
// often that a tenth of the time went into them.
const pileUp = 300

// apply puts the soft limit in force and returns a function that lifts it,
// and sets the engine's shares in its options.
func (b budget) apply(o *rowferry.Options) (lift func()) {
	o.BatchBytes, o.SpillBytes = b.BatchBytes, b.SpillBytes
	limit, percent := debug.SetMemoryLimit(b.Heap), debug.SetGCPercent(pileUp)
	return func() {
		debug.SetGCPercent(percent)
		debug.SetMemoryLimit(limit)
	}
}
