package sqlite

import (
	"context"
	"errors"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
)

// constraintDatatype is SQLITE_CONSTRAINT_DATATYPE, which the driver does not
// name (https://www.sqlite.org/rescode.html#constraint_datatype).
const constraintDatatype sqlite.ResultCode = 19 | 12<<8

// translate turns an error of the driver into one with a code. What is
// already coded, and the context's own errors, stay as they are.
func (s *Sink) translate(err error) error {
	if err == nil || rowferry.CodeOf(err) != "" || errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if coded := translateDialect(err); coded != nil {
		return coded
	}
	code := sqlite.ErrCode(err)
	switch code.ToPrimary() {
	case sqlite.ResultFull:
		return rowferry.Errorf(rowferry.CodeTargetFull, "the disk of the SQLite target is full: %w", err).Fact("file", "%s", s.path)
	case sqlite.ResultBusy, sqlite.ResultLocked:
		return rowferry.Errorf(rowferry.CodeTargetBusy, "another connection kept the SQLite target locked for %s: %w", s.options.BusyTimeout, err).Fact("file", "%s", s.path)
	case sqlite.ResultInterrupt:
		return context.Canceled
	case sqlite.ResultConstraint:
		return rowferry.Errorf(rowferry.CodeRowRefused, "the SQLite target refused a row: %w", err)
	case sqlite.ResultTooBig:
		return rowferry.Errorf(rowferry.CodeOutOfRange, "a row is larger than SQLite can hold: %w", err)
	default:
		return rowferry.Errorf(rowferry.CodeTarget, "the SQLite target failed: %w", err).Fact("file", "%s", s.path)
	}
}

// translateDialect gives the dialect's own errors their codes.
func translateDialect(err error) *rowferry.Error {
	var name *dialect.NameError
	var typ *dialect.TypeError
	var cascade *dialect.CascadeError
	switch {
	case errors.As(err, &name):
		return rowferry.Errorf(rowferry.CodeNameCollision, "SQLite cannot have a table of this name: %w", err).
			Remedy("another name", "entities: {db.table: {to: other}}")
	case errors.As(err, &typ):
		return rowferry.Errorf(rowferry.CodeTypeRefused, "a column's type cannot be carried to SQLite: %w", err).
			Fact("table", "%s", typ.Table).Fact("column", "%s", typ.Column)
	case errors.As(err, &cascade):
		return rowferry.Errorf(rowferry.CodeCascades, "a foreign key that changes rows by itself cannot be carried to SQLite: %s", cascade.Reason).
			Fact("table", "%s", cascade.Table).
			Fact("foreign key", "(%s) to %s (%s)", strings.Join(cascade.Columns, ", "), cascade.Key.Parent, strings.Join(cascade.Key.Referenced, ", ")).
			Fact("actions", "%s", sqlsink.DescribeActions(cascade.Key))
	default:
		return nil
	}
}

// refuse turns the error of a statement that wrote m into the refusal of m, or
// into a failure of the target where it was not about the row.
func (s *Sink) refuse(err error, t *target, m *rowferry.Mutation) error {
	code := sqlite.ErrCode(err)
	if p := code.ToPrimary(); p != sqlite.ResultConstraint && p != sqlite.ResultTooBig && p != sqlite.ResultMismatch {
		return s.translate(err)
	}
	var e *rowferry.Error
	switch code {
	case sqlite.ResultConstraintPrimaryKey, sqlite.ResultConstraintUnique, sqlite.ResultConstraintRowID:
		e = rowferry.Errorf(rowferry.CodeForeignRow, "an %s met a row that already has its key", m.Op)
	case sqlite.ResultTooBig:
		e = rowferry.Errorf(rowferry.CodeOutOfRange, "a row is larger than SQLite can hold")
	case constraintDatatype:
		e = rowferry.Errorf(rowferry.CodeRowRefused, "a column of the target has another type than the value")
	default:
		e = rowferry.Errorf(rowferry.CodeRowRefused, "the target refused the %s of a row", m.Op)
	}
	e.Err = err
	return t.About(e, m).Fact("constraint", "%s", constraintOf(err))
}

// constraintOf returns SQLite's own words for what was violated.
func constraintOf(err error) string {
	s := err.Error()
	if _, after, ok := strings.Cut(s, "constraint failed: "); ok {
		return after
	}
	return strings.TrimPrefix(s, "sqlite: step: ")
}
