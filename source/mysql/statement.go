package mysql

import (
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
	var was []*schema.Table
	if !t.learned {
		was = t.catalog.Tables()
	}
	effects, err := t.catalog.Apply(st)
	if err == nil && !slices.ContainsFunc(effects, incomplete) {
		return effects, nil
	}
	if again, err := t.relearn(ctx, at, was); err != nil {
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
	return f.After == nil || unfinished(f.After)
}

// unfinished reports whether a shape lacks the character set of a column.
func unfinished(x *schema.Table) bool {
	return slices.ContainsFunc(x.Columns, func(c schema.Column) bool {
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
