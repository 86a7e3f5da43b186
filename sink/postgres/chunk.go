package postgres

import (
	"context"
	"errors"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// chunkName is the table of chunks, beside that of checkpoints.
var chunkName = schema.Name{Schema: "rowferry", Table: sqlsink.ChunkTable}

const chunks = `"rowferry"."rowferry_chunk"`

const createChunks = `CREATE TABLE IF NOT EXISTS ` + chunks + ` (
  "pipeline" text COLLATE "C" NOT NULL,
  "source_schema" text COLLATE "C" NOT NULL,
  "source_table" text COLLATE "C" NOT NULL,
  "number" bigint NOT NULL,
  "upto" text NOT NULL,
  "done" bigint NOT NULL,
  "loaded" bigint NOT NULL,
  "saw" text NOT NULL,
  PRIMARY KEY ("pipeline", "source_schema", "source_table", "number")
)`

var insertChunk = "INSERT INTO " + chunks + ` ("` + strings.Join(sqlsink.ChunkColumns, `", "`) + `") VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`

// undefinedTable reports whether a table does not exist.
func undefinedTable(err error) bool {
	var server *pgconn.PgError
	return errors.As(err, &server) && server.Code == "42P01"
}

// Chunks returns the chunks of the pipeline that were claimed, by table and number.
func (s *Sink) Chunks(ctx context.Context, pipeline string) (all []rowferry.Chunk, err error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	err = s.query(ctx, `SELECT "source_schema", "source_table", "number", "upto", "done", "loaded", "saw" FROM `+chunks+
		` WHERE "pipeline" = $1 ORDER BY 1, 2, 3`, func(r dialect.Row) error {
		c := rowferry.Chunk{Table: schema.Name{Schema: r.Text(0), Table: r.Text(1)}, Upto: r.Text(3), Saw: rowferry.Snapshot(r.Text(6))}
		number, err := r.Int(2)
		if err != nil {
			return err
		}
		done, err := r.Int(4)
		if err != nil {
			return err
		}
		rows, err := r.Int(5)
		c.Number, c.Done, c.Rows = int(number), done != 0, rows
		all = append(all, c)
		return err
	}, pipeline)
	if undefinedTable(err) {
		return nil, nil
	}
	return all, err
}

// ForgetChunks deletes the pipeline's chunks.
func (s *Sink) ForgetChunks(ctx context.Context, pipeline string) error {
	return s.within(ctx, func() error {
		exists, err := s.hasTable(ctx, chunks)
		if err != nil || !exists {
			return err
		}
		_, err = s.exec(ctx, "DELETE FROM "+chunks+` WHERE "pipeline" = $1`, pipeline)
		return err
	})
}

// Claim notes a chunk, in a transaction of its own.
func (l *load) Claim(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	s := l.sink
	return s.within(ctx, func() error {
		if err := s.hold(ctx, cp); err != nil {
			return err
		}
		_, err := s.exec(ctx, insertChunk, sqlsink.ChunkArgs(cp.Pipeline, c)...)
		return err
	})
}

// loaded notes in the open transaction that a chunk is there.
func (s *Sink) loaded(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	n, err := s.exec(ctx, "UPDATE "+chunks+` SET "done" = 1, "loaded" = $1, "saw" = $2
		WHERE "pipeline" = $3 AND "source_schema" = $4 AND "source_table" = $5 AND "number" = $6 AND "done" = 0`,
		c.Rows, string(c.Saw), cp.Pipeline, c.Table.Schema, c.Table.Table, int64(c.Number))
	if err == nil && n != 1 {
		err = sqlsink.Unclaimed(c)
	}
	return err
}
