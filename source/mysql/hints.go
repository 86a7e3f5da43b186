package mysql

import (
	"context"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// elsewhere looks for the shape of a table that the log does not tell here: in
// all of the log before the open transaction, then in the hints.
func (t *tables) elsewhere(ctx context.Context, at place, name schema.Name, tm *replication.TableMapEvent, unknown error) (*schema.Table, error) {
	if again, err := t.relearn(ctx, at, t.catalog.Tables()); err != nil {
		return nil, err
	} else if again {
		shape, err := shapeFromMap(tm, t.catalog.Table(name), t.head.srv)
		if rowferry.CodeOf(err) != rowferry.CodeShapeUnknown {
			return shape, err
		}
	}
	if t.catalog.Table(name) != nil {
		return nil, unknown
	}
	shape, err := t.named(name, tm, t.head.srv, unknown)
	if err == nil {
		t.usedHints[name] = true
	}
	return shape, err
}

// named returns the shape of a table map that tells all but names and keys,
// with those of the table in the target. They are taken by ordinal, so that the
// target's table has to have as many columns, of types that fit. Else the error
// is unknown, and so it is for a server's log: the server tells the shapes of
// its tables, except of those that were altered since, and of those the target
// may have the order from after that.
func (t *tables) named(name schema.Name, tm *replication.TableMapEvent, srv server, unknown error) (*schema.Table, error) {
	hint := t.hint(name)
	if t.src.live != nil || hint == nil || len(tm.ColumnType) != len(hint.Columns) {
		return nil, unknown
	}
	full := *tm
	for _, c := range hint.Columns {
		full.ColumnName = append(full.ColumnName, []byte(c.Name))
	}
	for _, o := range hint.PrimaryKey {
		full.PrimaryKey = append(full.PrimaryKey, uint64(o))
		full.PrimaryKeyPrefix = append(full.PrimaryKeyPrefix, 0)
	}
	shape, err := shapeFromMap(&full, nil, srv)
	if err != nil {
		return nil, err
	}
	if !slices.EqualFunc(shape.Columns, hint.Columns, func(c, h schema.Column) bool { return fitsHint(c.Type, h.Type) }) {
		return nil, unknown
	}
	return shape, nil
}

// fitsHint reports whether a column of the target may be the one that takes
// values of type t. The target's types are families: integer, real, text or
// bytes, and a decimal for numbers and what else it keeps.
func fitsHint(t, hint schema.Type) bool {
	want, err := schema.SQLiteType(t)
	have, err2 := schema.SQLiteType(hint)
	if err != nil || err2 != nil {
		return false
	}
	if hint.Kind != schema.Decimal {
		return want == have
	}
	switch t.Kind {
	case schema.Int, schema.Year, schema.Bit, schema.Decimal, schema.Date, schema.Time, schema.DateTime, schema.Timestamp:
		return true
	default:
		return false
	}
}

// hinted adds the keys of a hint to a shape whose constraints are not known.
func (t *tables) hinted(shape *schema.Table) *schema.Table {
	hint := t.hint(shape.Name)
	if hint == nil || shape.ConstraintsKnown || !hint.ConstraintsKnown ||
		!slices.EqualFunc(shape.Columns, hint.Columns, func(a, b schema.Column) bool { return a.Name == b.Name }) {
		return shape
	}
	full := *shape
	full.Uniques, full.ForeignKeys, full.ConstraintsKnown = hint.Uniques, hint.ForeignKeys, true
	t.usedHints[shape.Name] = true
	return &full
}
