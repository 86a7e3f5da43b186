package mapping

import (
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
	"github.com/rowferry/rowferry/schema"
)

// A row of an entity with where_parent is in the target where its own filter takes it and
// the row that it refers to there is. Which rows are, their notes tell: of such entities,
// and of those that they follow, each row is noted, those that are left out with a flag
// and no key. So what becomes of a row is never guessed by what its parent is by now, and
// one that comes ahead of its parent waits to know (docs/adr/0031).

// standing of a row by its note.
type noted uint8

const (
	unnoted noted = iota
	inTarget
	leftOut
)

// tracked reports whether rows that are left out of the target are noted too.
func (e *entity) tracked() bool { return e.leads || e.rule.follows() }

func (k KeyRule) follows() bool { return len(k.WhereParent) > 0 }

// followed returns the reference by which an entity follows another, nil where it does
// not.
func (e *entity) followed() *reference {
	for i := range e.refs {
		if e.refs[i].follows {
			return &e.refs[i]
		}
	}
	return nil
}

// standsAs returns how the row with a key is noted.
func (s *step) standsAs(e *entity, key []rowferry.Value) (noted, error) {
	there, err := s.mapped(e, key)
	switch {
	case err != nil:
		return unnoted, err
	case there != nil:
		return inTarget, nil
	case s.flags&filtered != 0:
		return leftOut, nil
	default:
		return unnoted, nil
	}
}

// settled is what a change comes to that filters have a say in, of a table whose rows are
// not tracked: nil where that is nothing.
func settled(m *rowferry.Mutation) *rowferry.Mutation {
	in, was := !m.Filtered, !m.FilteredBefore
	switch {
	case m.Op == rowferry.Insert && in, m.Op == rowferry.Delete && was, in && was:
		return m
	case m.Op != rowferry.Update, !in && !was:
		return nil
	case was:
		return left(m)
	default:
		return entered(m, m.After)
	}
}

func left(m *rowferry.Mutation) *rowferry.Mutation {
	out := *m
	out.Op, out.After, out.Filtered = rowferry.Delete, nil, false
	return &out
}

func entered(m *rowferry.Mutation, row rowferry.Row) *rowferry.Mutation {
	out := *m
	out.Op, out.Before, out.After, out.FilteredBefore = rowferry.Insert, nil, row, false
	return &out
}

// passed returns what a change of a row comes to, which has waited or not: of one that
// enters or leaves the target by it an insert or a delete, and nothing, with the
// operation of that name, of one that stays left out. Where that cannot be told before
// another row comes it returns the list to wait in.
func (s *step) passed(e *entity, m *rowferry.Mutation, waited bool) (out *rowferry.Mutation, lacks []byte, err error) {
	if !e.tracked() {
		return m, nil, nil
	}
	was := unnoted
	if m.Op != rowferry.Insert {
		if was, err = s.standsAs(e, keyOf(m.Before, e.identity)); err != nil {
			return nil, nil, err
		}
		if was == unnoted && m.FilteredBefore { // a row from before the pipeline
			was = leftOut
		}
	}
	is := unnoted
	if m.Op != rowferry.Delete {
		if is, lacks, err = s.becomes(e, m, was, waited); lacks != nil || err != nil {
			return nil, lacks, err
		}
	}
	switch {
	case m.Op == rowferry.Insert && is == leftOut, m.Op == rowferry.Delete && was == leftOut, is == leftOut && was == leftOut:
		out = nothingOf(m)
	case m.Op != rowferry.Update, was == unnoted, is == was:
		out = m
	case e.leads && !failpoint.On("let-leads-cross"):
		return nil, nil, s.crossing(e, m, was)
	case is == leftOut:
		out = left(m)
	default:
		row := whole(m)
		if err := e.complete(row, m); err != nil {
			return nil, nil, err
		}
		out = entered(m, row)
	}
	return out, nil, nil
}

func nothingOf(m *rowferry.Mutation) *rowferry.Mutation {
	out := *m
	out.Op = nothing
	return &out
}

