package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// The keys of a stage, a database of its own.
//
//	r table key        a row: whole in its place, or where its pieces are
//	p number piece     a piece of a large row
//	c table number     a chunk
//	l …                a change that is listed; see stagelist.go
//
// A table is its schema and name, each with its length. The pieces of a row that
// was replaced stay until the stage goes: a row changes by one key, and so as a
// whole.
const (
	stageRow   = 'r'
	stagePiece = 'p'
	stageChunk = 'c'

	stagedWhole  = 0 // the row follows
	stagedPieces = 1 // uvarint number, uvarint pieces
)

// The sizes of a stage in bytes: memtables larger than the state's, since rows come
// in bulk. Its tables double by the level, for it may be as large as a database: 1 MiB
// in one of a gigabyte, 4 MiB in one of a hundred.
const (
	stageMemtable = 8 << 20
	pieceSize     = chunkSize
	maxStageKey   = 60 << 10
)

// stage implements rowferry.Stage.
type stage struct {
	dir   string // the state directory
	db    *badger.DB
	piece atomic.Uint64 // the number of the large row that came last; never used before
}

var _ rowferry.Stage = (*stage)(nil)

// Stage implements rowferry.State.
func (s *Store) Stage(fresh bool) (rowferry.Stage, error) {
	path := filepath.Join(s.dir, stageName)
	if fresh {
		if err := s.DropStage(); err != nil {
			return nil, err
		}
		if err := os.Mkdir(path, 0o700); err != nil {
			return nil, s.writeError(err)
		}
	} else if _, err := os.Stat(path); errors.Is(err, fs.ErrNotExist) {
		return nil, rowferry.Errorf(rowferry.CodeStateNeeded, "the state directory lacks the rows of a copy that is not done").
			Fact("directory", "%s", s.dir).
			Remedy("go on", "put the state directory back as it was").
			Remedy("start over", "rowferry destroy, then run again into empty tables")
	}
	opt := badgerOptions(path).WithMemTableSize(stageMemtable).WithBaseTableSize(256 << 10).WithBaseLevelSize(16 << 20).
		WithSyncWrites(!s.unsynced)
	db, err := openBadger(path, opt, false)
	if err != nil {
		return nil, s.stageError(err)
	}
	if err := errors.Join(syncDir(path), syncDir(s.dir)); err != nil {
		return nil, errors.Join(s.writeError(err), db.Close())
	}
	st := &stage{dir: s.dir, db: db}
	st.piece.Store(uint64(time.Now().UnixNano()))
	return st, nil
}

// DropStage implements rowferry.State.
func (s *Store) DropStage() error {
	path, old := filepath.Join(s.dir, stageName), filepath.Join(s.dir, stageOld)
	if _, err := os.Stat(path); err == nil {
		// Under its name a stage that is half gone would be taken for a whole one.
		if err := os.RemoveAll(old); err != nil {
			return s.writeError(err)
		}
		if err := os.Rename(path, old); err != nil {
			return s.writeError(err)
		}
		if err := syncDir(s.dir); err != nil {
			return s.writeError(err)
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return s.writeError(err)
	}
	if err := os.RemoveAll(old); err != nil {
		return s.writeError(err)
	}
	return nil
}

func (s *Store) stageError(err error) error { return stageError(s.dir, err) }

func stageError(dir string, err error) error {
	switch {
	case err == nil, rowferry.CodeOf(err) != "":
		return err
	case isFull(err):
		return fullError(dir, err)
	default:
		return corrupt(dir, fmt.Errorf("the rows of a copy: %w", err))
	}
}

// guard calls fn, and returns what Badger panics with on damaged files.
func (s *stage) guard(fn func() error) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("%w: %s", errDamaged, bytes.TrimSpace([]byte(fmt.Sprint(p))))
		}
		err = stageError(s.dir, err)
	}()
	return fn()
}

// Put implements rowferry.Stage.
func (s *stage) Put(t *schema.Table, rows []rowferry.StagedRow) error {
	return s.guard(func() error {
		w := s.db.NewWriteBatch()
		w.SetMaxPendingTxns(2) // of a megabyte each
		defer w.Cancel()
		for i := range rows {
			if err := s.set(w, t, &rows[i]); err != nil {
				return err
			}
		}
		return w.Flush()
	})
}

func (s *stage) set(w *badger.WriteBatch, t *schema.Table, r *rowferry.StagedRow) error {
	key := stageRowKey(t.Name, r.Key)
	if len(key) > maxStageKey {
		return rowferry.Errorf(rowferry.CodeCopyRefused, "a key of table %s is larger than %d bytes", t.Name, maxStageKey)
	}
	if r.Row == nil {
		return w.Delete(key)
	}
	value := appendRow([]byte{stagedWhole}, r.Row)
	if len(value) <= pieceSize {
		return w.Set(key, value)
	}
	number, pieces := s.piece.Add(1), uint64(0)
	before := s.db.NewWriteBatch() // the row may say that they are there
	defer before.Cancel()
	for rest := value[1:]; len(rest) > 0; pieces++ {
		n := min(len(rest), pieceSize)
		if err := before.Set(pieceKey(number, pieces), rest[:n:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	if err := before.Flush(); err != nil {
		return err
	}
	return w.Set(key, binary.AppendUvarint(binary.AppendUvarint([]byte{stagedPieces}, number), pieces))
}

// Get implements rowferry.Stage.
func (s *stage) Get(t *schema.Table, key []rowferry.Value) (row rowferry.Row, err error) {
	err = s.guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			stored, err := get(txn, stageRowKey(t.Name, key), nil)
			if stored == nil || err != nil {
				return err
			}
			row, err = stagedRow(txn, stored, len(t.Columns), new([]rowferry.Value))
			return err
		})
	})
	return row, err
}

