package load

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"

	"github.com/rowferry/rowferry/internal/testdb"
)

// maxRetries is how often one transaction may lose against others.
const maxRetries = 200

// writer is one session that writes. It is used by one goroutine.
type writer struct {
	id      int
	options Options
	d       *dialect
	weight  int // of all operations
	conn    *sql.Conn
	live    *Live // that it is part of; nil of writer 0
	rng     *rand.Rand
	next    int64 // of the ledger
	serial  int   // makes names unique within the writer
	stats   Stats
	ops     map[string]int64 // done in the transaction under way
}

func newWriter(ctx context.Context, db *sql.DB, id int, o Options) (*writer, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("load: writer %d: %w", id, err)
	}
	w := &writer{
		id: id, options: o, d: dialectOf(o.Flavor), conn: conn,
		rng:   rand.New(rand.NewPCG(o.Seed, uint64(id))),
		stats: Stats{Ops: map[string]int64{}},
	}
	for _, o := range w.d.ops {
		w.weight += o.weight
	}
	for _, q := range w.d.session(id, o) {
		if _, err = conn.ExecContext(ctx, q); err != nil {
			break
		}
	}
	if err == nil && o.Prepared {
		err = w.settle(ctx)
	}
	if err == nil {
		_, err = w.pick(ctx, &w.next, "SELECT COALESCE(MAX(n), 0) + 1 FROM ledger WHERE writer = ?", id)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("load: writer %d: %w", id, err), conn.Close())
	}
	// Names made by an earlier run of the same writer must not come again.
	w.serial = int(w.next) * 100
	return w, nil
}

// close ends the session itself, not only its loan from the pool: it may hold a
// transaction, and its variables are the writer's. A writer without one has nothing to close.
func (w *writer) close() {
	if w.conn == nil {
		return
	}
	_ = w.conn.Raw(func(any) error { return driver.ErrBadConn })
	w.conn.Close()
}

// transaction commits what do does and the ledger's next row, again if other
// writers are in the way. Now and then it first takes a whole one back.
func (w *writer) transaction(ctx context.Context, do func(context.Context) error) error {
	if w.id > 0 && w.one(25) {
		if err := w.rollback(ctx, do); err != nil {
			return err
		}
	}
	for range maxRetries {
		err := w.attempt(ctx, do, "COMMIT")
		if err == nil {
			w.next++
			w.stats.Transactions++
			if w.live != nil {
				w.live.committed()
			}
			for name, n := range w.ops {
				w.stats.Ops[name] += n
			}
			return nil
		}
		if !w.d.again(err) {
			return fmt.Errorf("load: writer %d, transaction %d: %w", w.id, w.next, err)
		}
		w.stats.Retries++
	}
	return fmt.Errorf("load: writer %d, transaction %d lost %d times", w.id, w.next, maxRetries)
}

// rollback does a transaction's work and takes it back; every other time so that
// the server logs it, where it can be made to.
func (w *writer) rollback(ctx context.Context, do func(context.Context) error) error {
	err := w.attempt(ctx, func(ctx context.Context) error {
		if err := do(ctx); err != nil {
			return err
		}
		if w.one(2) {
			return w.forceLogged(ctx)
		}
		return nil
	}, "ROLLBACK")
	if w.d.again(err) {
		return nil
	}
	w.stats.Rollbacks++
	return err
}

// forceLogged makes MariaDB log what a rollback to before this point undoes:
// having made a temporary table, it keeps the rows and logs the ROLLBACK too.
// MySQL with GTIDs logs neither, whatever is done.
func (w *writer) forceLogged(ctx context.Context) error {
	if w.options.Flavor != testdb.MariaDB {
		return nil
	}
	w.stats.LoggedRollbacks++
	name := fmt.Sprintf("load_tmp_%d", w.id)
	if _, err := w.exec(ctx, "CREATE TEMPORARY TABLE "+name+" (a INT)"); err != nil {
		return err
	}
	_, err := w.exec(ctx, "DROP TEMPORARY TABLE "+name)
	return err
}