// becomes tells whether a row is in the target after an insert or update. A reference
// that an update leaves as it is says nothing new: the parent may be gone by now.
func (s *step) becomes(e *entity, m *rowferry.Mutation, was noted, waited bool) (is noted, lacks []byte, err error) {
	if m.Filtered {
		return leftOut, nil, nil
	}
	f := e.followed()
	if f == nil {
		return inTarget, nil, nil
	}
	if m.Op == rowferry.Update && f.stays(m.Before, m.After) && !(waited && f.present(m.After)) && !m.FilteredBefore {
		return was, nil, nil
	}
	row := whole(m)
	if f.unknown(row) {
		return unnoted, nil, rowferry.Errorf(rowferry.CodeAbsentColumn, "an update of %s does not tell all of the reference that the row follows", e.source).
			Fact("columns", "%v", e.table.ColumnNames(f.columns)).
			Remedy("log", "whole rows: binlog_row_image=FULL, or REPLICA IDENTITY FULL")
	}
	key, refers := f.values(row)
	if !refers {
		return inTarget, nil, nil
	}
	if s.notes.Held().Waiting > 0 {
		comes, err := s.comes(f.parent, key)
		if err != nil {
			return unnoted, nil, err
		}
		if comes {
			return unnoted, s.list(arrivalList, f.parent, key), nil
		}
	}
	is, err = s.standsAs(f.parent, key)
	if is == leftOut && failpoint.On("follow-nobody") {
		is = inTarget
	}
	if err == nil && is == unnoted {
		lacks = s.list(arrivalList, f.parent, key)
	}
	return is, lacks, err
}

// fresh makes sure that no other row has the key that a row gets.
func (s *step) fresh(e *entity, m *rowferry.Mutation) error {
	if !e.tracked() || e.cascaded || m.Op != rowferry.Insert && !s.moves(e, m) { // what a cascade deletes is not in every log
		return nil
	}
	key := after(m, e.identity)
	if is, err := s.standsAs(e, key); is == unnoted || err != nil {
		return err
	}
	return keyMapped(e, key)
}

// complete refuses a row that enters the target and that the log does not tell all of.
func (e *entity) complete(row rowferry.Row, m *rowferry.Mutation) error {
	for o, v := range row {
		if !v.IsAbsent() || e.table.Columns[o].Generated != schema.NotGenerated {
			continue
		}
		return rowferry.Errorf(rowferry.CodeImageLacks, "a change was logged without a column that a row which enters the target with its parent needs").
			Fact("table", "%s", e.source).Fact("change", "%s", m.Op).Fact("column", "%s", e.table.Columns[o].Name).Fact("key", "%v", keyOf(m.Before, e.identity)).
			Remedy("prevent", "%s", "SET GLOBAL binlog_row_image=FULL on MySQL or MariaDB, REPLICA IDENTITY FULL of the table on PostgreSQL").
			Remedy("then", "start over, with a new copy")
	}
	return nil
}

// crossing refuses a row that others follow and that enters or leaves the target: its
// children would too, and they are not in the log.
func (s *step) crossing(e *entity, m *rowferry.Mutation, was noted) error {
	how := "enters"
	if was == inTarget {
		how = "leaves"
	}
	return rowferry.Errorf(rowferry.CodeLeadCrosses, "a row of %s %s the target, and rows that follow it are not in the log", e.source, how).
		Fact("key", "%s", JoinKey(KeyTexts(keyOf(m.Before, e.identity))))
}

// omitted notes what becomes of a row that is not in the target before or after a change:
// m is the change, and out what it came to there.
func (s *step) omitted(e *entity, m, out *rowferry.Mutation) error {
	was := out.Op == nothing && m.Op != rowferry.Insert || out.Op == rowferry.Insert && m.Op == rowferry.Update
	is := out.Op == nothing && m.Op != rowferry.Delete || out.Op == rowferry.Delete && m.Op == rowferry.Update
	if out.Op == nothing {
		s.notes.LeftOut(e.source)
	}
	moves := s.moves(e, m)
	if was && (moves || m.Op == rowferry.Delete) {
		key := keyOf(m.Before, e.identity)
		if err := s.replaced(e, key); err != nil {
			return err
		}
		s.notes.Put(s.mapKey(e, key), nil)
	}
	if !is || was && !moves {
		return nil
	}
	key := after(m, e.identity)
	if err := s.replaced(e, key); err != nil {
		return err
	}
	s.notes.Put(s.mapKey(e, key), appendNoted(nil, make([]rowferry.Value, len(key)), filtered))
	s.notes.Count(rowferry.Kept{Filtered: 1})
	return nil
}

