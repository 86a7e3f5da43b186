package mysql

import (
	"context"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

func (s *Sink) chunkName() schema.Name {
	return schema.Name{Schema: s.home(), Table: sqlsink.ChunkTable}
}

// createChunks makes the table of chunks.
func (s *Sink) createChunks() string {
	return "CREATE TABLE IF NOT EXISTS " + quoteName(s.chunkName()) + ` (
  pipeline VARCHAR(255) NOT NULL,
  source_schema VARCHAR(255) NOT NULL,
  source_table VARCHAR(255) NOT NULL,
  number INT NOT NULL,
  upto LONGTEXT NOT NULL,
  done TINYINT NOT NULL,
  loaded BIGINT NOT NULL,
  saw LONGTEXT NOT NULL,
  PRIMARY KEY (pipeline, source_schema, source_table, number)
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ` + s.server.Exact() + ` COMMENT = '` + madeBy + `'`
}

// Chunks returns the chunks of the pipeline that were claimed, by table and number.
func (s *Sink) Chunks(ctx context.Context, pipeline string) (all []rowferry.Chunk, err error) {
	err = s.afresh(ctx, func() error {
		all = nil
		return s.session.query(ctx, "SELECT source_schema, source_table, number, upto, done, loaded, saw FROM "+quoteName(s.chunkName())+
			" WHERE pipeline = ? ORDER BY source_schema, source_table, number", func(scan func(...any) error) error {
			var c rowferry.Chunk
			done, saw := 0, ""
			err := scan(&c.Table.Schema, &c.Table.Table, &c.Number, &c.Upto, &done, &c.Rows, &saw)
			c.Done, c.Saw = done != 0, rowferry.Snapshot(saw)
			all = append(all, c)
			return err
		}, pipeline)
	})
	if absent(err) {
		return nil, nil
	}
	return all, err
}

// ForgetChunks deletes the pipeline's chunks.
func (s *Sink) ForgetChunks(ctx context.Context, pipeline string) error {
	if err := s.idle(ctx); err != nil {
		return err
	}
	err := s.session.queueWith(ctx, "DELETE FROM "+quoteName(s.chunkName())+" WHERE pipeline = ?", pipeline)
	if err == nil {
		_, err = s.session.answer(ctx)
	}
	if absent(err) {
		return nil
	}
	return s.translate(err)
}

// Claim notes a chunk, in a transaction of its own.
func (l *load) Claim(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	s := l.sink
	if l.batch != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "a chunk was claimed while another is open")
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	err := s.hold(ctx, cp)
	if err == nil {
		_, err = s.change(ctx, "INSERT INTO "+quoteName(s.chunkName())+" ("+quoteAll(sqlsink.ChunkColumns)+") VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
			sqlsink.ChunkArgs(cp.Pipeline, c)...)
	}
	if err == nil {
		err = s.translate(s.session.exec(ctx, "COMMIT"))
	}
	if err != nil {
		s.abandon()
	}
	return err
}

// change runs a statement in the open transaction, and returns how many rows it
// found.
func (s *Sink) change(ctx context.Context, query string, args ...any) (int64, error) {
	if err := s.session.queueWith(ctx, query, args...); err != nil {
		return 0, s.translate(err)
	}
	n, err := s.session.answer(ctx)
	return n, s.translate(err)
}

// loaded notes in the open transaction that a chunk is there.
func (s *Sink) loaded(ctx context.Context, cp rowferry.Checkpoint, c rowferry.Chunk) error {
	n, err := s.change(ctx, "UPDATE "+quoteName(s.chunkName())+
		" SET done = 1, loaded = ?, saw = ? WHERE pipeline = ? AND source_schema = ? AND source_table = ? AND number = ? AND done = 0",
		c.Rows, string(c.Saw), cp.Pipeline, c.Table.Schema, c.Table.Table, int64(c.Number))
	if err == nil && n != 1 {
		err = sqlsink.Unclaimed(c)
	}
	return err
}
