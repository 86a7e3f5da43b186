package mysql

import (
	"context"
	"errors"
	"fmt"
	"time"

	gomysql "github.com/go-mysql-org/go-mysql/mysql"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/schema"
)

// How much is given to each at once, in bytes as Row.Size counts them, and how
// much one statement asks for.
const (
	copyBatchBytes = 512 << 10
	fetchKeys      = 200
	fetchBytes     = 256 << 10
)

// chunkReader reads rows over a connection of its own.
type chunkReader struct {
	conn *mysqlwire.Conn
	held bool // one snapshot is open for all that is read
	// Of the table that was read last.
	shape   *schema.Table
	query   *copySQL
	decoder *copyDecoder
}

var _ rowferry.ChunkReader = (*chunkReader)(nil)

// Open opens a connection, once all before From can be seen. See rowferry.Copy.
func (k *tableCopy) Open(ctx context.Context) (_ rowferry.ChunkReader, err error) {
	if k.srv.mariadb {
		if err := pause(ctx, time.Until(k.known.Add(placeAge))); err != nil {
			return nil, err
		}
	}
	e := k.src.opt.Endpoint
	c, err := mysqlwire.Dial(ctx, e)
	if err != nil {
		return nil, translate(ctx, err)
	}
	r := &chunkReader{conn: c}
	defer func() {
		if err != nil {
			c.Close()
		}
	}()
	// Whatever the server's defaults are, all rows come, however long it takes,
	// and as they are stored. Text comes in its own character set: what is not
	// valid in it is found here, where the server would send question marks.
	limit := "max_execution_time"
	if k.srv.mariadb {
		limit = "max_statement_time"
	}
	for _, sql := range []string{
		fmt.Sprintf("SET NAMES utf8mb4, character_set_results=NULL, time_zone='+00:00', sql_mode='', autocommit=1, sql_select_limit=18446744073709551615, sql_big_selects=1, "+
			"%s=0, net_write_timeout=%d, lock_wait_timeout=%d", limit, sendPatience, max(1, int(e.Wait()/(2*time.Second)))),
		"SET SESSION TRANSACTION ISOLATION LEVEL REPEATABLE READ",
	} {
		if _, err := c.Exec(ctx, sql); err != nil {
			return nil, translate(ctx, err)
		}
	}
	self := ""
	err = c.Query(ctx, "SELECT @@global."+selfVariable(k.srv), func(scan func(...any) error) error { return scan(&self) })
	if err != nil {
		return nil, translate(ctx, err)
	}
	return r, k.judge(self)
}

// Close closes the connection.
func (r *chunkReader) Close() error {
	r.conn.Close()
	return nil
}

// table prepares for a table.
func (r *chunkReader) table(t *rowferry.CopyTable) (err error) {
	if r.shape == t.Shape {
		return nil
	}
	d, err := newCopyDecoder(t.Shape)
	if err != nil {
		return err
	}
	r.shape, r.decoder, r.query = t.Shape, d, newCopySQL(t.Shape, d.columns)
	return nil
}

// Split finds the end of a chunk. See rowferry.ChunkReader.
func (r *chunkReader) Split(ctx context.Context, t *rowferry.CopyTable, after []rowferry.Value, n int) ([]rowferry.Value, error) {
	if err := r.table(t); err != nil {
		return nil, err
	}
	if len(r.query.key) == 0 {
		return nil, nil // it is one chunk
	}
	sql, err := r.query.split(after, n)
	if err != nil {
		return nil, err
	}
	rows, exact := 0, true
	var end []rowferry.Value
	err = r.conn.Each(ctx, sql, func(said [][]byte) error {
		if rows++; rows > 1 {
			return nil
		}
		row, err := r.decoder.row(said[:min(len(said), len(r.query.key))], r.query.key)
		if err != nil {
			return err
		}
		for _, o := range r.query.key {
			end = append(end, row[o])
		}
		for _, same := range said[len(r.query.key):] {
			exact = exact && string(same) == "1"
		}
		return nil
	})
	switch {
	case err != nil:
		return nil, r.explain(ctx, err)
	case rows < 2:
		return nil, nil
	case !exact:
		return nil, rowferry.Errorf(rowferry.CodeCopyRefused, "table %s has a key that cannot be told from another in Unicode", t.Shape.Name).
			Fact("table", "%s", t.Shape.Name).Fact("key", "%s", end).
			Remedy("leave it out", "take the table out of 'tables'")
	default:
		return end, nil
	}
}

