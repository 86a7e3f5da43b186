package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"math"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

const createCheckpoint = `CREATE TABLE IF NOT EXISTS rowferry_checkpoint (
  pipeline TEXT NOT NULL PRIMARY KEY,
  position TEXT NOT NULL,
  lineage TEXT NOT NULL,
  start TEXT NOT NULL,
  fence INTEGER NOT NULL,
  sequence INTEGER NOT NULL,
  config TEXT NOT NULL,
  state_id TEXT NOT NULL,
  held TEXT NOT NULL,
  log TEXT NOT NULL,
  commit_time TEXT NOT NULL,
  updated TEXT NOT NULL,
  format INTEGER NOT NULL
) STRICT`

var checkpointColumns = strings.Join(sqlsink.CheckpointColumns, ", ")

var (
	insertCheckpoint = "INSERT INTO rowferry_checkpoint (" + checkpointColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
	updateCheckpoint = `UPDATE rowferry_checkpoint SET position = ?2, lineage = ?3, start = ?4, fence = ?5, sequence = ?6,
  config = ?7, state_id = ?8, held = ?9, log = ?10, commit_time = ?11, updated = ?12, format = ?13
  WHERE pipeline = ?1 AND fence = ?14 AND sequence = ?15 AND format <= ?16`
)

// advance moves the pipeline's row on by one sequence inside the open
// transaction.
func (s *Sink) advance(cp rowferry.Checkpoint) error {
	was, err := sqlsink.Before(cp)
	if err != nil {
		return err
	}
	return s.replace(was, cp)
}

// replace updates the row that is still as was, else CodeFenced.
func (s *Sink) replace(was, now rowferry.Checkpoint) error {
	values, err := sqlsink.CheckpointArgs(now)
	if err != nil {
		return err
	}
	if was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(now)
	}
	exists, err := s.hasTable(sqlsink.CheckpointTable)
	if err != nil {
		return err
	}
	if !exists {
		return s.fenced(now)
	}
	values = append(values, int64(was.Fence), int64(was.Sequence), rowferry.CheckpointFormat)
	if s.options.Trace != nil {
		s.options.Trace("UPDATE rowferry_checkpoint", []string{string(now.Position), fmt.Sprint(now.Fence), fmt.Sprint(now.Sequence)})
	}
	if err := dialect.Exec(s.conn, updateCheckpoint, values...); err != nil {
		return s.translate(err)
	}
	if s.conn.Changes() != 1 && !failpoint.On("ignore-fence") {
		return s.fenced(now)
	}
	return nil
}

// fenced says whose row was found instead.
func (s *Sink) fenced(now rowferry.Checkpoint) error {
	found, err := s.readCheckpoints(now.Pipeline)
	if err != nil || len(found) == 0 {
		return cmp.Or(err, sqlsink.Fenced(now, nil))
	}
	return sqlsink.Fenced(now, &found[0])
}

// hasTable reports whether one of Rowferry's own tables exists.
func (s *Sink) hasTable(name string) (bool, error) {
	exists := false
	err := dialect.Query(s.conn, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", func(row) error {
		exists = true
		return nil
	}, name)
	return exists, s.translate(err)
}

// readCheckpoints returns the row of one pipeline, or all rows by name for "".
// The format is looked at first: a newer table may have other columns.
func (s *Sink) readCheckpoints(pipeline string) ([]rowferry.Checkpoint, error) {
	exists, err := s.hasTable(sqlsink.CheckpointTable)
	if err != nil || !exists {
		return nil, err
	}
	err = dialect.Query(s.conn, "SELECT pipeline, format FROM rowferry_checkpoint WHERE format > ?1 AND ?2 IN ('', pipeline) ORDER BY 1 LIMIT 1",
		func(r row) error {
			return sqlsink.Newer(r.ColumnText(0), r.ColumnInt64(1))
		}, rowferry.CheckpointFormat, pipeline)
	if err != nil {
		return nil, s.translate(err)
	}
	var all []rowferry.Checkpoint
	err = dialect.Query(s.conn, "SELECT "+checkpointColumns+" FROM rowferry_checkpoint WHERE ?1 IN ('', pipeline) ORDER BY pipeline",
		func(r row) error {
			cp, err := scanCheckpoint(r)
			all = append(all, cp)
			return err
		}, pipeline)
	return all, s.translate(err)
}

func scanCheckpoint(r row) (rowferry.Checkpoint, error) {
	var cp sqlsink.CheckpointRow
	for i, field := range cp.Fields() {
		switch p := field.(type) {
		case *string:
			*p = r.ColumnText(i)
		case *int64:
			*p = r.ColumnInt64(i)
		}
	}
	return cp.Checkpoint()
}

// idle refuses reading through the connection that has a batch open: it would
// see what is not committed.
func (s *Sink) idle(ctx context.Context) error {
	if s.open != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "the SQLite target was asked something while a batch is open")
	}
	return ctx.Err()
}

// ReadCheckpoint returns the pipeline's row, or nil.
func (s *Sink) ReadCheckpoint(ctx context.Context, pipeline string) (*rowferry.Checkpoint, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	if pipeline == "" {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a pipeline has no name")
	}
	all, err := s.readCheckpoints(pipeline)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// ListCheckpoints returns all rows by pipeline name.
func (s *Sink) ListCheckpoints(ctx context.Context) ([]rowferry.Checkpoint, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	return s.readCheckpoints("")
}

// WriteCheckpoint replaces the row that is still as was by now, in a
// transaction of its own.
func (s *Sink) WriteCheckpoint(ctx context.Context, was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if err := sqlsink.CheckReplacement(was, now); err != nil {
		return err
	}
	return s.within(ctx, func() error { return s.writeCheckpoint(was, now) })
}

func (s *Sink) writeCheckpoint(was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if err := dialect.Exec(s.conn, createCheckpoint); err != nil {
		return s.translate(err)
	}
	if was != nil {
		return s.replace(*was, now)
	}
	values, err := sqlsink.CheckpointArgs(now)
	if err != nil {
		return err
	}
	err = dialect.Exec(s.conn, insertCheckpoint, values...)
	if sqlite.ErrCode(err).ToPrimary() == sqlite.ResultConstraint {
		return s.fenced(now)
	}
	return s.translate(err)
}

// Occupied returns which of the tables exist and hold at least one row.
func (s *Sink) Occupied(ctx context.Context, tables []schema.Name) ([]schema.Name, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	var occupied []schema.Name
	for _, name := range tables {
		x, err := dialect.Inspect(s.conn, name.Table)
		if err != nil {
			return nil, s.translate(err)
		}
		if x == nil {
			continue
		}
		empty, err := s.isEmpty(dialect.Quote(name.Table))
		if err != nil {
			return nil, err
		}
		if !empty {
			occupied = append(occupied, name)
		}
	}
	return occupied, nil
}

// Tables returns the shapes of the existing tables, without Rowferry's own.
func (s *Sink) Tables(ctx context.Context) ([]*schema.Table, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	names, err := dialect.TableNames(s.conn)
	if err != nil {
		return nil, s.translate(err)
	}
	var shapes []*schema.Table
	for _, name := range names {
		if sqlsink.Own(name) {
			continue
		}
		x, err := dialect.Inspect(s.conn, name)
		if err != nil {
			return nil, s.translate(err)
		}
		if x != nil {
			shapes = append(shapes, x.Shape)
		}
	}
	return shapes, nil
}