// replaced counts out the note of a row under whose key another one is noted.
func (s *step) replaced(e *entity, key []rowferry.Value) error {
	switch is, err := s.standsAs(e, key); {
	case err != nil:
		return err
	case is == inTarget:
		s.notes.Count(rowferry.Kept{Mapped: -1})
	case is == leftOut:
		s.notes.Count(rowferry.Kept{Filtered: -1})
	}
	return nil
}

// connectFollowed finds out whom an entity follows, once its references are known.
func (r *resolver) connectFollowed(e *entity) error {
	if !e.rule.follows() {
		return nil
	}
	refuse := func(format string, args ...any) *rowferry.Error {
		return rowferry.Errorf(rowferry.CodeKeyRefused, format, args...).Fact("entity", "%s", e.source).Fact("where_parent", "%v", e.rule.WhereParent)
	}
	var columns []int
	for _, name := range e.rule.WhereParent {
		o := e.table.Column(r.renamed(e.source, name))
		if o < 0 {
			return refuse("where_parent names a column that the target's table does not have").Fact("columns", "%v", e.table.ColumnNames(all(e.table)))
		}
		columns = append(columns, o)
	}
	slices.Sort(columns)
	f, n := (*reference)(nil), 0
	for i := range e.refs {
		if slices.Equal(slices.Sorted(slices.Values(e.refs[i].columns)), columns) {
			f, n = &e.refs[i], n+1
		}
	}
	switch {
	case n == 0:
		return refuse("where_parent names columns that do not refer to the key of another table").
			Remedy("say where they lead", "references: {column: database.table.column}")
	case f.kind >= 0:
		return refuse("where_parent is for a reference that always leads to the same table")
	case n > 1:
		return refuse("where_parent names columns that refer to several tables")
	case f.parent == e:
		return refuse("where_parent is not for a table that refers to itself")
	}
	for _, k := range e.table.ForeignKeys {
		if slices.Equal(slices.Sorted(slices.Values(k.Columns)), columns) && (k.OnDelete.Acts() && k.OnDelete != schema.Cascade || k.OnUpdate.Acts() && k.OnUpdate != schema.Cascade) {
			return refuse("the foreign key of where_parent takes rows away from their parent, which the log does not tell").
				Fact("actions", "on delete %s, on update %s", actionName(k.OnDelete), actionName(k.OnUpdate))
		}
	}
	f.follows = true
	return r.lead(e, f.parent, refuse)
}

// lead notes that a table is followed. That has to be known before its first row.
func (r *resolver) lead(e, parent *entity, refuse func(string, ...any) *rowferry.Error) error {
	if !parent.leads && parent.came {
		return refuse("rows of %s came before it was known that others follow them", parent.source).
			Remedy("say so beforehand", "references: {%s: %s.%s}", e.rule.WhereParent[0], parent.source, parent.table.ColumnNames(parent.identity)[0])
	}
	parent.leads, parent.noted = true, true
	f := parent.followed()
	for range r.entities {
		if f == nil {
			break
		}
		if f.parent == e {
			return refuse("where_parent leads in a circle")
		}
		f = f.parent.followed()
	}
	return parent.canLead()
}

// canLead refuses rules under which it cannot be told which rows of a table are there.
func (e *entity) canLead() error {
	var why string
	switch {
	case e.rule.looks():
		why = "its rows may be those of others in the target: 'match' and 'on_duplicate'"
	case e.keeps:
		why = "rows that the source deletes stay in the target: 'deletes'"
	case e.custom:
		why = "a custom handler makes its rows"
	case e.table != nil && e.identity == nil:
		why = "it has no key"
	default:
		return nil
	}
	return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be followed by where_parent", e.source).Fact("because", "%s", why)
}
