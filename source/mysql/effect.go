package mysql

import (
	"cmp"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// effect takes what a statement did to one table.
//
//	created           Shape; where it replaces a table that the consumer may have, Drop before it
//	altered           Shape, if anything changed that is carried; where the new shape is not
//	                  known, it is looked for when rows come. Stops if rows changed that were
//	                  there, or keys that no row will tell
//	dropped           Drop, if the consumer may have the table; stops where that needs a shape
//	                  that nothing tells
//	truncated         Truncate, likewise
//	renamed           stops: the rows would have to move with the name
//	rows changed      stops: the log does not say which rows
//	partitions, …     stops: rows change that are not in the log
//	nothing           nothing
//
// Tables out of scope are none of our business; where it cannot be told which
// table it is, a statement that matters stops.
func (r *reader) effect(f *mysql.Effect) error {
	scope := f.Table.Table == "" || r.src.opt.Scope(f.Table)
	switch f.Kind {
	case mysql.Nothing:
		return nil
	case mysql.Created:
		if scope {
			return r.created(f)
		}
	case mysql.Altered:
		if scope {
			return r.altered(f)
		}
	case mysql.Dropped:
		if scope {
			return r.dropped(f.Table, f.Before)
		}
	case mysql.DatabaseDropped:
		return r.databaseDropped(f.Table.Schema)
	case mysql.Truncated:
		if scope {
			return r.truncated(f)
		}
	case mysql.Renamed:
		if scope || r.src.opt.Scope(f.To) {
			return rowferry.Errorf(rowferry.CodeShapeChanged, "table %s was renamed to %s", f.Table, f.To)
		}
	case mysql.RowsChanged:
		if scope {
			return statementLog(f)
		}
	case mysql.Unsupported:
		if scope {
			return rowferry.Errorf(rowferry.CodeShapeChanged, "rows of %s changed in a way that the log does not carry: %s", nameOr(f.Table, "a table"), f.Detail)
		}
	case mysql.Unknown:
		return rowferry.Errorf(rowferry.CodeBadStatement, "a statement of the log means nothing to this program: %s", f.Detail)
	default:
		return rowferry.Errorf(rowferry.CodeBadStatement, "a statement controls its transaction in a way that is not known (%s)", f.Kind)
	}
	return nil
}

func nameOr(n schema.Name, unknown string) string {
	if n.Table == "" {
		return unknown
	}
	return n.String()
}

func statementLog(f *mysql.Effect) error {
	return rowferry.Errorf(rowferry.CodeStatementLog, "rows of %s were changed by a statement that is in the log as text", nameOr(f.Table, "a table that cannot be told")).
		Remedy("log rows", "SET GLOBAL binlog_format=ROW on the source, and copy the table anew")
}

// altered announces a shape. It stops where comparing shapes does not tell what
// became of the rows.
func (r *reader) altered(f *mysql.Effect) error {
	if len(f.Rewrites) == 0 {
		if f.After != nil && f.After != f.Before {
			r.tables.announce(r.tx, r.tables.published(r.tables.hinted(f.After)))
		}
		return nil
	}
	code, what := rowferry.CodeShapeChanged, "the shape of table %s changed"
	if r.tables.emitted[f.Table] == nil && f.Before == nil && r.tables.hint(f.Table) == nil {
		code, what = rowferry.CodeShapeUnknown, "table %s was altered, and its shape before that is not known"
	}
	e := rowferry.Errorf(code, what, f.Table)
	for _, s := range f.Rewrites {
		e.Fact("change", "%s", s)
	}
	return e
}

// created announces a new table. A statement that says nothing of the shape
// leaves it to the first rows.
func (r *reader) created(f *mysql.Effect) error {
	switch {
	case f.Detail == mysql.DetailSequence:
		return nil // refused when it is used
	case f.Detail == mysql.DetailSelect:
		return statementLog(f)
	case f.Detail == mysql.DetailIfNotExists && f.Before != nil:
		return nil
	case f.Detail == mysql.DetailReplace || r.tables.emitted[f.Table] != nil && f.Detail != mysql.DetailIfNotExists,
		r.tables.gone[f.Table.Schema] && r.tables.hint(f.Table) != nil:
		if err := r.dropped(f.Table, f.Before); err != nil {
			return err
		}
	}
	if f.After != nil {
		r.tables.announce(r.tx, r.tables.published(r.tables.hinted(f.After)))
	}
	return nil
}

// truncated tells the consumer that a table is empty, if it may have it.
func (r *reader) truncated(f *mysql.Effect) error {
	shape, hint, err := r.tables.consumers(f.Table, f.Before)
	if err != nil || shape == nil {
		return err
	}
	if !hint {
		r.tables.announce(r.tx, shape)
	}
	r.tx.add(rowferry.Change{Op: rowferry.Truncate, Table: shape})
	return nil
}

// dropped tells the consumer that a table is gone, if it may have it.
func (r *reader) dropped(name schema.Name, before *schema.Table) error {
	shape, _, err := r.tables.consumers(name, before)
	delete(r.tables.byName, name)
	delete(r.tables.passed, name)
	if err != nil || shape == nil {
		return err
	}
	r.tx.shapes = append(r.tx.shapes, shaped{r.tx.count(), name, r.tables.emitted[name]})
	delete(r.tables.emitted, name)
	r.tx.add(rowferry.Change{Op: rowferry.Drop, Table: shape})
	return nil
}

// databaseDropped is the end of all tables of a database. Those that only the
// target has cannot be listed; they are dropped when they are made anew.
func (r *reader) databaseDropped(db string) error {
	for _, name := range r.tables.inDatabase(db) {
		if err := r.dropped(name, nil); err != nil {
			return err
		}
	}
	r.tables.gone[db] = true
	return nil
}

// consumers returns the shape of a table that the consumer may have: what it
// was told, what the catalog knew, or, for lack of another, that of the table
// in the target, whose types are not the source's. Nil: it cannot have it. The
// error is for a table that the log gave rows to and of which nothing tells a
// shape.
func (t *tables) consumers(name schema.Name, before *schema.Table) (shape *schema.Table, hint bool, err error) {
	switch {
	case t.emitted[name] != nil:
		return t.emitted[name], false, nil
	case before != nil:
		return t.published(t.hinted(before)), false, nil
	case t.hint(name) != nil:
		return t.hint(name), true, nil
	case t.passed[name] != nil:
		return nil, false, rowferry.Errorf(rowferry.CodeShapeUnknown, "the rows of table %s go at once, and its columns are not known", name).
			Fact("table", "%s", name).
			Remedy("tell the shape", "give --schema a dump of the table's definition as of the start of the log").
			Remedy("leave it out", "take the table out of 'tables'")
	default:
		return nil, false, nil
	}
}

// inDatabase lists the tables of a database that the consumer was told of, or
// that had rows in the log before.
func (t *tables) inDatabase(db string) []schema.Name {
	var names []schema.Name
	for n := range t.emitted {
		if n.Schema == db {
			names = append(names, n)
		}
	}
	for n := range t.passed {
		if n.Schema == db && t.emitted[n] == nil {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b schema.Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Table, b.Table))
	})
	return names
}
