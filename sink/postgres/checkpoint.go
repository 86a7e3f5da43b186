package postgres

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// checkpointName is the table of checkpoints, in a schema of its own.
var checkpointName = schema.Name{Schema: "rowferry", Table: sqlsink.CheckpointTable}

const checkpoints = `"rowferry"."rowferry_checkpoint"`

const createCheckpoints = `CREATE TABLE IF NOT EXISTS ` + checkpoints + ` (
  "pipeline" text COLLATE "C" NOT NULL PRIMARY KEY,
  "position" text NOT NULL,
  "lineage" text NOT NULL,
  "start" text NOT NULL,
  "fence" bigint NOT NULL,
  "sequence" bigint NOT NULL,
  "config" text NOT NULL,
  "state_id" text NOT NULL,
  "held" text NOT NULL,
  "log" text NOT NULL,
  "commit_time" text NOT NULL,
  "updated" text NOT NULL,
  "format" bigint NOT NULL
)`

// The statements on the table, made of sqlsink.CheckpointColumns. The update's
// parameters are the columns in order, then fence, sequence and format of the
// row that is replaced.
var (
	checkpointColumns = `"` + strings.Join(sqlsink.CheckpointColumns, `", "`) + `"`
	insertCheckpoint  = "INSERT INTO " + checkpoints + " (" + checkpointColumns + ") VALUES (" + strings.Join(marks(len(sqlsink.CheckpointColumns)), ", ") + ") ON CONFLICT DO NOTHING"
	updateCheckpoint  = "UPDATE " + checkpoints + " SET (" + checkpointColumns + ") = ROW (" + strings.Join(marks(len(sqlsink.CheckpointColumns)), ", ") +
		fmt.Sprintf(`) WHERE "pipeline" = $1 AND "fence" = $%d AND "sequence" = $%d AND "format" <= $%d`,
			len(sqlsink.CheckpointColumns)+1, len(sqlsink.CheckpointColumns)+2, len(sqlsink.CheckpointColumns)+3)
)

func marks(n int) []string {
	m := make([]string, n)
	for i := range m {
		m[i] = "$" + strconv.Itoa(i+1)
	}
	return m
}

// checkpointArgs returns the row's columns as parameters.
func checkpointArgs(cp rowferry.Checkpoint) ([]any, error) {
	values, err := sqlsink.CheckpointArgs(cp)
	if err != nil {
		return nil, err
	}
	for i, v := range values {
		if text, ok := v.(string); ok && strings.ContainsRune(text, 0) {
			return nil, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint has the character U+0000 in its %s, which PostgreSQL cannot hold", sqlsink.CheckpointColumns[i])
		}
	}
	return values, nil
}

// advance moves the pipeline's row on by one sequence inside the open
// transaction.
func (s *Sink) advance(ctx context.Context, cp rowferry.Checkpoint) error {
	was, err := sqlsink.Before(cp)
	if err != nil {
		return err
	}
	return s.replace(ctx, was, cp)
}

// replace updates the row that is still as was, else CodeFenced.
func (s *Sink) replace(ctx context.Context, was, now rowferry.Checkpoint) error {
	values, err := checkpointArgs(now)
	if err != nil {
		return err
	}
	if was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(ctx, now)
	}
	if s.options.Trace != nil {
		s.options.Trace("UPDATE rowferry.rowferry_checkpoint", []string{string(now.Position), fmt.Sprint(now.Fence), fmt.Sprint(now.Sequence)})
	}
	values = append(values, int64(was.Fence), int64(was.Sequence), int64(rowferry.CheckpointFormat))
	n, err := s.exec(ctx, updateCheckpoint, values...)
	if undefinedTable(err) {
		return sqlsink.Fenced(now, nil) // there is no table
	}
	if err != nil {
		return err
	}
	if n != 1 && !failpoint.On("ignore-fence") {
		return s.fenced(ctx, now)
	}
	return nil
}

// fenced says whose row was found instead.
func (s *Sink) fenced(ctx context.Context, now rowferry.Checkpoint) error {
	found, err := s.readCheckpoints(ctx, now.Pipeline, false)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return sqlsink.Fenced(now, nil)
	default:
		return sqlsink.Fenced(now, &found[0])
	}
}

// hasTable reports whether one of Rowferry's own tables, as it is quoted, exists.
func (s *Sink) hasTable(ctx context.Context, table string) (bool, error) {
	exists := false
	err := s.query(ctx, "SELECT to_regclass($1) IS NOT NULL", func(r dialect.Row) error {
		exists = r.Bool(0)
		return nil
	}, table)
	return exists, err
}

