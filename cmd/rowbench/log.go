package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// packetBytes is about how much is sent to the source at once.
const packetBytes = 64 << 10

// sourceLog is a source server and the log that a workload has written there.
type sourceLog struct {
	server  *testdb.Server
	origin  origin
	work    *workload
	writers []writer
	conns   []*sql.Conn
	db      *sql.DB
	rows    int   // changed after the seed
	txs     int   // that did it, the markers left out
	marker  int64 // of the last transaction
}

// openLog starts a source, makes the workload's tables and fills them.
func openLog(ctx context.Context, k testdb.Kind, w *workload, o *options) (l *sourceLog, err error) {
	s, err := testdb.Launch(ctx, k, sourceOptions(k, o.redo())...)
	if err != nil {
		return nil, err
	}
	l = &sourceLog{server: s, origin: originOf(s), work: w}
	if err = l.prepare(ctx, o.scale); err != nil {
		return nil, errors.Join(err, l.close())
	}
	return l, nil
}

func (l *sourceLog) prepare(ctx context.Context, scale float64) error {
	var err error
	if l.db, err = l.origin.open(ctx); err != nil {
		return err
	}
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
		return w.seed(func(sql string, rows int) error { return l.run(ctx, conn, sql, rows) })
	})
	if err != nil {
		return fmt.Errorf("fill the tables: %w", err)
	}
	return l.origin.begin(ctx, l.mark)
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
		txs, changed, err := l.extend(ctx, conn, w, share)
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
func (l *sourceLog) extend(ctx context.Context, conn *sql.Conn, w writer, rows int) (txs, changed int, err error) {
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
		if err := l.run(ctx, conn, string(packet), sum); err != nil {
			return txs, changed, err
		}
		changed += sum
	}
	return txs, changed, nil
}

// run runs statements sent at once, and requires that they change so many rows:
// an update that changes nothing would not be in the log.
func (l *sourceLog) run(ctx context.Context, conn *sql.Conn, statements string, rows int) error {
	sum, err := l.origin.run(ctx, conn, statements)
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
	return l.origin.rest(ctx)
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