// attempt runs one transaction to its end, COMMIT or ROLLBACK.
func (w *writer) attempt(ctx context.Context, do func(context.Context) error, end string) error {
	w.ops = map[string]int64{}
	_, err := w.exec(ctx, "START TRANSACTION")
	if err == nil {
		err = do(ctx)
	}
	if err == nil {
		_, err = w.exec(ctx, "INSERT INTO ledger (writer, n, at) VALUES (?, ?, "+w.d.now+")", w.id, w.next)
	}
	switch {
	case err != nil:
	case end == "COMMIT" && w.options.Prepared && w.id > 0 && w.one(4):
		err = w.prepareFirst(ctx)
	default:
		_, err = w.exec(ctx, end)
	}
	if err != nil && ctx.Err() == nil {
		if _, e := w.exec(ctx, "ROLLBACK"); e != nil {
			return errors.Join(err, e)
		}
	}
	return err
}

// savepoint does work under a savepoint and takes it back half of the time.
func (w *writer) savepoint(ctx context.Context, do func(context.Context) error) error {
	if _, err := w.exec(ctx, "SAVEPOINT "+w.d.savepoint); err != nil {
		return err
	}
	before := maps.Clone(w.ops)
	if err := do(ctx); err != nil {
		return err
	}
	if w.one(2) {
		_, err := w.exec(ctx, "RELEASE SAVEPOINT "+w.d.savepoint)
		return err
	}
	if w.one(4) {
		if err := w.forceLogged(ctx); err != nil {
			return err
		}
	}
	w.stats.Savepoints++
	w.ops = before
	_, err := w.exec(ctx, "ROLLBACK TO SAVEPOINT "+w.d.savepoint)
	return err
}

// exec runs a statement.
func (w *writer) exec(ctx context.Context, query string, args ...any) (sql.Result, error) {
	w.stats.Statements++
	bound, values := w.d.bind(query, args)
	r, err := w.conn.ExecContext(ctx, bound, values...)
	if err != nil {
		return nil, fmt.Errorf("%.80s: %w", query, err)
	}
	return r, nil
}

// try runs a statement that other writers' rows may refuse; a refusal changes
// nothing and is no error. It returns how many rows the statement changed.
func (w *writer) try(ctx context.Context, query string, args ...any) (n int64, err error) {
	err = w.guard(ctx, func() error {
		r, err := w.exec(ctx, query, args...)
		if err == nil {
			n, err = r.RowsAffected()
		}
		return err
	})
	return n, err
}

// insert inserts a row and returns the id that the server gave it, or reports
// that other writers' rows refused it.
func (w *writer) insert(ctx context.Context, query string, args ...any) (id int64, ok bool, err error) {
	err = w.guard(ctx, func() error {
		if w.d.returning {
			ok, err = w.pick(ctx, &id, query+" RETURNING id", args...)
			return err
		}
		r, err := w.exec(ctx, query, args...)
		if err == nil {
			id, err = r.LastInsertId()
		}
		ok = err == nil
		return err
	})
	return id, ok, err
}

// guard does what may be refused; a refusal changes nothing and is no error.
func (w *writer) guard(ctx context.Context, do func() error) error {
	if !w.d.subtransactions {
		if err := do(); !w.d.refused(err) {
			return err
		}
		return nil
	}
	if _, err := w.exec(ctx, "SAVEPOINT guard"); err != nil {
		return err
	}
	err := do()
	if err != nil && !w.d.refused(err) {
		return err
	}
	if err != nil {
		if _, err := w.exec(ctx, "ROLLBACK TO SAVEPOINT guard"); err != nil {
			return err
		}
	}
	_, err = w.exec(ctx, "RELEASE SAVEPOINT guard")
	return err
}

// pick reads one value, or reports that there is no row.
func (w *writer) pick(ctx context.Context, into any, query string, args ...any) (bool, error) {
	w.stats.Statements++
	bound, values := w.d.bind(query, args)
	err := w.conn.QueryRowContext(ctx, bound, values...).Scan(into)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("%.80s: %w", query, err)
	}
	return true, nil
}