// readCheckpoints returns the row of one pipeline, or all rows by name for "".
// With lock set it waits for whoever is changing the row.
func (s *Sink) readCheckpoints(ctx context.Context, pipeline string, lock bool) ([]rowferry.Checkpoint, error) {
	exists, err := s.hasTable(ctx, checkpoints)
	if err != nil || !exists {
		return nil, err
	}
	suffix := ""
	if lock {
		suffix = " FOR UPDATE"
	}
	// The columns of a newer format may be others.
	err = s.query(ctx, `SELECT "pipeline", "format" FROM `+checkpoints+` WHERE $1 IN ('', "pipeline") ORDER BY 1`+suffix, func(r dialect.Row) error {
		format, err := r.Int(1)
		if err == nil && format > rowferry.CheckpointFormat {
			return sqlsink.Newer(r.Text(0), format)
		}
		return err
	}, pipeline)
	if err != nil {
		return nil, err
	}
	var all []rowferry.Checkpoint
	err = s.query(ctx, "SELECT "+checkpointColumns+" FROM "+checkpoints+` WHERE $1 IN ('', "pipeline") ORDER BY "pipeline"`, func(r dialect.Row) error {
		cp, err := scanCheckpoint(r)
		all = append(all, cp)
		return err
	}, pipeline)
	return all, err
}

func scanCheckpoint(r dialect.Row) (rowferry.Checkpoint, error) {
	var row sqlsink.CheckpointRow
	for i, field := range row.Fields() {
		switch f := field.(type) {
		case *string:
			*f = r.Text(i)
		case *int64:
			n, err := r.Int(i)
			if err != nil {
				return rowferry.Checkpoint{}, rowferry.Errorf(rowferry.CodeTarget, "the checkpoint row in the target cannot be read: %w", err)
			}
			*f = n
		default:
			return rowferry.Checkpoint{}, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint has a column of %T", field)
		}
	}
	return row.Checkpoint()
}

// ReadCheckpoint returns the pipeline's row, or nil. It waits for the
// transaction of another session that is about to commit the row, or lost its
// engine just then: what it returns is settled.
func (s *Sink) ReadCheckpoint(ctx context.Context, pipeline string) (*rowferry.Checkpoint, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	if pipeline == "" {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a pipeline has no name")
	}
	all, err := s.readCheckpoints(ctx, pipeline, !s.options.ReadOnly)
	if err != nil || len(all) == 0 {
		return nil, err
	}
	s.durable.note(all[0])
	return &all[0], nil
}

// ListCheckpoints returns all rows by pipeline name.
func (s *Sink) ListCheckpoints(ctx context.Context) ([]rowferry.Checkpoint, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	return s.readCheckpoints(ctx, "", false)
}

// WriteCheckpoint replaces the row that is still as was by now, in a
// transaction of its own.
func (s *Sink) WriteCheckpoint(ctx context.Context, was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if err := sqlsink.CheckReplacement(was, now); err != nil {
		return err
	}
	err := s.within(ctx, func() error {
		if was != nil {
			return s.replace(ctx, *was, now)
		}
		return s.insert(ctx, now)
	})
	if err == nil {
		s.durable.note(now)
	}
	return err
}

// insert writes the row of a pipeline that has none. Where another engine is
// about to do the same, it waits for that one's.
func (s *Sink) insert(ctx context.Context, now rowferry.Checkpoint) error {
	values, err := checkpointArgs(now)
	if err != nil {
		return err
	}
	exists, err := s.hasTable(ctx, checkpoints)
	if err != nil {
		return err
	}
	if !exists {
		if err := s.ensureSchema(ctx, checkpointName.Schema); err != nil {
			return err
		}
		if err := s.run(ctx, createCheckpoints); err != nil {
			return err
		}
	}
	n, err := s.exec(ctx, insertCheckpoint, values...)
	if err != nil {
		return err
	}
	if n != 1 {
		return s.fenced(ctx, now)
	}
	return nil
}

// Occupied returns which of the tables exist and hold at least one row.
func (s *Sink) Occupied(ctx context.Context, tables []schema.Name) ([]schema.Name, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	var occupied []schema.Name
	for _, name := range tables {
		if err := dialect.CheckName(name); err != nil {
			continue // no table can have it
		}
		x, err := s.look(ctx, name)
		if err != nil {
			return nil, err
		}
		if x == nil {
			continue
		}
		empty, err := s.isEmpty(ctx, name)
		if err != nil {
			return nil, err
		}
		if !empty {
			occupied = append(occupied, name)
		}
	}
	return occupied, nil
}

func (s *Sink) isEmpty(ctx context.Context, n schema.Name) (bool, error) {
	empty := true
	err := s.query(ctx, "SELECT FROM "+dialect.QuoteTable(n)+" LIMIT 1", func(dialect.Row) error {
		empty = false
		return nil
	})
	return empty, err
}

// Tables returns the shapes of the existing tables, without Rowferry's own.
func (s *Sink) Tables(ctx context.Context) ([]*schema.Table, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	conn, err := s.session(ctx)
	if err != nil {
		return nil, err
	}
	existing, err := dialect.Tables(ctx, conn)
	if err != nil {
		return nil, s.translate(ctx, err)
	}
	var shapes []*schema.Table
	for _, x := range existing {
		if x.Shape.Name != checkpointName && x.Shape.Name != chunkName && len(x.Shape.Columns) > 0 {
			shapes = append(shapes, x.Shape)
		}
	}
	return shapes, nil
}
