package load

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Options say how much load, by how many, of which kind.
type Options struct {
	Seed         uint64
	Writers      int // 4 if zero
	Transactions int // committed by all writers together; zero: until ctx is done
	Flavor       testdb.Flavor
	// Rate is how many transactions all writers together begin in a second at
	// most; zero is full speed.
	Rate float64
	// Domains is in how many MariaDB domains, or under how many MySQL tags, the
	// writers log, by turns; zero or one: as the server does by itself.
	Domains int
	// Prepared makes writers prepare every fourth transaction, and then commit it
	// or roll it back, on PostgreSQL, whose max_prepared_transactions must allow it.
	Prepared bool
	// Reconnect makes a writer whose connection was lost connect again, until ctx
	// is done, instead of ending the load.
	Reconnect bool
}

// Stats tell what a load did.
type Stats struct {
	Transactions    int64 // committed
	Rollbacks       int64 // whole transactions taken back on purpose
	LoggedRollbacks int64 // those, and savepoints, that a server logs with their rows (MariaDB only)
	Savepoints      int64 // rolled back to
	Prepared        int64 // transactions that were prepared, then committed
	Forgotten       int64 // … then rolled back
	Retries         int64 // transactions run again after a deadlock or a conflict
	Reconnects      int64
	Statements      int64
	Ops             map[string]int64 // by name, those that were committed
	Elapsed         time.Duration
}

func (s *Stats) add(o Stats) {
	s.Transactions += o.Transactions
	s.Rollbacks += o.Rollbacks
	s.LoggedRollbacks += o.LoggedRollbacks
	s.Savepoints += o.Savepoints
	s.Prepared += o.Prepared
	s.Forgotten += o.Forgotten
	s.Retries += o.Retries
	s.Reconnects += o.Reconnects
	s.Statements += o.Statements
	for name, n := range o.Ops {
		s.Ops[name] += n
	}
}

// String sums it up in a line.
func (s Stats) String() string {
	prepared := ""
	if s.Prepared+s.Forgotten > 0 {
		prepared = fmt.Sprintf("%d prepared and committed, %d prepared and rolled back, ", s.Prepared, s.Forgotten)
	}
	return fmt.Sprintf("%d transactions, %d rolled back, %d savepoints rolled back, %d rollbacks logged, %s%d retries, %d statements, %v",
		s.Transactions, s.Rollbacks, s.Savepoints, s.LoggedRollbacks, prepared, s.Retries, s.Statements, s.Elapsed.Round(time.Millisecond))
}

// Run creates the tables unless they are there and puts load on them. A load
// that is continued counts on where its ledger ends. When ctx is done it stops
// and returns what it did; that is no error. The last COMMIT of a writer may then
// have happened without being counted.
func Run(ctx context.Context, db *sql.DB, o Options) (Stats, error) {
	l, err := Start(ctx, db, o)
	if err != nil {
		return Stats{}, err
	}
	return l.Wait()
}

// prepare makes the tables if they are missing, and lays the first rows, which
// are the load's books and what writer 0 commits, unless that is done.
func prepare(ctx context.Context, db *sql.DB, o Options) error {
	d := dialectOf(o.Flavor)
	number := func(query string) (n int, err error) {
		if err := db.QueryRowContext(ctx, query).Scan(&n); err != nil {
			return 0, fmt.Errorf("load: %.60s: %w", query, err)
		}
		return n, nil
	}
	there, err := number(d.there)
	if err != nil {
		return err
	}
	if there == 0 {
		if err := Create(ctx, db, o.Flavor); err != nil {
			return err
		}
	}
	covered, err := number("SELECT COUNT(*) FROM digest_columns")
	if err != nil {
		return err
	}
	for _, t := range d.tables {
		if covered > 0 {
			break
		}
		if err := d.cover(ctx, db, t.name); err != nil {
			return fmt.Errorf("load: digest of %s: %w", t.name, err)
		}
	}
	for i := 0; i <= o.Writers; i++ {
		_, err := db.ExecContext(ctx, fmt.Sprintf(`INSERT INTO digests (writer, tbl, cnt, digest)
			SELECT DISTINCT %[1]d, tbl, 0, 0 FROM digest_columns
			WHERE NOT EXISTS (SELECT 1 FROM digests WHERE writer = %[1]d)`, i))
		if err != nil {
			return fmt.Errorf("load: digests of writer %d: %w", i, err)
		}
	}
	laid, err := number("SELECT COUNT(*) FROM ledger WHERE writer = 0")
	if err != nil || laid > 0 {
		return err
	}
	w, err := newWriter(ctx, db, 0, o)
	if err != nil {
		return err
	}
	defer w.close()
	return w.transaction(ctx, w.firstRows)
}
