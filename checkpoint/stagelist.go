package checkpoint

import (
	"encoding/binary"
	"fmt"

	"github.com/dgraph-io/badger/v4"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// A listed change is, in pieces, the name of its table, schema and table each with its
// length, and the change as a spool has it, without a table.
//
//	l sequence number piece    a piece of a change: sequence and number 8 bytes, piece 4
const stageList = 'l'

const listKeySize = 1 + 8 + 8 + 4

func listKey(sequence, number uint64, piece uint32) []byte {
	b := binary.BigEndian.AppendUint64([]byte{stageList}, sequence)
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint64(b, number), piece)
}

// List implements rowferry.Stage.
func (s *stage) List(sequence uint64, each func(add func(*rowferry.Change) error) error) error {
	return s.guard(func() error {
		w := s.db.NewWriteBatch()
		w.SetMaxPendingTxns(2)
		defer w.Cancel()
		number := uint64(0)
		err := each(func(c *rowferry.Change) error {
			plain := *c
			plain.ChecksOff, plain.ChecksLate = false, false
			data := appendChange(appendName(nil, c.Table.Name), &plain, 0)
			for piece := uint32(0); len(data) > 0; piece++ {
				n := min(len(data), pieceSize)
				if err := w.Set(listKey(sequence, number, piece), data[:n:n]); err != nil {
					return err
				}
				data = data[n:]
			}
			number++
			return nil
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// Unlist implements rowferry.Stage.
func (s *stage) Unlist(after uint64) error {
	return s.guard(func() error {
		w := s.db.NewWriteBatch()
		defer w.Cancel()
		err := eachKey(s.db, []byte{stageList}, func(item *badger.Item) error {
			key := item.KeyCopy(nil)
			if len(key) != listKeySize {
				return fmt.Errorf("%w: a key of %d bytes", errDamaged, len(key))
			}
			if binary.BigEndian.Uint64(key[1:]) <= after {
				return nil
			}
			return w.Delete(key)
		})
		if err != nil {
			return err
		}
		return w.Flush()
	})
}

// Listed implements rowferry.Stage.
func (s *stage) Listed(after uint64, tables map[schema.Name]*schema.Table, fn func(sequence uint64, c *rowferry.Change) error) error {
	var failed error
	err := s.guard(func() error {
		return s.db.View(func(txn *badger.Txn) error {
			it := txn.NewIterator(keysOf([]byte{stageList}))
			defer it.Close()
			it.Seek(listKey(after+1, 0, 0))
			for it.Valid() {
				key := it.Item().KeyCopy(nil)
				if len(key) != listKeySize {
					return fmt.Errorf("%w: a key of %d bytes", errDamaged, len(key))
				}
				var data []byte
				for ; it.Valid() && string(it.Item().Key()[:listKeySize-4]) == string(key[:listKeySize-4]); it.Next() {
					err := it.Item().Value(func(b []byte) error { data = append(data, b...); return nil })
					if err != nil {
						return err
					}
				}
				c, err := listedChange(string(data), tables)
				if err != nil {
					return err
				}
				if failed = fn(binary.BigEndian.Uint64(key[1:]), c); failed != nil {
					return nil
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

func listedChange(data string, tables map[schema.Name]*schema.Table) (*rowferry.Change, error) {
	d := decoder{s: data}
	name := schema.Name{Schema: d.text(d.uvarint())}
	name.Table = d.text(d.uvarint())
	t := tables[name]
	if d.bad || t == nil {
		return nil, fmt.Errorf("%w: a change of table %s", errDamaged, name)
	}
	c, err := decodeChange(d.s, nil, new([]rowferry.Value))
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errDamaged, err)
	}
	if c.Before != nil && len(c.Before) != len(t.Columns) || c.After != nil && len(c.After) != len(t.Columns) {
		return nil, fmt.Errorf("%w: a change of table %s", errDamaged, name)
	}
	c.Table = t
	return &c, nil
}

func appendName(b []byte, n schema.Name) []byte {
	b = append(binary.AppendUvarint(b, uint64(len(n.Schema))), n.Schema...)
	return append(binary.AppendUvarint(b, uint64(len(n.Table))), n.Table...)
}
