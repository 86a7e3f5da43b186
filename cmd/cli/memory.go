package cli

import (
	"runtime/debug"

	"github.com/rowferry/rowferry"
)

// budget says how the memory that was allowed is divided. The shares are
// meant to add up to less than the whole, because the peak is what is
// promised and the garbage collector needs room to work in.
//
//	share   of 256 MiB   for
//	 1/2      128 MiB    the Go heap and everything the runtime keeps for it
//	                     (its soft limit): batches, the reader, the decoder,
//	                     the program itself
//	 1/8       32 MiB    the state's memtables and caches, of which only the
//	                     memtables lie in the Go heap
//	 1/16      16 MiB    the target's page cache, outside the Go heap or not,
//	                     by the driver
//	 rest      80 MiB    what lies outside the soft limit's control: stacks,
//	                     one event being inflated, the four largest rows
//
// Within the heap, a batch and the one being collected behind it take 1/32
// each (8 MiB), and one transaction may take 3/32 (24 MiB) before it spills.
type budget struct {
	Total      int64 // what was allowed, in bytes
	Heap       int64 // the runtime's soft limit
	BatchBytes int
	SpillBytes int
	StateBytes int64 // for the state's memtables and caches together
	SinkBytes  int64 // for the target's page cache
}

// divide returns the budget for a total of at least leastMemory.
func divide(total int64) budget {
	const mostBatch, mostSpill, mostState, mostSink = 64 << 20, 1 << 30, 256 << 20, 256 << 20
	return budget{
		Total:      total,
		Heap:       total / 2,
		BatchBytes: int(min(total/32, mostBatch)),
		SpillBytes: int(min(total*3/32, mostSpill)),
		StateBytes: min(total/8, mostState),
		SinkBytes:  min(total/16, mostSink),
	}
}

// apply puts the soft limit in force and returns a function that lifts it.
// The engine's own shares are set in options.
func (b budget) apply(o *rowferry.Options) (lift func()) {
	o.BatchBytes, o.SpillBytes = b.BatchBytes, b.SpillBytes
	before := debug.SetMemoryLimit(b.Heap)
	return func() { debug.SetMemoryLimit(before) }
}
