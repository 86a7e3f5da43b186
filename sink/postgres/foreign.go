package postgres

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// has reports whether the existing table has a foreign key along f's path.
func has(t *schema.Table, f schema.ForeignKey, x *dialect.Existing) bool {
	return slices.ContainsFunc(x.Shape.ForeignKeys, func(g schema.ForeignKey) bool { return folding.SamePath(t, f, x.Shape, g) })
}

// inScope reports whether the pipeline makes, or may yet make, the table.
func (s *Sink) inScope(n schema.Name) bool { return s.options.InScope == nil || s.options.InScope(n) }

// pending reports whether a foreign key of t waits for its parent, which does
// not exist yet, or has not all of its keys: it is added when the parent is made,
// or completed.
func (s *Sink) pending(ctx context.Context, t *schema.Table, f schema.ForeignKey) (bool, error) {
	if s.loading.bare(f.Parent) {
		return true, nil
	}
	if normal(f.Parent) == normal(t.Name) || !s.inScope(f.Parent) {
		return false, nil
	}
	parent, err := s.look(ctx, f.Parent)
	return parent == nil, err
}

// addForeignKeys adds to a table that was just made the foreign keys whose
// parents exist and are complete. What is left out is told; one that acts is
// carried, or waits, or is an error.
func (s *Sink) addForeignKeys(ctx context.Context, t *schema.Table) error {
	for _, f := range t.ForeignKeys {
		if s.loading.bare(f.Parent) {
			continue
		}
		parent, err := s.look(ctx, f.Parent)
		if err != nil {
			return err
		}
		if parent == nil && s.inScope(f.Parent) {
			continue
		}
		if err := s.addForeignKey(ctx, t, f, parent); err != nil {
			return err
		}
	}
	return nil
}

// addAwaited adds the foreign keys of tables told so far that waited for t,
// which was just made.
func (s *Sink) addAwaited(ctx context.Context, t *schema.Table) error {
	var parent *dialect.Existing
	for _, name := range slices.SortedFunc(maps.Keys(s.shapes), schema.Name.Compare) {
		child := s.shapes[name]
		if name == normal(t.Name) || s.loading.bare(name) {
			continue
		}
		for _, f := range child.ForeignKeys {
			if normal(f.Parent) != normal(t.Name) {
				continue
			}
			existing, err := s.look(ctx, child.Name)
			if err == nil && parent == nil {
				parent, err = s.look(ctx, t.Name)
			}
			if err != nil {
				return err
			}
			if existing == nil || has(child, f, existing) {
				continue
			}
			if !existing.Made {
				if f.Acts() {
					return sqlsink.ActionError(child, f, "a foreign key changes rows by itself in the source, and the target's table, which Rowferry did not make, has no such foreign key")
				}
				continue
			}
			if err := s.addForeignKey(ctx, child, f, parent); err != nil {
				return err
			}
			s.lose(name)
		}
	}
	return nil
}

// addForeignKey adds one foreign key to a table that Rowferry made. Rows that
// are there already came before the parent table existed; their parents are
// on the way, and what points to none is the source's own.
func (s *Sink) addForeignKey(ctx context.Context, t *schema.Table, f schema.ForeignKey, parent *dialect.Existing) error {
	if ok, err := s.bears(ctx, t, f, parent); err != nil || !ok {
		return err
	}
	empty, err := s.isEmpty(ctx, t.Name)
	if err != nil {
		return err
	}
	if !empty {
		s.notice(fmt.Sprintf("table %s: the foreign key %s is added NOT VALID, since rows came before their parent table: "+
			"VALIDATE CONSTRAINT checks them", t.Name, sqlsink.DescribeKey(t, f)))
	}
	return s.run(ctx, dialect.AddForeignKey(t, f, empty))
}

