package checkpoint

import (
	"errors"

	"github.com/dgraph-io/badger/v4"
)

// What surely fits into a Badger transaction, below what badgerOptions says.
const (
	maxTxnKeys    = 1600
	maxTxnSize    = 144 << 10
	entryOverhead = 12 // what Badger counts for an entry, beyond key and value
)

// writer gathers writes into Badger transactions as large as they may be.
type writer struct {
	db    *badger.DB
	split bool // commit after each write
	whole bool // never commit before it is asked for
	txn   *badger.Txn
	count int
	size  int
}

func (w *writer) do(set func(*badger.Txn) error, size int) error {
	if w.txn == nil {
		w.txn = w.db.NewTransaction(true)
	}
	err := set(w.txn)
	if errors.Is(err, badger.ErrTxnTooBig) && w.count > 0 && !w.whole {
		if err := w.commit(); err != nil {
			return err
		}
		w.txn = w.db.NewTransaction(true)
		err = set(w.txn)
	}
	if err != nil {
		return err
	}
	w.count++
	w.size += size + entryOverhead
	if w.split && !w.whole {
		return w.commit()
	}
	return nil
}

// together has fn write what belongs into one transaction: count keys, and size
// bytes with what Badger counts for them.
func (w *writer) together(count, size int, fn func() error) error {
	if w.count+count > maxTxnKeys || w.size+size > maxTxnSize {
		if err := w.commit(); err != nil {
			return err
		}
	}
	defer func(before bool) { w.whole = before }(w.whole)
	w.whole = true
	if err := fn(); err != nil {
		return err
	}
	if w.split {
		return w.commit()
	}
	return nil
}

func (w *writer) put(key, value []byte) error {
	return w.do(func(t *badger.Txn) error { return t.Set(key, value) }, len(key)+len(value))
}

func (w *writer) remove(key []byte) error {
	return w.do(func(t *badger.Txn) error { return t.Delete(key) }, len(key))
}

// set puts a value, or removes the key where it is nil.
func (w *writer) set(key, value []byte) error {
	if value == nil {
		return w.remove(key)
	}
	return w.put(key, value)
}

// putBlob writes a blob in parts, and returns how many.
func (w *writer) putBlob(b blob) (int, error) {
	rest := b.value
	for part := 0; ; part++ {
		n := min(len(rest), chunkSize)
		if err := w.put(partKey(b.key, part), rest[:n:n]); err != nil {
			return 0, err
		}
		if rest = rest[n:]; len(rest) == 0 {
			return part + 1, nil
		}
	}
}

func (w *writer) commit() error {
	if w.txn == nil {
		return nil
	}
	t := w.txn
	w.txn, w.count, w.size = nil, 0, 0
	return t.Commit()
}

func (w *writer) discard() {
	if w.txn != nil {
		w.txn.Discard()
		w.txn = nil
	}
}
