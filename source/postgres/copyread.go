package postgres

import (
	"context"
	"errors"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

const (
	// A call is given rows until there are so many, or so many bytes.
	callRows  = 1000
	callBytes = 256 << 10
	// A statement fetches so many keys at most.
	fetchKeys = 200
)

// chunkReader reads chunks. After an error its connection is closed, and the next
// request opens another.
type chunkReader struct {
	copy    *copying
	session *session // nil: none
	memory  arena
	batch   []rowferry.Row
	// unsigned says that no tokens are left: who reads the log does not ask for them.
	unsigned bool
	saw      string // what the last snapshot did, of a table that was read whole
}

// connect opens a session for reading. What it waits for is bounded by the
// endpoint's timeout, how long it reads is not: that is up to who takes the rows.
func (r *chunkReader) connect(ctx context.Context) error {
	if r.session != nil && !r.session.conn.IsClosed() {
		return nil
	}
	e := r.copy.options.Endpoint
	conn, err := dialect.Connect(ctx, e, map[string]string{
		"lock_timeout":                        dialect.Millis(e.Wait() / 2),
		"statement_timeout":                   "0",
		"idle_in_transaction_session_timeout": dialect.Millis(e.Wait()),
		"idle_session_timeout":                "0",
		"default_transaction_read_only":       "on",
		"synchronous_commit":                  "local", // of tokens
		"max_parallel_workers_per_gather":     "0",     // a connection is one process of the server
	})
	if err != nil {
		return translate(ctx, e, err)
	}
	r.session = &session{conn, e}
	if err := r.copy.same(ctx, r.session); err != nil {
		r.hangUp()
		return err
	}
	return nil
}

func (r *chunkReader) hangUp() {
	if r.session != nil {
		r.session.close()
		r.session = nil
	}
}

// Close closes the connection.
func (r *chunkReader) Close() error {
	r.hangUp()
	return nil
}

// Split returns the key of the last of the next n rows. See rowferry.ChunkReader.
func (r *chunkReader) Split(ctx context.Context, ct *rowferry.CopyTable, after []rowferry.Value, n int) (upto []rowferry.Value, err error) {
	t, err := r.copy.table(ct)
	if err != nil {
		return nil, err
	}
	if len(t.key) == 0 || n < 1 {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a table is split that has no key, or into chunks of %d", n).Fact("table", "%s", t.Shape.Name)
	}
	q, err := t.splitQuery(after, n)
	if err != nil {
		return nil, err
	}
	ordinals := make([]int, len(t.key))
	for i, k := range t.key {
		ordinals[i] = k.ordinal
	}
	var found []rowferry.Row
	err = r.snapshot(ctx, t, []*copyQuery{q}, ordinals, func(rows []rowferry.Row) error {
		found = append(found, rows...)
		return nil
	})
	if err != nil || len(found) < 2 {
		return nil, err
	}
	return found[0], nil
}

// Read reads the rows of a chunk, in order of the key where there is one. See
// rowferry.ChunkReader.
func (r *chunkReader) Read(ctx context.Context, ct *rowferry.CopyTable, after, upto []rowferry.Value, each func([]rowferry.Row) error) (rowferry.Snapshot, error) {
	t, err := r.copy.table(ct)
	if err != nil {
		return "", err
	}
	q, err := t.readQuery(after, upto)
	if err != nil {
		return "", err
	}
	if err := r.snapshot(ctx, t, []*copyQuery{q}, nil, each); err != nil {
		return "", err
	}
	signed, err := r.sign(ctx)
	return rowferry.Snapshot("@" + signed.String()), err
}

// sign leaves a token behind what the last snapshot saw, on the connection it was on:
// the server has not been put back in between.
func (r *chunkReader) sign(ctx context.Context) (token, error) {
	t, err := r.session.sign(ctx)
	if err != nil {
		r.hangUp()
	}
	return t, err
}

// Fetch reads the rows with the given keys. See rowferry.ChunkReader.
func (r *chunkReader) Fetch(ctx context.Context, ct *rowferry.CopyTable, keys [][]rowferry.Value, each func([]rowferry.Row) error) error {
	t, err := r.copy.table(ct)
	if err != nil {
		return err
	}
	var all []*copyQuery
	for len(keys) > 0 {
		n := min(len(keys), fetchKeys)
		q, err := t.fetchQuery(keys[:n])
		if err != nil {
			return err
		}
		all, keys = append(all, q), keys[n:]
	}
	if all == nil {
		return nil
	}
	if err := r.snapshot(ctx, t, all, nil, each); err != nil || r.unsigned {
		return err
	}
	signed, err := r.sign(ctx)
	if err == nil {
		signed.fetched = true
		r.copy.source.tokens.expect(signed)
	}
	return err
}

// snapshot runs queries in one transaction, and calls each with their rows: those
// of all columns, or of those at the ordinals. It takes a round trip a query.
func (r *chunkReader) snapshot(ctx context.Context, t *copyTable, queries []*copyQuery, ordinals []int, each func([]rowferry.Row) error) (err error) {
	if err := r.connect(ctx); err != nil {
		return err
	}
	defer func() {
		if err != nil {
			r.hangUp()
		}
	}()
	before := []string{beginSnapshot, t.lock()}
	if len(t.key) == 0 {
		before = append(before, snapshotQuery)
	}
	if queries[0].bounded {
		before = append(before, "SET LOCAL enable_seqscan = off")
	}
	for i, q := range queries {
		var after []string
		if i == len(queries)-1 {
			after = []string{"COMMIT"}
		}
		if err := r.round(ctx, t, before, q, after, ordinals, each); err != nil {
			return r.failed(ctx, t, err)
		}
		before = nil
	}
	return nil
}

// round sends statements together, and calls each with the rows of the one in the
// middle.
func (r *chunkReader) round(ctx context.Context, t *copyTable, before []string, q *copyQuery, after []string, ordinals []int, each func([]rowferry.Row) error) error {
	if ordinals == nil {
		ordinals = t.every
	}
	pipe := r.session.conn.StartPipeline(ctx)
	for _, sql := range before {
		pipe.SendQueryParams(sql, nil, nil, nil, nil)
	}
	pipe.SendQueryParams(q.sql.String(), q.args, nil, nil, t.formats(ordinals))
	for _, sql := range after {
		pipe.SendQueryParams(sql, nil, nil, nil, nil)
	}
	if err := pipe.Sync(); err != nil {
		return err
	}
	for i := range len(before) + 1 + len(after) {
		answer, err := pipe.GetResults()
		if err != nil {
			return err
		}
		result, ok := answer.(*pgconn.ResultReader)
		if !ok {
			return rowferry.Errorf(rowferry.CodeInternal, "the driver answers a query with %T", answer)
		}
		if i < len(before) && before[i] == snapshotQuery && result.NextRow() {
			r.saw = string(result.Values()[0])
		}
		if i == len(before) {
			if err := r.rows(t, result, ordinals, each); err != nil {
				return err
			}
		}
		if _, err := result.Close(); err != nil {
			return err
		}
	}
	return pipe.Close()
}

// rows calls each with the rows of an answer.
func (r *chunkReader) rows(t *copyTable, result *pgconn.ResultReader, ordinals []int, each func([]rowferry.Row) error) error {
	if err := t.described(result.FieldDescriptions(), ordinals); err != nil {
		return err
	}
	size := 0
	r.batch = r.batch[:0]
	for result.NextRow() {
		row, n, err := r.row(t, result.Values(), ordinals)
		if err != nil {
			return err
		}
		r.batch, size = append(r.batch, row), size+n
		if len(r.batch) == callRows || size >= callBytes {
			if err := each(r.batch); err != nil {
				return givenError{err}
			}
			r.batch, size = r.batch[:0], 0
		}
	}
	if len(r.batch) == 0 {
		return nil
	}
	// Whether these are all is said at the end, by an error: then they are as good
	// as those before.
	if err := each(r.batch); err != nil {
		return givenError{err}
	}
	return nil
}

// row reads one row.
func (r *chunkReader) row(t *copyTable, texts [][]byte, ordinals []int) (row rowferry.Row, size int, err error) {
	row = r.memory.row(len(ordinals))
	size = len(row) * valueSize
	for i, o := range ordinals {
		text := texts[i]
		if text == nil {
			row[i] = rowferry.NullValue()
			continue
		}
		v, bad := r.value(t, o, text)
		if bad != nil {
			return nil, 0, bad.Fact("table", "%s", t.Shape.Name).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		row[i] = v
		size += len(v.Str())
	}
	return row, size, nil
}

// value reads a value of the column at ordinal o.
func (r *chunkReader) value(t *copyTable, o int, said []byte) (rowferry.Value, *rowferry.Error) {
	return t.columns[o].value(&r.memory, t.said[o].format, said)
}

// formats are those of the columns at the ordinals.
func (t *copyTable) formats(ordinals []int) []int16 {
	all := make([]int16, len(ordinals))
	for i, o := range ordinals {
		all[i] = t.said[o].format
	}
	return all
}

// described refuses an answer of another table than was looked at, or of one that
// was changed since.
func (t *copyTable) described(fields []pgconn.FieldDescription, ordinals []int) error {
	if len(fields) != len(ordinals) {
		return t.changed()
	}
	for i, o := range ordinals {
		f, said := &fields[i], &t.said[o]
		if f.TableOID != t.oid || int(f.TableAttributeNumber) != said.number || f.DataTypeOID != said.typeOID || int(f.TypeModifier) != said.mod || f.Format != said.format {
			return t.changed()
		}
	}
	return nil
}

func (t *copyTable) changed() *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeCopyRefused, "a table was changed while it was being copied").Fact("table", "%s", t.Shape.Name).
		Remedy("start over", "rowferry destroy, then run again into empty tables")
}

// givenError is what a caller's function returned.
type givenError struct{ error }

func (e givenError) Unwrap() error { return e.error }

// failed gives an error its code, unless it is the caller's own.
func (r *chunkReader) failed(ctx context.Context, t *copyTable, err error) error {
	var given givenError
	var server *pgconn.PgError
	switch {
	case errors.As(err, &given):
		return given.error
	case errors.As(err, &server) && (server.Code == "42703" || server.Code == "42P01" || server.Code == "3F000"): // undefined column, table, schema
		e := t.changed()
		e.Err = server
		return e
	default:
		return translate(ctx, r.session.endpoint, err)
	}
}
