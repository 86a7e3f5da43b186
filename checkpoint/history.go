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
	stale   []keptRecord // superseded records whose steps are yet to be removed
	shapes  uint64       // shape versions up to the newest
	strays  bool         // there are versions that belong to no whole record
	any     bool         // there is anything at all
	markers []marker     // of kept; only while it is being read
}

type keptRecord struct {
	seq   uint64
	parts int // of the checkpoint
	steps int // of the notes
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

// counts is what readHistory counts, by sequence.
type counts struct {
	parts  map[uint64]int // of the checkpoint
	steps  map[uint64]int
	last   map[uint64]int // the highest number of a step
	large  map[uint64]bool
	shapes []uint64 // the sequence of each version
	shape  uint64   // the last of any part of one
	notes  bool
}

// readHistory reads all keys but the notes and checks that nothing is missing
// from the middle: the markers form a chain, each has its checkpoint and as many
// steps as it says, and there are as many shapes as the newest says.
func readHistory(db *badger.DB) (history, error) {
	var h history
	n := counts{parts: map[uint64]int{}, steps: map[uint64]int{}, last: map[uint64]int{}, large: map[uint64]bool{}}
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
		default:
			n.add(e)
		}
		return nil
	})
	if err == nil {
		n.notes, err = anyKey(db, notePrefix)
	}
	if err != nil {
		return h, err
	}
	return h, h.check(n)
}

func (n *counts) add(e entry) {
	switch e.kind {
	case recordPrefix:
		n.parts[e.seq]++
	case undoPrefix:
		n.steps[e.seq]++
		n.last[e.seq] = e.part // they come in order
	case largePrefix:
		n.large[e.seq] = true
	case shapePrefix:
		if e.part == 0 {
			n.shapes = append(n.shapes, e.seq)
		}
		n.shape = max(n.shape, e.seq)
	}
}

func (h *history) check(n counts) error {
	prev := h.head.pruned
	for i := range h.kept {
		k, m := &h.kept[i], h.markers[i]
		if k.seq <= h.head.pruned || m.prev != prev {
			return fmt.Errorf("sequence %d follows %d, and %d is there", k.seq, m.prev, prev)
		}
		if k.parts = n.parts[k.seq]; k.parts == 0 {
			return fmt.Errorf("the checkpoint of sequence %d is missing", k.seq)
		}
		if k.steps = n.steps[k.seq]; uint64(k.steps) != m.steps {
			return fmt.Errorf("sequence %d has %d steps of %d", k.seq, k.steps, m.steps)
		}
		delete(n.parts, k.seq)
		delete(n.steps, k.seq)
		delete(n.large, k.seq)
		prev = k.seq
	}
	if len(h.kept) > 0 && h.head.first == 0 {
		return errors.New("there are sequences but no first one")
	}
	for _, seq := range n.shapes {
		if seq <= h.newest() {
			h.shapes++
		}
	}
	if n := len(h.kept); n > 0 && h.shapes != h.markers[n-1].shapes {
		return fmt.Errorf("there are %d shapes, and sequence %d counts %d", h.shapes, h.newest(), h.markers[n-1].shapes)
	}
	h.markers = nil
	h.sortOut(n)
	return nil
}

// sortOut tells what belongs to no kept record: steps that are superseded, and
// what has to go.
func (h *history) sortOut(n counts) {
	for seq := range n.steps {
		if seq > h.head.pruned {
			h.strays = true
			continue
		}
		h.stale = append(h.stale, keptRecord{seq: seq, steps: n.last[seq] + 1})
	}
	for seq := range n.large {
		h.strays = h.strays || seq > h.head.pruned
	}
	h.strays = h.strays || len(n.parts) > 0 || n.shape > h.newest() || (len(h.kept) == 0 && (n.notes || len(n.large)+len(n.steps) > 0))
}

// stray reports whether a sequence is of no record that is, or was, whole.
func (h *history) stray(seq uint64) bool {
	i := h.upTo(seq)
	return seq > h.head.pruned && (i < 0 || h.kept[i].seq != seq)
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
	for _, k := range out {
		if k.steps > 0 {
			h.stale = append(h.stale, k)
		}
	}
	return out
}

// eachKey calls fn for every key with the prefix, in order, but for the notes,
// of which there may be very many.
func eachKey(db *badger.DB, prefix []byte, fn func(*badger.Item) error) error {
	return read(db, func(txn *badger.Txn) error {
		it := txn.NewIterator(keysOf(prefix))
		defer it.Close()
		for it.Rewind(); it.Valid(); {
			if it.Item().Key()[0] == notePrefix {
				it.Seek([]byte{notePrefix + 1})
				continue
			}
			if err := fn(it.Item()); err != nil {
				return err
			}
			it.Next()
		}
		return nil
	})
}

// anyKey reports whether there is a key with the prefix.
func anyKey(db *badger.DB, prefix byte) (found bool, err error) {
	err = read(db, func(txn *badger.Txn) error {
		it := txn.NewIterator(keysOf([]byte{prefix}))
		defer it.Close()
		it.Rewind()
		found = it.Valid()
		return nil
	})
	return found, err
}

func keysOf(prefix []byte) badger.IteratorOptions {
	o := badger.DefaultIteratorOptions
	o.PrefetchValues = false
	o.Prefix = prefix
	return o
}
