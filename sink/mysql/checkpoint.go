package mysql

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// createCheckpoint makes the checkpoint table. Positions may be GTID sets of
// any length; pipeline names are told apart byte by byte.
func (s *Sink) createCheckpoint() string {
	return "CREATE TABLE IF NOT EXISTS " + quoteName(s.checkpointName()) + ` (
  pipeline VARCHAR(255) NOT NULL PRIMARY KEY,
  position LONGTEXT NOT NULL,
  lineage LONGTEXT NOT NULL,
  start LONGTEXT NOT NULL,
  fence BIGINT NOT NULL,
  sequence BIGINT NOT NULL,
  config LONGTEXT NOT NULL,
  state_id LONGTEXT NOT NULL,
  held LONGTEXT NOT NULL,
  log LONGTEXT NOT NULL,
  commit_time VARCHAR(40) NOT NULL,
  updated VARCHAR(40) NOT NULL,
  format INT NOT NULL
) ENGINE = InnoDB DEFAULT CHARACTER SET utf8mb4 COLLATE ` + s.server.Exact() + ` COMMENT = '` + madeBy + `'`
}

func checkpointList() string { return quoteAll(sqlsink.CheckpointColumns) }

// absent reports whether the checkpoint table, or its database, does not exist.
func absent(err error) bool {
	var refused *mysqlwire.ServerError
	return errors.As(err, &refused) && (refused.Number == 1146 || refused.Number == 1049)
}

// advance queues moving the pipeline's row on by one sequence inside the open
// transaction. What comes of it is for moved to see.
func (s *Sink) advance(ctx context.Context, cp rowferry.Checkpoint) error {
	was, err := sqlsink.Before(cp)
	if err != nil {
		return err
	}
	return s.replace(ctx, was, cp)
}

// replace queues an update of the row that is still as was.
func (s *Sink) replace(ctx context.Context, was, now rowferry.Checkpoint) error {
	values, err := sqlsink.CheckpointArgs(now)
	if err != nil {
		return err
	}
	if was.Fence > math.MaxInt64 || was.Sequence > math.MaxInt64 {
		return s.fenced(ctx, now)
	}
	sets := make([]string, len(sqlsink.CheckpointColumns))
	for i, c := range sqlsink.CheckpointColumns {
		sets[i] = quote(c) + " = ?"
	}
	values = append(values[1:], now.Pipeline, int64(was.Fence), int64(was.Sequence), rowferry.CheckpointFormat)
	s.trace("UPDATE rowferry_checkpoint", []string{string(now.Position), fmt.Sprint(now.Fence), fmt.Sprint(now.Sequence)})
	return s.missed(now, s.session.queueWith(ctx, "UPDATE "+quoteName(s.checkpointName())+" SET "+strings.Join(sets[1:], ", ")+
		" WHERE pipeline = ? AND fence = ? AND sequence = ? AND format <= ?", values...))
}

// moved reads the answer to replace, which is the next: CodeFenced where the row
// was not as it had to be.
func (s *Sink) moved(ctx context.Context, now rowferry.Checkpoint) error {
	n, err := s.session.answer(ctx)
	switch {
	case err != nil:
		return s.missed(now, err)
	case n != 1 && !failpoint.On("ignore-fence"):
		return s.fenced(ctx, now)
	default:
		return nil
	}
}

// missed says that the pipeline was taken where there is no table of checkpoints
// any more.
func (s *Sink) missed(now rowferry.Checkpoint, err error) error {
	if absent(err) {
		return sqlsink.Fenced(now, nil)
	}
	return s.translate(err)
}

// fenced says whose row was found instead.
func (s *Sink) fenced(ctx context.Context, now rowferry.Checkpoint) error {
	found, err := s.readCheckpoints(ctx, now.Pipeline, "")
	if err != nil {
		return err
	}
	if len(found) == 0 {
		return sqlsink.Fenced(now, nil)
	}
	return sqlsink.Fenced(now, &found[0])
}

// readCheckpoints returns the row of one pipeline, or all rows by name for "".
// The format is looked at first: a newer table may have other columns.
func (s *Sink) readCheckpoints(ctx context.Context, pipeline, lock string) ([]rowferry.Checkpoint, error) {
	where, args := "", []any{}
	if pipeline != "" {
		where, args = " WHERE pipeline = ?", []any{pipeline}
	}
	table := quoteName(s.checkpointName())
	var newer error
	err := s.session.query(ctx, "SELECT pipeline, format FROM "+table+where+" ORDER BY pipeline"+lock, func(scan func(...any) error) error {
		var name string
		var format int64
		if err := scan(&name, &format); err != nil {
			return err
		}
		if format > rowferry.CheckpointFormat && newer == nil {
			newer = sqlsink.Newer(name, format)
		}
		return nil
	}, args...)
	if absent(err) {
		return nil, nil
	}
	if err != nil || newer != nil {
		return nil, errors.Join(newer, s.translate(err))
	}
	var all []rowferry.Checkpoint
	err = s.session.query(ctx, "SELECT "+checkpointList()+" FROM "+table+where+" ORDER BY pipeline"+lock, func(scan func(...any) error) error {
		var row sqlsink.CheckpointRow
		if err := scan(row.Fields()...); err != nil {
			return err
		}
		cp, err := row.Checkpoint()
		all = append(all, cp)
		return err
	}, args...)
	return all, s.translate(err)
}

