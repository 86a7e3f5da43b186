package mysql

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// statement takes a query event. group has settled already what BEGIN, COMMIT
// and the like mean for the transaction.
func (r *reader) statement(ctx context.Context, e *event, q *query, v verb, rest string) error {
	switch v {
	case verbBegin, verbCommit, verbRollback, verbXAStart, verbXAPrepare, verbXARollback:
		return nil
	case verbSavepoint, verbRollbackTo, verbRelease:
		r.tx.digest.statement("", q.text)
		return r.savepoint(e, v, savepointName(rest))
	case verbXAEnd:
		r.tx.xid = rest
		return nil
	case verbXACommit:
		if r.tx.skip || r.prepared[rest] {
			return nil
		}
		return r.src.checkPrepared(ctx, rest, e.start)
	case verbOther: // the catalog knows what it does
	}
	r.tx.digest.statement(q.db, q.text)
	if r.group.name.alterBegin || r.group.name.alterUndo {
		return nil
	}
	st, err := q.statement(r.events.head().srv, e)
	if err != nil {
		return err
	}
	if r.tx.skip {
		r.tables.catalog.Passed(st)
		return nil
	}
	effects, err := r.tables.apply(ctx, st, e.start)
	if err != nil {
		return r.unread(err)
	}
	for i := range effects {
		if err := r.effect(&effects[i]); err != nil {
			return about(err, st.SQL)
		}
	}
	return nil
}

// apply brings the catalog past a statement. If it turns out to know too little
// for it, it is built anew from the log first.
func (t *tables) apply(ctx context.Context, st mysql.Statement, at place) ([]mysql.Effect, error) {
	effects, err := t.catalog.Apply(st)
	if err == nil && !slices.ContainsFunc(effects, incomplete) {
		return effects, nil
	}
	if again, err := t.relearn(ctx, at); err != nil {
		return nil, err
	} else if again {
		return t.catalog.Apply(st)
	}
	return effects, err
}

// incomplete reports whether a statement left a shape in doubt that what came
// before may settle.
func incomplete(f mysql.Effect) bool {
	if f.Unsure {
		return true
	}
	if f.Kind != mysql.Created && f.Kind != mysql.Altered {
		return false
	}
	return f.After == nil || slices.ContainsFunc(f.After.Columns, func(c schema.Column) bool {
		return c.Type.Kind.Textual() && c.Type.Charset == ""
	})
}

// about adds the statement to an error about it.
func about(err error, sql string) error {
	var re *rowferry.Error
	if errors.As(err, &re) {
		return re.Fact("statement", "%s", shorten(sql))
	}
	return err
}

func (r *reader) savepoint(e *event, v verb, name string) error {
	switch v {
	case verbSavepoint:
		r.tx.savepoint(name)
	case verbRelease:
		r.tx.release(name, true)
	default:
		if !r.tx.rollbackTo(name) {
			return e.corrupt("it rolls back to savepoint %q, which is not set", name)
		}
		r.tx.undone(r.tx.count(), r.tables.restore)
	}
	return nil
}

// unread settles a statement that cannot be read: it matters if it may be
// about a table in scope.
func (r *reader) unread(err error) error {
	var se *mysql.StatementError
	if !errors.As(err, &se) || len(se.Tables) == 0 || slices.ContainsFunc(se.Tables, r.src.opt.Scope) {
		return err
	}
	return nil
}

