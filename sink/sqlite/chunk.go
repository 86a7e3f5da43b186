package sqlite

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

const createChunks = `CREATE TABLE IF NOT EXISTS rowferry_chunk (
  pipeline TEXT NOT NULL,
  source_schema TEXT NOT NULL,
  source_table TEXT NOT NULL,
  number INTEGER NOT NULL,
  upto TEXT NOT NULL,
  done INTEGER NOT NULL,
  loaded INTEGER NOT NULL,
  saw TEXT NOT NULL,
  PRIMARY KEY (pipeline, source_schema, source_table, number)
) STRICT`

var insertChunk = "INSERT INTO rowferry_chunk (" + strings.Join(sqlsink.ChunkColumns, ", ") + ") VALUES (?,?,?,?,?,?,?,?)"

// Chunks returns the chunks of the pipeline that were claimed, by table and number.
func (s *Sink) Chunks(ctx context.Context, pipeline string) ([]rowferry.Chunk, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	exists, err := s.hasTable(sqlsink.ChunkTable)
	if err != nil || !exists {
		return nil, err
	}
	var all []rowferry.Chunk
	err = dialect.Query(s.conn, `SELECT source_schema, source_table, number, upto, done, loaded, saw FROM rowferry_chunk
		WHERE pipeline = ?1 ORDER BY 1, 2, 3`, func(r row) error {
		all = append(all, rowferry.Chunk{
			Table: schema.Name{Schema: r.ColumnText(0), Table: r.ColumnText(1)}, Number: r.ColumnInt(2),
			Upto: r.ColumnText(3), Done: r.ColumnInt(4) != 0, Rows: r.ColumnInt64(5),
			Saw: rowferry.Snapshot(r.ColumnText(6)),
		})
		return nil
	}, pipeline)
	return all, s.translate(err)
}

// ForgetChunks deletes the pipeline's chunks.
func (s *Sink) ForgetChunks(ctx context.Context, pipeline string) error {
	return s.within(ctx, func() error {
		exists, err := s.hasTable(sqlsink.ChunkTable)
		if err != nil || !exists {
			return err
		}
		return s.translate(dialect.Exec(s.conn, "DELETE FROM rowferry_chunk WHERE pipeline = ?", pipeline))
	})
}

// Claim notes a chunk, in a transaction of its own.
func (l *load) Claim(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	s := l.sink
	return s.within(ctx, func() error {
		if err := s.hold(cp); err != nil {
			return err
		}
		return s.translate(dialect.Exec(s.conn, insertChunk, sqlsink.ChunkArgs(cp.Pipeline, c)...))
	})
}

// loaded notes in the open transaction that a chunk is there.
func (s *Sink) loaded(cp rowferry.Checkpoint, c rowferry.Chunk) error {
	err := dialect.Exec(s.conn, `UPDATE rowferry_chunk SET done = 1, loaded = ?, saw = ?
		WHERE pipeline = ? AND source_schema = ? AND source_table = ? AND number = ? AND done = 0`,
		c.Rows, string(c.Saw), cp.Pipeline, c.Table.Schema, c.Table.Table, int64(c.Number))
	if err == nil && s.conn.Changes() != 1 {
		return sqlsink.Unclaimed(c)
	}
	return s.translate(err)
}
