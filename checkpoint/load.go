package checkpoint

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Load returns the newest checkpoint recorded at or before the given sequence,
// and every table's newest shape at or before it, in order of name. There are
// three other outcomes:
//
//   - nil, nil: nothing was ever recorded at or before the sequence.
//   - CodeStateNeeded: something was, but that checkpoint is no longer kept
//     (only the last Retained are). The directory cannot serve a pipeline
//     that went back so far; it is as if it were missing.
//   - CodeStateCorrupt: what was recorded cannot be read.
func (s *Store) Load(through uint64) (*rowferry.Remembered, error) {
	if s.closed {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "the state directory is closed")
	}
	h := &s.history
	i := h.upTo(through)
	if i < 0 {
		if h.head.first == 0 || through < h.head.first {
			return nil, nil
		}
		e := rowferry.Errorf(rowferry.CodeStateNeeded, "the state directory no longer has the checkpoint of sequence %d", through).Fact("directory", "%s", s.dir)
		if len(h.kept) > 0 {
			e = e.Fact("oldest kept", "sequence %d", h.kept[0].seq)
		}
		return nil, e
	}
	r, err := s.load(h.kept[i].seq)
	if err != nil {
		return nil, corrupt(s.dir, err)
	}
	return r, nil
}

func (s *Store) load(seq uint64) (*rowferry.Remembered, error) {
	var r rowferry.Remembered
	data, err := s.readBlob(recordKey(seq), blobCheckpoint)
	if err != nil {
		return nil, fmt.Errorf("the checkpoint of sequence %d: %w", seq, err)
	}
	c, rules, hasRules, err := decodeCheckpoint(data)
	if err == nil && (c.Sequence != seq || c.Pipeline != s.format.Pipeline) {
		err = fmt.Errorf("it is of sequence %d of pipeline %q", c.Sequence, c.Pipeline)
	}
	if err != nil {
		return nil, fmt.Errorf("the checkpoint of sequence %d: %w", seq, err)
	}
	r.Checkpoint = c
	if hasRules {
		if r.Rules, err = s.readRules(rules); err != nil {
			return nil, fmt.Errorf("the rules of sequence %d: %w", seq, err)
		}
	}
	r.Shapes, err = s.loadShapes(seq)
	return &r, err
}

// loadShapes returns the shapes in force at seq.
func (s *Store) loadShapes(seq uint64) ([]*schema.Table, error) {
	newest, err := s.shapeVersions(seq)
	if err != nil {
		return nil, err
	}
	var tables []*schema.Table
	for _, v := range newest {
		t, err := s.readShape(v)
		if err != nil {
			return nil, fmt.Errorf("the shape of %s of sequence %d: %w", v.name, v.seq, err)
		}
		if t != nil {
			tables = append(tables, t)
		}
	}
	return tables, nil
}

// shapeVersions returns every table's newest version at or before seq.
func (s *Store) shapeVersions(seq uint64) ([]entry, error) {
	var newest []entry
	err := eachKey(s.db, []byte{shapePrefix}, func(item *badger.Item) error {
		e, err := parseKey(item.Key())
		if err != nil || e.seq > seq || e.part != 0 {
			return err
		}
		// The versions of one table follow each other, oldest first.
		if n := len(newest); n > 0 && newest[n-1].name == e.name {
			newest[n-1] = e
			return nil
		}
		newest = append(newest, e)
		return nil
	})
	return newest, err
}

// readShape returns nil for a table that had ended.
func (s *Store) readShape(v entry) (*schema.Table, error) {
	key, err := shapeKey(v.name, v.seq)
	if err != nil {
		return nil, err
	}
	kind, data, err := s.readAny(key)
	switch {
	case err != nil:
		return nil, err
	case kind == blobDropped && len(data) == 0:
		return nil, nil
	case kind != blobShape:
		return nil, fmt.Errorf("it is of kind %q", kind)
	}
	t, err := decodeTable(data)
	if err == nil && t.Name != v.name {
		err = fmt.Errorf("it is of table %s", t.Name)
	}
	return t, err
}

func (s *Store) readRules(sum [32]byte) (string, error) {
	data, err := s.readBlob(rulesKey(sum), blobRules)
	if err != nil {
		return "", err
	}
	if rulesSum(string(data)) != sum {
		return "", errChecksum
	}
	return string(data), nil
}

func (s *Store) readBlob(key []byte, want byte) ([]byte, error) {
	kind, data, err := s.readAny(key)
	if err == nil && kind != want {
		err = fmt.Errorf("it is of kind %q", kind)
	}
	return data, err
}

// readAny puts the parts of a blob together and decodes it.
func (s *Store) readAny(key []byte) (kind byte, data []byte, err error) {
	err = read(s.db, func(txn *badger.Txn) error {
		kind, data, err = readParts(txn, key)
		return err
	})
	return kind, data, err
}

func readParts(txn *badger.Txn, key []byte) (kind byte, data []byte, err error) {
	var value []byte
	for part := 0; part < maxParts; part++ {
		item, err := txn.Get(partKey(key, part))
		if errors.Is(err, badger.ErrKeyNotFound) {
			return 0, nil, fmt.Errorf("part %d is missing", part)
		}
		if err != nil {
			return 0, nil, err
		}
		if err := item.Value(func(b []byte) error { value = append(value, b...); return nil }); err != nil {
			return 0, nil, err
		}
		if len(value) >= blobLength(value) {
			return decodeBlob(value)
		}
	}
	return 0, nil, fmt.Errorf("it has too many parts")
}

// blobLength returns how long a whole blob is, from its beginning. What is
// not the beginning of one is taken as it is, and does not decode.
func blobLength(b []byte) int {
	if len(b) < 2 {
		return 0
	}
	n, size := binary.Uvarint(b[2:])
	if size <= 0 || n > maxBlobLength {
		return 0
	}
	return 2 + size + 4 + int(n)
}

// read runs fn in a read transaction. What Badger panics with on damaged files
// is returned as an error.
func read(db *badger.DB, fn func(*badger.Txn) error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s", errDamaged, bytes.TrimSpace([]byte(fmt.Sprint(p))))
		}
	}()
	return db.View(fn)
}
