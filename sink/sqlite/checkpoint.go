package sqlite

import (
	"context"
	"encoding/json"
	"fmt"
	"math"
	"time"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// checkpointTable holds one row per pipeline, written in the transaction of
// each batch. Its columns are readable as they are.
const checkpointTable = "rowferry_checkpoint"

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

const checkpointColumns = "pipeline, position, lineage, start, fence, sequence, config, state_id, held, log, commit_time, updated, format"

const (
	insertCheckpoint = "INSERT INTO rowferry_checkpoint (" + checkpointColumns + ") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)"
	updateCheckpoint = `UPDATE rowferry_checkpoint SET position = ?2, lineage = ?3, start = ?4, fence = ?5, sequence = ?6,
  config = ?7, state_id = ?8, held = ?9, log = ?10, commit_time = ?11, updated = ?12, format = ?13
  WHERE pipeline = ?1 AND fence = ?14 AND sequence = ?15 AND format <= ?16`
)

// args returns the row's columns in order. Counters are SQLite integers, so
// they end at 2^63-1.
func args(cp rowferry.Checkpoint) ([]any, error) {
	if cp.Fence > math.MaxInt64 || cp.Sequence > math.MaxInt64 {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint counter is beyond 2^63-1: fence %d, sequence %d", cp.Fence, cp.Sequence)
	}
	held, err := json.Marshal(cp.Held)
	if err != nil {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a checkpoint cannot be written: %w", err)
	}
	return []any{
		cp.Pipeline, string(cp.Position), cp.Lineage, string(cp.Start), int64(cp.Fence), int64(cp.Sequence),
		cp.Config, cp.StateID, string(held), cp.Log, formatTime(cp.Commit), formatTime(cp.Updated), cp.Format,
	}, nil
}

func formatTime(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(time.RFC3339Nano)
}

func parseTime(s string) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	return time.Parse(time.RFC3339Nano, s)
}

// advance moves the pipeline's row on by one sequence inside the open
// transaction.
func (s *Sink) advance(cp rowferry.Checkpoint) error {
	was := rowferry.Checkpoint{Fence: cp.Fence, Sequence: cp.Sequence - 1}
	if cp.Sequence == 0 {
		return rowferry.Errorf(rowferry.CodeInternal, "a batch cannot have sequence 0")
	}
	return s.replace(was, cp)
}

// replace updates the row that is still as was, else CodeFenced.
func (s *Sink) replace(was, now rowferry.Checkpoint) error {
	values, err := args(now)
	if err != nil {
		return err
	}
	if was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(now)
	}
	exists, err := s.hasCheckpoints()
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
	e := rowferry.Errorf(rowferry.CodeFenced, "the pipeline's checkpoint in the target is not as this engine left it").
		Fact("pipeline", "%s", now.Pipeline).Fact("this engine", "fence %d, sequence %d to write", now.Fence, now.Sequence)
	found, err := s.readCheckpoints(now.Pipeline)
	switch {
	case err != nil:
		return err
	case len(found) == 0:
		return e.Fact("target", "no row")
	default:
		return e.Fact("target", "fence %d, sequence %d, at %s", found[0].Fence, found[0].Sequence, found[0].Position)
	}
}

func (s *Sink) hasCheckpoints() (bool, error) {
	exists := false
	err := dialect.Query(s.conn, "SELECT 1 FROM sqlite_schema WHERE type = 'table' AND name = ?1", func(row) error {
		exists = true
		return nil
	}, checkpointTable)
	return exists, s.translate(err)
}

// readCheckpoints returns the row of one pipeline, or all rows by name for "".
// The format is looked at first: a newer table may have other columns.
func (s *Sink) readCheckpoints(pipeline string) ([]rowferry.Checkpoint, error) {
	exists, err := s.hasCheckpoints()
	if err != nil || !exists {
		return nil, err
	}
	err = dialect.Query(s.conn, "SELECT pipeline, format FROM rowferry_checkpoint WHERE format > ?1 AND ?2 IN ('', pipeline) ORDER BY 1 LIMIT 1",
		func(r row) error {
			return rowferry.Errorf(rowferry.CodeCheckpointNew, "the checkpoint in the target was written by a newer Rowferry").
				Fact("pipeline", "%s", r.ColumnText(0)).Fact("format", "%d, this program knows %d", r.ColumnInt(1), rowferry.CheckpointFormat)
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
	cp := rowferry.Checkpoint{
		Pipeline: r.ColumnText(0), Position: rowferry.Position(r.ColumnText(1)), Lineage: r.ColumnText(2),
		Start: rowferry.Position(r.ColumnText(3)), Fence: uint64(r.ColumnInt64(4)), Sequence: uint64(r.ColumnInt64(5)),
		Config: r.ColumnText(6), StateID: r.ColumnText(7), Log: r.ColumnText(9), Format: r.ColumnInt(12),
	}
	err := json.Unmarshal([]byte(r.ColumnText(8)), &cp.Held)
	if err == nil {
		cp.Commit, err = parseTime(r.ColumnText(10))
	}
	if err == nil {
		cp.Updated, err = parseTime(r.ColumnText(11))
	}
	if err != nil {
		return cp, rowferry.Errorf(rowferry.CodeTarget, "the checkpoint row in the target cannot be read: %w", err).Fact("pipeline", "%s", cp.Pipeline)
	}
	return cp, nil
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
	if err := s.idle(ctx); err != nil {
		return err
	}
	if now.Pipeline == "" || was != nil && was.Pipeline != now.Pipeline {
		return rowferry.Errorf(rowferry.CodeInternal, "a checkpoint of pipeline %q cannot be written", now.Pipeline)
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	err := s.writeCheckpoint(was, now)
	if err == nil {
		err = s.translate(dialect.Exec(s.conn, "COMMIT"))
	}
	if err != nil {
		if rerr := s.abandon(); rerr != nil {
			return fmt.Errorf("%w (and the rollback failed: %w)", err, rerr)
		}
	}
	return err
}

func (s *Sink) writeCheckpoint(was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if err := dialect.Exec(s.conn, createCheckpoint); err != nil {
		return s.translate(err)
	}
	if was != nil {
		return s.replace(*was, now)
	}
	values, err := args(now)
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
		if dialect.Fold(name) == checkpointTable {
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
