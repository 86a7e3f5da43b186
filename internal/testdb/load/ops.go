package load

import (
	"context"
	"fmt"
	"iter"
	"slices"

	"github.com/rowferry/rowferry/internal/testdb"
)

// op is one thing a transaction may do. What other writers' rows refuse, it
// leaves undone.
type op struct {
	name   string
	weight int
	do     func(*writer, context.Context) error
}

// commonOps are those of every engine. An operation is chosen by weight; weights
// keep tables from emptying or growing without bound relative to each other.
var commonOps = []op{
	{"customer update", 6, (*writer).updateCustomer},
	{"customer delete", 1, (*writer).deleteCustomer},
	{"passport moves", 2, (*writer).movePassport},
	{"order insert", 12, (*writer).insertOrder},
	{"order update", 10, (*writer).updateOrder},
	{"order delete", 4, (*writer).deleteOrder},
	{"region update", 1, (*writer).updateRegion},
	{"product insert", 4, (*writer).insertProduct},
	{"product update", 6, (*writer).updateProducts},
	{"product key change", 3, (*writer).changeProductKey},
	{"product delete", 1, (*writer).deleteProduct},
	{"shelf moves at once", 4, (*writer).moveShelf},
	{"shelf left", 2, (*writer).leaveShelf},
	{"shelf taken", 4, (*writer).takeShelf},
	{"tree insert", 5, (*writer).insertTree},
	{"tree move", 3, (*writer).moveTree},
	{"tree delete", 2, (*writer).deleteTree},
	{"session insert", 5, (*writer).insertSession},
	{"session key change", 3, (*writer).changeSessionKey},
	{"session delete", 2, (*writer).deleteSessions},
	{"word key change", 2, (*writer).changeWordKey},
	{"word delete", 1, (*writer).deleteWord},
	{"place key change", 3, (*writer).changePlaceKey},
	{"place delete", 1, (*writer).deletePlace},
	{"seats swap", 6, (*writer).swapSeats},
	{"queue push", 5, (*writer).pushQueue},
	{"queue pop", 3, (*writer).popQueue},
	{"journal insert", 4, (*writer).insertJournal},
	{"journal update", 3, (*writer).updateJournal},
	{"journal delete", 3, (*writer).deleteJournal},
	{"metric insert", 3, (*writer).insertMetric},
	{"metric update", 2, (*writer).updateMetric},
	{"metric delete", 2, (*writer).deleteMetric},
}

// randomOps is the work of one transaction: a few operations on any tables, some
// of them under a savepoint, rarely a great many.
func (w *writer) randomOps(ctx context.Context) error {
	n := 1 + w.rng.IntN(5)
	if w.one(200) {
		n = 60
	}
	for range n {
		do := w.randomOp
		if w.one(8) {
			do = func(ctx context.Context) error { return w.savepoint(ctx, w.randomOp) }
		}
		if err := do(ctx); err != nil {
			return err
		}
	}
	return nil
}

func (w *writer) randomOp(ctx context.Context) error {
	at := w.rng.IntN(w.weight)
	for _, o := range w.d.ops {
		if at -= o.weight; at < 0 {
			if err := o.do(w, ctx); err != nil {
				return fmt.Errorf("%s: %w", o.name, err)
			}
			return nil
		}
	}
	panic("load: weights do not add up")
}

// did counts an operation that changed rows.
func (w *writer) did(name string, rows int64) {
	if rows > 0 {
		w.ops[name]++
	}
}

// changeSome is change for some rows of a table; see dialect.some.
func (w *writer) changeSome(ctx context.Context, name, statement, table, which string, args ...any) error {
	return w.change(ctx, name, w.d.some(statement, table, which), args...)
}

// change runs a statement that others may refuse and counts it.
func (w *writer) change(ctx context.Context, name, query string, args ...any) error {
	n, err := w.try(ctx, query, args...)
	w.did(name, n)
	return err
}

// pickID reads the id of a random row of a table, or reports that it is empty.
func (w *writer) pickID(ctx context.Context, into *int64, table string) (bool, error) {
	at := fmt.Sprintf(w.d.share, "(SELECT MAX(id) FROM "+table+")")
	q := "SELECT id FROM " + table + " WHERE id >= " + at + " ORDER BY id LIMIT 1"
	return w.pick(ctx, into, q, w.rng.Float64())
}

// commonFirst lay first rows on every engine, after those of the dialect.
var commonFirst = []func(*writer, context.Context) error{(*writer).insertProduct, (*writer).insertTree}

// firstRows lays what later transactions choose from.
func (w *writer) firstRows(ctx context.Context) error {
	for i, name := range latin {
		if _, err := w.exec(ctx, "INSERT INTO region (code, name, area) VALUES (?, ?, ?)", fmt.Sprintf("r%02d", i), name, w.decimal(10, 4)); err != nil {
			return err
		}
	}
	for i := range 60 {
		if _, err := w.exec(ctx, "INSERT INTO seat (id, holder, label) VALUES (?, ?, ?)", i+1, i+1, fmt.Sprintf("L%d", i)); err != nil {
			return err
		}
	}
	if _, err := w.exec(ctx, "INSERT INTO tree (parent_id, name) VALUES (NULL, 'root')"); err != nil {
		return err
	}
	for range 20 {
		for _, do := range slices.Concat(w.d.first, commonFirst) {
			if err := do(w, ctx); err != nil {
				return err
			}
		}
	}
	return nil
}

// OpNames yields the names that Stats.Ops may have of operations a long load on
// a server does all of.
func OpNames(f testdb.Flavor) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, o := range dialectOf(f).ops {
			if !yield(o.name) {
				return
			}
		}
	}
}