// Read reads a chunk, and cannot tell what it saw. See rowferry.ChunkReader.
func (r *chunkReader) Read(ctx context.Context, t *rowferry.CopyTable, after, upto []rowferry.Value, each func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	if err := r.table(t); err != nil {
		return "", err
	}
	sql, err := r.query.read(after, upto)
	if err != nil {
		return "", err
	}
	return "", r.snapshot(ctx, []string{sql}, each)
}

// Fetch reads rows by their keys. See rowferry.ChunkReader. One key more than
// once is one row, unless there are many others between.
func (r *chunkReader) Fetch(ctx context.Context, t *rowferry.CopyTable, keys [][]rowferry.Value, each func([]rowferry.Row) error) error {
	if err := r.table(t); err != nil {
		return err
	}
	var statements []string
	for len(keys) > 0 {
		n, bytes := 0, 0
		for n < len(keys) && n < fetchKeys && (n == 0 || bytes < fetchBytes) {
			bytes += rowferry.Row(keys[n]).Size()
			n++
		}
		sql, err := r.query.fetch(keys[:n])
		if err != nil {
			return err
		}
		statements, keys = append(statements, sql), keys[n:]
	}
	if len(statements) == 0 {
		return nil
	}
	return r.snapshot(ctx, statements, each)
}

// snapshot runs queries for whole rows in one snapshot.
func (r *chunkReader) snapshot(ctx context.Context, queries []string, each func([]rowferry.Row) error) error {
	if r.held {
		return r.within(ctx, queries, each, func(err error) error { return err })
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	return r.within(ctx, queries, each, func(err error) error {
		if !r.conn.Broken() {
			if _, end := r.conn.Exec(ctx, "COMMIT"); err == nil {
				err = end
			}
		}
		return err
	})
}

func (r *chunkReader) begin(ctx context.Context) error {
	if _, err := r.conn.Exec(ctx, "START TRANSACTION WITH CONSISTENT SNAPSHOT, READ ONLY"); err != nil {
		return translate(ctx, err)
	}
	return nil
}

// within runs queries for whole rows, and end behind them.
func (r *chunkReader) within(ctx context.Context, queries []string, each func([]rowferry.Row) error, end func(error) error) error {
	b := &batch{each: each}
	columns := ordinals(len(r.shape.Columns))
	err := func() error {
		for _, sql := range queries {
			err := r.conn.Each(ctx, sql, func(said [][]byte) error {
				row, err := r.decoder.row(said, columns)
				if err != nil {
					return err
				}
				return b.add(row)
			})
			if err != nil {
				return err
			}
		}
		return b.flush()
	}()
	err = end(err)
	switch {
	case err == nil:
		return nil
	case b.err != nil:
		return b.err // it is not ours to explain
	default:
		return r.explain(ctx, err)
	}
}

// batch gathers rows for each.
type batch struct {
	each func([]rowferry.Row) error
	rows []rowferry.Row
	size int
	err  error // of each
}

func (b *batch) add(row rowferry.Row) error {
	b.rows = append(b.rows, row)
	if b.size += row.Size(); b.size < copyBatchBytes {
		return nil
	}
	return b.flush()
}

func (b *batch) flush() error {
	if len(b.rows) == 0 {
		return nil
	}
	b.err = b.each(b.rows)
	clear(b.rows)
	b.rows, b.size = b.rows[:0], 0
	return b.err
}

// Errors of a table that is not as it was.
const (
	erBadDatabase     = 1049
	erBadField        = 1054
	erNoSuchTable     = 1146
	erNoSuchKey       = 1176
	erTableDefChanged = 1412
)

// explain says of an error about the open table what it means.
func (r *chunkReader) explain(ctx context.Context, err error) error {
	err = translate(ctx, err)
	var said *gomysql.MyError
	if !errors.As(err, &said) {
		return err
	}
	switch said.Code {
	case erBadDatabase, erBadField, erNoSuchTable, erNoSuchKey, erTableDefChanged:
		return rowferry.Errorf(rowferry.CodeShapeMismatch, "table %s is no longer as it was when the copy began: %w", r.shape.Name, said).
			Fact("table", "%s", r.shape.Name).Fact("server says", "%s (%d)", said.Message, said.Code)
	default:
		return err
	}
}
