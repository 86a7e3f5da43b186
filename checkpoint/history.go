package checkpoint

import (
	"errors"
	"fmt"
	"slices"

	"github.com/dgraph-io/badger/v4"
)

// history is what is known of the versions without reading them.
type history struct {
	head    head
	kept    []keptRecord // the whole records, oldest first
	shapes  uint64       // shape versions up to the newest
	strays  bool         // there are versions that belong to no whole record
	any     bool         // there is anything at all
	markers []marker     // of kept; only while it is being read
	last    uint64       // the last sequence of any shape; only while it is being read
}

type keptRecord struct {
	seq   uint64
	parts int
}

// newest returns the last whole record's sequence. Where none is kept it is
// the last one that was, as far as it is known: nothing at or before it may be
// written again.
func (h *history) newest() uint64 {
	if len(h.kept) == 0 {
		return h.head.pruned
	}
	return h.kept[len(h.kept)-1].seq
}

// readHistory reads all keys and checks that nothing is missing from the
// middle: the markers form a chain, each has its checkpoint, and there are as
// many shapes as the newest says.
func readHistory(db *badger.DB) (history, error) {
	var h history
	parts := map[uint64]int{}
	var shapes []uint64 // sequence of each version
	err := eachKey(db, nil, func(item *badger.Item) error {
		h.any = true
		e, err := parseKey(item.Key())
		if err != nil {
			return err
		}
		switch e.kind {
		case headKey:
			return item.Value(func(b []byte) error {
				h.head, err = decodeHead(b)
				return err
			})
		case markerPrefix:
			return item.Value(func(b []byte) error {
				m, err := decodeMarker(b)
				h.kept = append(h.kept, keptRecord{seq: e.seq})
				h.markers = append(h.markers, m)
				return err
			})
		case recordPrefix:
			parts[e.seq]++
		case shapePrefix:
			if e.part == 0 {
				shapes = append(shapes, e.seq)
			}
			h.last = max(h.last, e.seq)
		}
		return nil
	})
	if err != nil {
		return h, err
	}
	return h, h.check(parts, shapes)
}

func (h *history) check(parts map[uint64]int, shapes []uint64) error {
	prev := h.head.pruned
	for i := range h.kept {
		k := &h.kept[i]
		if k.seq <= h.head.pruned || h.markers[i].prev != prev {
			return fmt.Errorf("sequence %d follows %d, and %d is there", k.seq, h.markers[i].prev, prev)
		}
		if k.parts = parts[k.seq]; k.parts == 0 {
			return fmt.Errorf("the checkpoint of sequence %d is missing", k.seq)
		}
		delete(parts, k.seq)
		prev = k.seq
	}
	if len(h.kept) > 0 && h.head.first == 0 {
		return errors.New("there are sequences but no first one")
	}
	for _, seq := range shapes {
		if seq <= h.newest() {
			h.shapes++
		}
	}
	if n := len(h.kept); n > 0 && h.shapes != h.markers[n-1].shapes {
		return fmt.Errorf("there are %d shapes, and sequence %d counts %d", h.shapes, h.newest(), h.markers[n-1].shapes)
	}
	h.strays = len(parts) > 0 || h.last > h.newest()
	h.markers = nil
	return nil
}

// upTo returns the index in kept of the newest record at or before seq, or -1.
func (h *history) upTo(seq uint64) int {
	i, found := slices.BinarySearchFunc(h.kept, seq, func(k keptRecord, seq uint64) int {
		switch {
		case k.seq < seq:
			return -1
		case k.seq > seq:
			return 1
		default:
			return 0
		}
	})
	if found {
		return i
	}
	return i - 1
}

// supersede adds a record and takes out those that are then too many, a few
// at a time, and returns them.
func (h *history) supersede(k keptRecord, retain int) []keptRecord {
	h.kept = append(h.kept, k)
	const atOnce = 8
	n := min(max(0, len(h.kept)-retain), atOnce)
	out := h.kept[:n]
	if n > 0 {
		h.head.pruned = out[n-1].seq
		h.kept = h.kept[n:]
	}
	return out
}

// eachKey calls fn for every key with the prefix, in order.
func eachKey(db *badger.DB, prefix []byte, fn func(*badger.Item) error) error {
	return read(db, func(txn *badger.Txn) error {
		o := badger.DefaultIteratorOptions
		o.PrefetchValues = false
		o.Prefix = prefix
		it := txn.NewIterator(o)
		defer it.Close()
		for it.Rewind(); it.Valid(); it.Next() {
			if err := fn(it.Item()); err != nil {
				return err
			}
		}
		return nil
	})
}