// idle refuses reading through the connection that has a batch open: it would
// see what is not committed. It makes sure that there is a connection.
func (s *Sink) idle(ctx context.Context) error {
	if s.open != nil {
		return rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was asked something while a batch is open")
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	err := s.session.auto(ctx)
	if err != nil && s.session.broken && ctx.Err() == nil {
		return s.connect(ctx) // which switches on what it makes
	}
	return s.translate(err)
}

// afresh runs fn, which only reads or is undone, again on a new connection where
// the server had closed the old one while nothing went over it.
func (s *Sink) afresh(ctx context.Context, fn func() error) error {
	fresh := s.session == nil || s.session.broken
	if err := s.idle(ctx); err != nil {
		return err
	}
	err := fn()
	if err == nil || fresh || !s.session.broken || ctx.Err() != nil {
		return s.translate(err)
	}
	if err := s.connect(ctx); err != nil {
		return err
	}
	return s.translate(fn())
}

// ReadCheckpoint returns the pipeline's row, or nil. It waits for a transaction
// that has changed the row to end: a commit whose answer was lost is in what it
// returns, or never will be.
func (s *Sink) ReadCheckpoint(ctx context.Context, pipeline string) (*rowferry.Checkpoint, error) {
	if pipeline == "" {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a pipeline has no name")
	}
	var all []rowferry.Checkpoint
	err := s.afresh(ctx, func() (err error) {
		if s.options.ReadOnly { // and perhaps without the privilege to lock
			all, err = s.readCheckpoints(ctx, pipeline, "")
			return err
		}
		if err := s.session.exec(ctx, "START TRANSACTION"); err != nil {
			return err
		}
		all, err = s.readCheckpoints(ctx, pipeline, " FOR UPDATE")
		if s.session.broken {
			return err
		}
		return errors.Join(err, s.session.exec(ctx, "ROLLBACK"))
	})
	if err != nil || len(all) == 0 {
		return nil, err
	}
	return &all[0], nil
}

// ListCheckpoints returns all rows by pipeline name. It waits for nobody.
func (s *Sink) ListCheckpoints(ctx context.Context) (all []rowferry.Checkpoint, err error) {
	err = s.afresh(ctx, func() (err error) {
		all, err = s.readCheckpoints(ctx, "", "")
		return err
	})
	return all, err
}

// WriteCheckpoint replaces the row that is still as was by now, in a
// transaction of its own. Where the answer to its COMMIT is lost the error says
// so, and the row is as was or as now.
func (s *Sink) WriteCheckpoint(ctx context.Context, was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if err := sqlsink.CheckReplacement(was, now); err != nil {
		return err
	}
	if err := s.idle(ctx); err != nil {
		return err
	}
	if was == nil {
		if err := s.afresh(ctx, func() error { return s.createCheckpoints(ctx) }); err != nil {
			return err
		}
	}
	if err := s.start(ctx); err != nil {
		return err
	}
	err := s.writeCheckpoint(ctx, was, now)
	if err == nil {
		err = s.translate(s.session.exec(ctx, "COMMIT"))
	}
	if err != nil {
		s.abandon()
	}
	return err
}

// createCheckpoints makes the table, and its database, where they are missing.
func (s *Sink) createCheckpoints(ctx context.Context) error {
	if s.options.ReadOnly {
		return rowferry.Errorf(rowferry.CodeInternal, "the MySQL target was opened for reading only")
	}
	found, err := s.session.strings(ctx, "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = ? AND TABLE_NAME = ?", s.home(), sqlsink.CheckpointTable)
	if err != nil || len(found) > 0 {
		return s.translate(err)
	}
	if err := s.createDatabase(ctx, s.session, s.home()); err != nil {
		return err
	}
	return s.translate(s.session.exec(ctx, s.createCheckpoint()))
}

func (s *Sink) writeCheckpoint(ctx context.Context, was *rowferry.Checkpoint, now rowferry.Checkpoint) error {
	if was != nil {
		if err := s.replace(ctx, *was, now); err != nil {
			return err
		}
		return s.moved(ctx, now)
	}
	values, err := sqlsink.CheckpointArgs(now)
	if err != nil {
		return err
	}
	err = s.session.queueWith(ctx, "INSERT INTO "+quoteName(s.checkpointName())+" ("+checkpointList()+") VALUES (?,?,?,?,?,?,?,?,?,?,?,?,?)", values...)
	if err == nil {
		_, err = s.session.answer(ctx)
	}
	var refused *mysqlwire.ServerError
	if errors.As(err, &refused) && refused.Number == 1062 {
		return s.fenced(ctx, now)
	}
	return s.translate(err)
}