// effect takes what a statement did to one table.
//
//	created           Shape; where it replaces a table, Drop before it
//	altered           Shape, if anything changed that is carried; where the new shape is not
//	                  known, it is looked for when rows come. Stops if rows changed that were
//	                  there, or keys that no row will tell
//	dropped           Drop, if the consumer may have the table
//	truncated         Truncate, if the consumer may have the table
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
			r.dropped(f.Table, f.Before)
		}
	case mysql.DatabaseDropped:
		for _, name := range r.tables.announced(f.Table.Schema) {
			r.dropped(name, nil)
		}
	case mysql.Truncated:
		if shape := r.tables.consumers(f.Table, f.Before); scope && shape != nil {
			r.tables.announce(r.tx, shape)
			r.tx.add(rowferry.Change{Op: rowferry.Truncate, Table: shape})
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
	case f.Detail != mysql.DetailIfNotExists:
		if r.tables.emitted[f.Table] != nil {
			r.dropped(f.Table, f.Before)
		}
	}
	if f.After != nil {
		r.tables.announce(r.tx, r.tables.published(r.tables.hinted(f.After)))
	}
	return nil
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
	if r.tables.consumers(f.Table, f.Before) == nil {
		e := rowferry.Errorf(rowferry.CodeShapeUnknown, "table %s was altered, and its shape before that is not known", f.Table).
			Fact("table", "%s", f.Table)
		for _, s := range f.Rewrites {
			e.Fact("change", "%s", s)
		}
		return e.Remedy("tell the shape", "give --schema a dump of the table's definition as of the start of the log")
	}
	e := rowferry.Errorf(rowferry.CodeShapeChanged, "the shape of table %s changed", f.Table)
	for _, s := range f.Rewrites {
		e.Fact("change", "%s", s)
	}
	return e
}

// dropped tells the consumer that a table is gone, if it may have it.
func (r *reader) dropped(name schema.Name, before *schema.Table) {
	shape := r.tables.consumers(name, before)
	delete(r.tables.byName, name)
	if shape == nil {
		return
	}
	r.tx.shapes = append(r.tx.shapes, shaped{r.tx.count(), name, r.tables.emitted[name]})
	delete(r.tables.emitted, name)
	r.tx.add(rowferry.Change{Op: rowferry.Drop, Table: shape})
}

// consumers returns the shape of a table that the consumer may have: what it
// was told, what the catalog knew, or what is there already. Nil: it cannot
// have it.
func (t *tables) consumers(name schema.Name, before *schema.Table) *schema.Table {
	switch {
	case t.emitted[name] != nil:
		return t.emitted[name]
	case before != nil:
		return t.published(before)
	default:
		return t.hints[name]
	}
}

// announced lists the tables of a database that the consumer was told of.
func (t *tables) announced(db string) []schema.Name {
	var names []schema.Name
	for n := range t.emitted {
		if n.Schema == db {
			names = append(names, n)
		}
	}
	slices.SortFunc(names, func(a, b schema.Name) int {
		return cmp.Or(cmp.Compare(a.Schema, b.Schema), cmp.Compare(a.Table, b.Table))
	})
	return names
}

// checkPrepared settles an XA COMMIT of a transaction that was prepared before
// reading began: its rows must not be in scope.
func (s *Source) checkPrepared(ctx context.Context, xid string, before place) (err error) {
	events := newFileStream(s, place{0, s.files[0].name, magicSize})
	defer func() { err = errors.Join(err, events.Close()) }()
	g, scope, is, found := &group{}, false, false, false
	for {
		e, err := events.next(ctx)
		if err != nil {
			return fmt.Errorf("look for XA transaction %s: %w", xid, err)
		}
		if !e.start.before(before) {
			break
		}
		x := seen{event: e, group: g}
		if err := x.step(); err != nil {
			return err
		}
		switch {
		case x.verb == verbXAEnd:
			_, rest := parseVerb(x.query.text)
			is = rest == xid
		case e.typ == replication.TABLE_MAP_EVENT:
			_, db, table, _, err := parseMapHead(e, events.head())
			if err != nil {
				return err
			}
			scope = scope || s.opt.Scope(schema.Name{Schema: db, Table: table})
		}
		if x.how == prepares && is {
			if scope {
				return xaRefused(g.start, xid, "it was prepared with changes in scope before reading began")
			}
			found = true
		}
		if x.how != goesOn {
			scope, is = false, false
		}
	}
	if !found {
		return xaRefused(before, xid, "it was prepared before the first of the files")
	}
	return nil
}
