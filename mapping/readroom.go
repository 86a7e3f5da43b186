package mapping

import (
	"context"
	"encoding/binary"
	"errors"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// WaitingRow is a row that waits, with all its changes since as one.
type WaitingRow struct {
	Number uint64 // in the order of waiting
	Entity schema.Name
	Key    []rowferry.Value // before the change, where there was one
	Op     rowferry.Op
	Since  time.Time // the source's commit of its first change; zero where it is not known
	Tx     string    // that transaction
	For    Awaited
	Behind int // rows that wait for this one
}

// Awaited is what a row waits for.
type Awaited struct {
	Entity schema.Name
	Key    []rowferry.Value
	// Leaves is true where the row waits for another one, which waits itself, to be
	// written first: that one still has its key, a unique value or a parent of it in
	// the target. Elsewhere it waits for the row that it refers to.
	Leaves bool
	// Aside tells that it waits for nothing but that somebody decides: the target
	// has refused it.
	Aside bool
	// Waits tells that the row that it refers to is known, and waits itself.
	Waits bool
}

// Waiting calls fn with the rows that wait, in the order of their coming.
func (r *Reader) Waiting(ctx context.Context, fn func(*WaitingRow) error) error {
	return r.scan(ctx, []byte{waitingNote}, func(key, value []byte) error {
		if len(key) != 8 {
			return errNote
		}
		w, err := r.parsed(binary.BigEndian.Uint64(key), value)
		if err != nil {
			return err
		}
		row, err := r.tell(w)
		if err != nil {
			return err
		}
		return fn(row)
	})
}

// tell tells of a row that waits. What it waits for may be gone by now.
func (r *Reader) tell(w *waiting) (*WaitingRow, error) {
	row := &WaitingRow{
		Number: w.number, Entity: w.e.source, Key: keyOf(either(&w.change), w.e.identity), Op: w.change.Op, Tx: w.tx,
	}
	if w.since != 0 {
		row.Since = time.UnixMilli(w.since).UTC()
	}
	x, err := r.awaited(w)
	if err != nil {
		return nil, err
	}
	if isAside(w.lacks.list) {
		row.For.Aside = true
	} else if w.lacks.list[0] == releaseList {
		row.For.Leaves = true
		if x != nil {
			row.For.Entity, row.For.Key = x.e.source, keyOf(either(&x.change), x.e.identity)
		}
	} else if row.For, err = r.arrival(w.lacks.list[1:]); err != nil {
		return nil, err
	}
	row.For.Waits = x != nil
	row.Behind, err = r.behind(w)
	return row, err
}

// arrival reads the name of a list of rows that wait for one to come.
func (r *Reader) arrival(list []byte) (a Awaited, err error) {
	rd := reader{rest: list}
	a.Entity = schema.Name{Schema: rd.text(), Table: rd.text()}
	for rd.err == nil && len(rd.rest) > 0 {
		a.Key = append(a.Key, rd.value())
	}
	if e := r.entities[a.Entity]; e != nil && e.source != (schema.Name{}) {
		a.Entity = e.source
	}
	return a, rd.err
}

// behind counts the rows that wait for one that waits.
func (r *Reader) behind(w *waiting) (int, error) {
	behind, err := r.members(releaseOf(w.number))
	if w.change.Op != rowferry.Insert && !r.moves(w.e, &w.change) {
		return len(behind), err
	}
	more, err2 := r.members(r.list(arrivalList, w.e, after(&w.change, w.e.identity)))
	return len(behind) + len(more), errors.Join(err, err2)
}
