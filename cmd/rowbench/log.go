package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/go-sql-driver/mysql"

	"github.com/rowferry/rowferry/internal/testdb"
)

// packetBytes is about how much is sent to the source at once.
const packetBytes = 64 << 10

// sourceLog is a source server and the log that a workload has written there.
type sourceLog struct {
	server  *testdb.Server
	work    *workload
	writers []writer
	conns   []*sql.Conn
	db      *sql.DB
	rows    int   // changed after the seed
	txs     int   // that did it, the markers left out
	marker  int64 // of the last transaction
	// Where it begins that runs against the clock.
	beginFile, beginOffset string
}

// openLog starts a source, makes the workload's tables and fills them.
func openLog(ctx context.Context, k testdb.Kind, w *workload, o *options) (l *sourceLog, err error) {
	s, err := testdb.Launch(ctx, k, sourceOptions(k, o.redo())...)
	if err != nil {
		return nil, err
	}
	l = &sourceLog{server: s, work: w}
	if err = l.prepare(ctx, o.scale); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *sourceLog) prepare(ctx context.Context, scale float64) error {
	if err := l.server.Exec(ctx, "CREATE DATABASE "+database); err != nil {
		return err
	}
	config, err := mysql.ParseDSN(l.server.DSN(database))
	if err != nil {
		return err
	}
	config.MultiStatements = true
	connector, err := mysql.NewConnector(config)
	if err != nil {
		return err
	}
	l.db = sql.OpenDB(connector)
	for _, t := range append([]string{markerTable, "INSERT INTO marker VALUES (1, 0)"}, l.work.tables...) {
		if _, err := l.db.ExecContext(ctx, t); err != nil {
			return fmt.Errorf("%.100s: %w", t, err)
		}
	}
	for part := range writers {
		conn, err := l.db.Conn(ctx)
		if err != nil {
			return err
		}
		l.conns = append(l.conns, conn)
		l.writers = append(l.writers, l.work.newWriter(part, scale))
	}
	err = l.each(func(conn *sql.Conn, w writer) error {
		return w.seed(func(sql string, rows int) error { return run(ctx, conn, sql, rows) })
	})
	if err != nil {
		return fmt.Errorf("fill the tables: %w", err)
	}
	if err := l.mark(ctx); err != nil {
		return err
	}
	l.beginFile, l.beginOffset, err = l.place(ctx)
	return err
}

// each runs do for all writers at once, each with its connection.
func (l *sourceLog) each(do func(*sql.Conn, writer) error) error {
	done := make(chan error)
	for i, w := range l.writers {
		go func() { done <- do(l.conns[i], w) }()
	}
	var all error
	for range l.writers {
		all = errors.Join(all, <-done)
	}
	return all
}

// grow appends transactions until the log has so many row changes, and a marker.
func (l *sourceLog) grow(ctx context.Context, rows int) error {
	share := (rows - l.rows + len(l.writers) - 1) / len(l.writers)
	if share <= 0 {
		return nil
	}
	counts := make(chan [2]int, len(l.writers))
	err := l.each(func(conn *sql.Conn, w writer) error {
		txs, changed, err := extend(ctx, conn, w, share)
		counts <- [2]int{txs, changed}
		return err
	})
	for range l.writers {
		c := <-counts
		l.txs += c[0]
		l.rows += c[1]
	}
	if err != nil {
		return fmt.Errorf("write the log: %w", err)
	}
	return l.mark(ctx)
}

// extend has one writer change so many rows.
func extend(ctx context.Context, conn *sql.Conn, w writer, rows int) (txs, changed int, err error) {
	var packet []byte
	for changed < rows {
		packet = packet[:0]
		sum := 0
		for len(packet) < packetBytes && changed+sum < rows {
			var n int
			packet, n = w.next(packet)
			sum += n
			txs++
		}
		if err := run(ctx, conn, string(packet), sum); err != nil {
			return txs, changed, err
		}
		changed += sum
	}
	return txs, changed, nil
}

// run runs statements sent at once, and requires that they change so many rows:
// an update that changes nothing would not be in the log.
func run(ctx context.Context, conn *sql.Conn, statements string, rows int) error {
	var sum int64
	err := conn.Raw(func(c any) error {
		r, err := c.(driver.ExecerContext).ExecContext(ctx, statements, nil)
		if err != nil {
			return err
		}
		for _, n := range r.(mysql.Result).AllRowsAffected() {
			sum += n
		}
		return nil
	})
	if err != nil {
		return err
	}
	if sum != int64(rows) {
		return fmt.Errorf("statements changed %d rows, not %d: %.300s", sum, rows, statements)
	}
	return nil
}

// mark ends the log with a transaction that shows where it ended, and waits
// until the source is idle.
func (l *sourceLog) mark(ctx context.Context) error {
	l.marker++
	if _, err := l.db.ExecContext(ctx, fmt.Sprintf("UPDATE marker SET n = %d WHERE id = 1", l.marker)); err != nil {
		return err
	}
	return l.rest(ctx)
}

// Dirty pages that are as good as none, and how long they are waited for.
const (
	fewPages     = 100
	restPatience = 2 * time.Minute
)

// rest has the source write its dirty pages now, so that it does not while
// others are measured.
func (l *sourceLog) rest(ctx context.Context) error {
	if err := l.server.Exec(ctx, "SET GLOBAL innodb_max_dirty_pages_pct_lwm = 0", "SET GLOBAL innodb_max_dirty_pages_pct = 0"); err != nil {
		return err
	}
	until := time.Now().Add(restPatience)
	err := await(ctx, otherEvery, func() (bool, error) {
		line, err := oneLine(ctx, l.server.DB(), "SHOW GLOBAL STATUS LIKE 'Innodb_buffer_pool_pages_dirty'")
		if err != nil {
			return false, err
		}
		n, err := strconv.Atoi(line["Value"])
		return n <= fewPages || time.Now().After(until), err
	})
	return errors.Join(err, l.server.Exec(ctx, "SET GLOBAL innodb_max_dirty_pages_pct = 90"))
}

func (l *sourceLog) close() error {
	var errs []error
	for _, c := range l.conns {
		errs = append(errs, c.Close())
	}
	if l.db != nil {
		errs = append(errs, l.db.Close())
	}
	return errors.Join(append(errs, l.server.Close())...)
}

// place is the log's end, as file and offset.
func (l *sourceLog) place(ctx context.Context) (file, offset string, err error) {
	query := "SHOW MASTER STATUS"
	if l.server.Kind.Flavor() == testdb.MySQL {
		query = "SHOW BINARY LOG STATUS"
	}
	line, err := oneLine(ctx, l.server.DB(), query)
	return line["File"], line["Position"], err
}

// oneLine returns a query's one line of columns by name, NULL as nothing.
func oneLine(ctx context.Context, db *sql.DB, query string) (line map[string]string, err error) {
	rows, err := db.QueryContext(ctx, query)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	names, err := rows.Columns()
	if err != nil {
		return nil, err
	}
	if !rows.Next() {
		return nil, errors.Join(fmt.Errorf("%s: no line", query), rows.Err())
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, err
	}
	line = map[string]string{}
	for i, name := range names {
		line[name] = values[i].String
	}
	return line, rows.Err()
}

// await asks every so often until it is so, until ctx ends.
func await(ctx context.Context, every time.Duration, so func() (bool, error)) error {
	for {
		if ok, err := so(); ok || err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(every):
		}
	}
}