// stagedRow reads a row from what is stored under its key.
func stagedRow(txn *badger.Txn, stored []byte, columns int, slab *[]rowferry.Value) (rowferry.Row, error) {
	if len(stored) == 0 {
		return nil, fmt.Errorf("%w: a row is empty", errDamaged)
	}
	data := stored[1:]
	switch stored[0] {
	case stagedWhole:
	case stagedPieces:
		d := decoder{s: string(data)}
		number, pieces := d.uvarint(), d.uvarint()
		data = nil
		for i := range pieces {
			p, err := get(txn, pieceKey(number, i), nil)
			if err == nil && p == nil {
				err = fmt.Errorf("%w: a piece of a row is missing", errDamaged)
			}
			if err != nil {
				return nil, err
			}
			data = append(data, p...)
		}
	default:
		return nil, fmt.Errorf("%w: a row of form %d", errDamaged, stored[0])
	}
	d := decoder{s: string(data), slab: slab}
	row := d.row()
	if d.bad || d.s != "" || len(row) != columns {
		return nil, fmt.Errorf("%w: a row cannot be read", errDamaged)
	}
	return row, nil
}

// Clear implements rowferry.Stage.
func (s *stage) Clear(t *schema.Table) error {
	return s.guard(func() error {
		w := s.db.NewWriteBatch()
		defer w.Cancel()
		err := eachKey(s.db, stageTable(stageRow, t.Name), func(item *badger.Item) error { return w.Delete(item.KeyCopy(nil)) })
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// Each implements rowferry.Stage.
func (s *stage) Each(t *schema.Table, after string, fn func(place string, r rowferry.Row) error) error {
	prefix := stageTable(stageRow, t.Name)
	slab := new([]rowferry.Value)
	var failed error
	err := s.guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(keysOf(prefix))
			defer it.Close()
			for it.Seek(append(prefix, after...)); it.Valid(); it.Next() {
				item := it.Item()
				place := string(item.Key()[len(prefix):])
				if place == after {
					continue
				}
				err := item.Value(func(stored []byte) error {
					row, err := stagedRow(txn, stored, len(t.Columns), slab)
					if err == nil {
						failed = fn(place, row)
					}
					return err
				})
				if err != nil || failed != nil {
					return err
				}
			}
			return nil
		})
	})
	if err != nil {
		return err
	}
	return failed
}

// Note implements rowferry.Stage.
func (s *stage) Note(c rowferry.Chunk) error {
	value, err := json.Marshal(c)
	if err != nil {
		return err
	}
	key := binary.BigEndian.AppendUint64(stageTable(stageChunk, c.Table), uint64(c.Number))
	return s.guard(func() error {
		return s.db.Update(func(txn *badger.Txn) error { return txn.Set(key, value) })
	})
}

// Chunks implements rowferry.Stage.
func (s *stage) Chunks() (all []rowferry.Chunk, err error) {
	err = s.guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(keysOf([]byte{stageChunk}))
			defer it.Close()
			for it.Rewind(); it.Valid(); it.Next() {
				var c rowferry.Chunk
				if err := it.Item().Value(func(b []byte) error { return json.Unmarshal(b, &c) }); err != nil {
					return err
				}
				all = append(all, c)
			}
			return nil
		})
	})
	return all, err
}

// Close implements rowferry.Stage.
func (s *stage) Close() error { return s.guard(s.db.Close) }

func stageTable(kind byte, n schema.Name) []byte { return appendName([]byte{kind}, n) }

func pieceKey(number, piece uint64) []byte {
	return binary.BigEndian.AppendUint64(binary.BigEndian.AppendUint64([]byte{stagePiece}, number), piece)
}

// stageRowKey appends the values of a key so that rows of one table are in their
// order, as far as bytes tell it.
func stageRowKey(n schema.Name, key []rowferry.Value) []byte {
	return appendPlace(stageTable(stageRow, n), key)
}

// Place implements rowferry.Stage.
func (s *stage) Place(key []rowferry.Value) string { return string(appendPlace(nil, key)) }

func appendPlace(b []byte, key []rowferry.Value) []byte {
	for _, v := range key {
		b = append(b, byte(v.Kind()))
		switch v.Kind() {
		case rowferry.Int:
			b = binary.BigEndian.AppendUint64(b, uint64(v.Int())^1<<63)
		case rowferry.Text, rowferry.Bytes:
			b = append(append(b, bytes.ReplaceAll([]byte(v.Str()), []byte{0}, []byte{0, 0xff})...), 0, 1)
		case rowferry.Float:
			b = binary.BigEndian.AppendUint64(b, math.Float64bits(v.Float()))
		default: // Uint; Absent and Null are in no key
			b = binary.BigEndian.AppendUint64(b, v.Uint())
		}
	}
	return b
}