// bears reports whether the target can have the foreign key. Where it is to be
// left out that is told, and an error where the key acts.
func (s *Sink) bears(ctx context.Context, t *schema.Table, f schema.ForeignKey, parent *dialect.Existing) (bool, error) {
	reason := ""
	switch {
	case f.OnDelete == schema.SetDefault, f.OnUpdate == schema.SetDefault:
		return false, s.translate(ctx, &dialect.CascadeError{Table: t, Key: f, Reason: "SET DEFAULT needs the column's default, which a shape does not have"})
	case parent == nil:
		reason = fmt.Sprintf("%s is not part of the pipeline", f.Parent)
	case parent.Kind != "table" && parent.Kind != "partitioned table":
		reason = fmt.Sprintf("%s is a %s in the target", f.Parent, parent.Kind)
	case !parent.References(f.Referenced):
		reason = fmt.Sprintf("%s has no primary or unique key over exactly (%s)", f.Parent, strings.Join(f.Referenced, ", "))
	case !t.SameInPostgres(f.Columns) && !f.Acts():
		reason = "it compares by a collation that PostgreSQL does not have"
	}
	switch {
	case reason != "" && f.Acts():
		return false, s.translate(ctx, &dialect.CascadeError{Table: t, Key: f, Reason: reason})
	case reason != "":
		s.notice(fmt.Sprintf("table %s is made without the foreign key %s: %s", t.Name, sqlsink.DescribeKey(t, f), reason))
		return false, nil
	case !t.SameInPostgres(f.Columns):
		s.notice(fmt.Sprintf("table %s: the foreign key %s is kept for its action, but compares exactly: "+
			"a row whose value equals its parent's only by collation will be refused", t.Name, sqlsink.DescribeKey(t, f)))
	}
	return true, nil
}

// checksOff makes ready for a change that the source made with its checks off:
// the order of such changes may break foreign keys, and none of them acted.
func (b *batch) checksOff(ctx context.Context, t *target, m *rowferry.Mutation) error {
	if m.Op != rowferry.Insert {
		if err := b.checkCascade(ctx, t, m); err != nil {
			return err
		}
	}
	return b.deferChecks(ctx)
}

// deferChecks puts the check of foreign keys off to the end of the batch.
func (b *batch) deferChecks(ctx context.Context) error {
	if b.deferred {
		return nil
	}
	if err := b.flush(ctx); err != nil {
		return err
	}
	b.deferred = true
	_, err := b.sink.exec(ctx, "SET CONSTRAINTS ALL DEFERRED")
	return err
}

// checkCascade refuses a change that would set off an action here which did
// not happen at the source.
func (b *batch) checkCascade(ctx context.Context, t *target, m *rowferry.Mutation) error {
	for _, r := range t.existing.Children {
		action := r.OnDelete
		if m.Op == rowferry.Update {
			action = r.OnUpdate
		}
		if !action.Acts() || m.Op == rowferry.Update && !t.Changes(m, t.ordinals(r.Referenced)) {
			continue
		}
		if err := b.flush(ctx); err != nil {
			return err
		}
		hit, err := b.cascadeHits(ctx, t, m, r)
		if err != nil {
			return err
		}
		if hit {
			return t.SetOff(m, r.Child.String(), action)
		}
	}
	return nil
}

// ordinals returns those of the named columns that the shape has.
func (t *target) ordinals(names []string) []int {
	var all []int
	for _, n := range names {
		if o := t.Shape.Column(n); o >= 0 {
			all = append(all, o)
		}
	}
	return all
}

// cascadeHits reports whether the reference's child has rows that point to
// the row, or with a truncate to any row, that m removes or renames.
func (b *batch) cascadeHits(ctx context.Context, t *target, m *rowferry.Mutation, r dialect.Reference) (hit bool, err error) {
	child := dialect.QuoteTable(r.Child)
	found := func(dialect.Row) error { hit = true; return nil }
	if m.Op == rowferry.Truncate {
		if r.Child == t.name {
			return false, nil
		}
		set := make([]string, len(r.Columns))
		for i, c := range r.Columns {
			set[i] = dialect.Quote(c) + " IS NOT NULL"
		}
		err := b.sink.query(ctx, "SELECT FROM "+child+" WHERE "+strings.Join(set, " AND ")+" LIMIT 1", found)
		return hit, err
	}
	on := make([]string, len(r.Columns))
	for i, c := range r.Columns {
		on[i] = "c." + dialect.Quote(c) + " = p." + dialect.Quote(r.Referenced[i])
	}
	st := &statement{}
	where := t.where(st, m, "p.")
	return b.found(ctx, "SELECT FROM "+child+" c JOIN "+t.quoted+" p ON "+strings.Join(on, " AND ")+" WHERE "+where+" LIMIT 1", t, st, m)
}

// found reports whether a query, which takes the old values of a statement, has rows.
func (b *batch) found(ctx context.Context, sql string, t *target, st *statement, m *rowferry.Mutation) (bool, error) {
	values := make([][]byte, 0, len(st.match))
	for _, o := range st.match {
		var err error
		if values, err = t.append(values, o, m.Before[o], m); err != nil {
			return false, err
		}
	}
	conn, err := b.sink.session(ctx)
	if err != nil {
		return false, err
	}
	tag, err := conn.ExecParams(ctx, sql, values, st.types, st.formats, nil).Close()
	return tag.RowsAffected() > 0, b.sink.translate(ctx, err)
}
