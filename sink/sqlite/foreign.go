package sqlite

import (
	"slices"
	"strings"

	"zombiezen.com/go/sqlite"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/sqlite"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

type row = *sqlite.Stmt

// reference is one foreign key as the database has it.
type reference struct {
	child, parent string // as written; SQLite compares them without case
	columns       []string
	referenced    []string
	onDelete      string
	onUpdate      string
}

// graph is every foreign key of the database, by folded table name.
type graph struct {
	from map[string][]*reference
	to   map[string][]*reference
}

// references returns the graph, reading it when the schema changed.
func (s *Sink) references() (*graph, error) {
	if s.graph != nil {
		return s.graph, nil
	}
	g := &graph{from: map[string][]*reference{}, to: map[string][]*reference{}}
	var last *reference
	lastID := -1
	err := dialect.Query(s.conn, `SELECT m.name, f.id, f."table", f."from", coalesce(f."to", ''), f.on_delete, f.on_update
		FROM sqlite_schema m, pragma_foreign_key_list(m.name) f WHERE m.type = 'table' ORDER BY m.name, f.id, f.seq`,
		func(r row) error {
			child, id := r.ColumnText(0), r.ColumnInt(1)
			if last == nil || last.child != child || lastID != id {
				last, lastID = &reference{child: child, parent: r.ColumnText(2), onDelete: r.ColumnText(5), onUpdate: r.ColumnText(6)}, id
				g.from[dialect.Fold(child)] = append(g.from[dialect.Fold(child)], last)
				g.to[dialect.Fold(last.parent)] = append(g.to[dialect.Fold(last.parent)], last)
			}
			last.columns = append(last.columns, r.ColumnText(3))
			if to := r.ColumnText(4); to != "" {
				last.referenced = append(last.referenced, to)
			}
			return nil
		})
	if err != nil {
		return nil, s.translate(err)
	}
	s.graph = g
	return g, nil
}

// settle makes sure, before a table's first row is written, that no foreign
// key from it or to it would make SQLite refuse every row: one whose parent
// does not exist, or has no unique key over the columns it names.
func (s *Sink) settle(t *target) error {
	if s.loading.any() {
		s.loading.write(t.Shape.Name)
	}
	g, err := s.references()
	if err != nil {
		return err
	}
	unsound := map[string]bool{}
	fold := dialect.Fold(t.Shape.Name.Table)
	for _, r := range g.from[fold] {
		sound, err := s.sound(r)
		if err != nil {
			return err
		}
		if !sound {
			unsound[dialect.Fold(r.parent)] = true
		}
	}
	if len(unsound) > 0 {
		if err := s.remake(t, unsound); err != nil {
			return err
		}
	}
	for _, r := range g.to[fold] {
		if sound, err := s.sound(r); err != nil || sound {
			if err != nil {
				return err
			}
			continue
		}
		child := s.targets[r.child]
		if child == nil {
			return rowferry.Errorf(rowferry.CodeTableDiffers, "a foreign key points to columns of a target table that have no unique key").
				Fact("table", "%s", t.Shape.Name).Fact("foreign key of", "%s", r.child).Fact("columns", "%s", strings.Join(r.referenced, ", "))
		}
		if err := s.remake(child, map[string]bool{fold: true}); err != nil {
			return err
		}
	}
	t.settled = true
	return nil
}

// sound reports whether the reference's parent exists and has a unique key
// over the columns it names, or will have it when one of the two is complete.
func (s *Sink) sound(r *reference) (bool, error) {
	if s.loading.bare(schema.Name{Table: r.child}) || s.loading.bare(schema.Name{Table: r.parent}) {
		return true, nil
	}
	x, err := dialect.Inspect(s.conn, r.parent)
	if err != nil {
		return false, s.translate(err)
	}
	if x == nil || x.Kind != "table" {
		return false, nil
	}
	if len(r.referenced) == 0 {
		return len(x.Shape.PrimaryKey) == len(r.columns), nil
	}
	return dialect.References(x.Shape, r.referenced), nil
}

// checkCascade refuses a change that was made while the source's foreign-key
// checks were off, if it would set off an action here: the source's did not
// act, and SQLite's cannot be switched off inside a transaction. While tables are
// loaded none acts.
func (b *batch) checkCascade(t *target, m *rowferry.Mutation) error {
	s := b.sink
	if s.loading.any() {
		return nil
	}
	g, err := s.references()
	if err != nil {
		return err
	}
	for _, r := range g.to[dialect.Fold(t.Shape.Name.Table)] {
		action := r.onDelete
		if m.Op == rowferry.Update {
			action = r.onUpdate
		}
		if action == "NO ACTION" || action == "RESTRICT" || m.Op == rowferry.Update && !changesAny(t, m, r.referenced) {
			continue
		}
		hit, err := b.cascadeHits(t, m, r)
		if err != nil {
			return err
		}
		if hit {
			return t.SetOff(m, r.child, schema.Action(strings.ToLower(action)))
		}
	}
	return nil
}

// changesAny reports whether the update gives one of the named columns another
// value. No names means the primary key.
func changesAny(t *target, m *rowferry.Mutation, names []string) bool {
	var ordinals []int
	for i, c := range t.Columns {
		named := len(names) == 0 && c.Key ||
			slices.ContainsFunc(names, func(n string) bool { return dialect.Fold(n) == dialect.Fold(t.Shape.Columns[i].Name) })
		if named {
			ordinals = append(ordinals, i)
		}
	}
	return t.Changes(m, ordinals)
}

// cascadeHits reports whether the reference's child has rows that point to
// the row, or with a truncate to any row, that m removes or renames.
func (b *batch) cascadeHits(t *target, m *rowferry.Mutation, r *reference) (hit bool, err error) {
	s := b.sink
	child := dialect.Quote(r.child)
	found := func(row) error { hit = true; return nil }
	if m.Op == rowferry.Truncate {
		if dialect.Fold(r.child) == dialect.Fold(r.parent) {
			return false, nil
		}
		set := make([]string, len(r.columns))
		for i, c := range r.columns {
			set[i] = dialect.Quote(c) + " IS NOT NULL"
		}
		err := dialect.Query(s.conn, "SELECT 1 FROM "+child+" WHERE "+strings.Join(set, " AND ")+" LIMIT 1", found)
		return hit, s.translate(err)
	}
	referenced := r.referenced
	if len(referenced) == 0 {
		referenced = t.existing.Shape.ColumnNames(t.existing.Shape.PrimaryKey)
	}
	on := make([]string, len(r.columns))
	for i, c := range r.columns {
		on[i] = "c." + dialect.Quote(c) + " = p." + dialect.Quote(referenced[i])
	}
	where, match := t.where("p.")
	sql := "SELECT 1 FROM " + child + " c JOIN " + t.quoted + " p ON " + strings.Join(on, " AND ") + " WHERE " + where + " LIMIT 1"
	stmt, _, err := s.conn.PrepareTransient(sql)
	if err != nil {
		return false, s.translate(err)
	}
	defer func() {
		if ferr := stmt.Finalize(); err == nil {
			err = s.translate(ferr)
		}
	}()
	if err := t.bind(stmt, 1, match, m.Before, m); err != nil {
		return false, err
	}
	hit, err = stmt.Step()
	return hit, s.translate(err)
}

// violations describes rows that point to no parent, for a commit that was
// refused: up to three for each foreign key of the tables the batch wrote.
func (b *batch) violations() []rowferry.Fact {
	refs, err := b.affected()
	if err != nil {
		return nil
	}
	var facts []rowferry.Fact
	for _, r := range refs {
		facts = append(facts, b.sink.orphans(r)...)
	}
	slices.SortFunc(facts, func(a, b rowferry.Fact) int { return strings.Compare(a.Value, b.Value) })
	return facts
}

// affected returns the foreign keys from and to the tables that the batch wrote.
func (b *batch) affected() ([]*reference, error) {
	g, err := b.sink.references()
	if err != nil {
		return nil, err
	}
	var all []*reference
	seen := map[*reference]bool{}
	for _, t := range b.sink.targets {
		if !t.written {
			continue
		}
		fold := dialect.Fold(t.Shape.Name.Table)
		for _, r := range append(slices.Clone(g.from[fold]), g.to[fold]...) {
			if !seen[r] {
				seen[r] = true
				all = append(all, r)
			}
		}
	}
	return all, nil
}

// orphans returns up to three rows of the reference's child without a parent.
// It runs on the failure path alone and drops its own errors: the refusal that
// it explains is the one to tell.
func (s *Sink) orphans(r *reference) []rowferry.Fact {
	parent, err := dialect.Inspect(s.conn, r.parent)
	child, cerr := dialect.Inspect(s.conn, r.child)
	if err != nil || cerr != nil || parent == nil || child == nil {
		return nil
	}
	referenced := r.referenced
	if len(referenced) == 0 {
		referenced = parent.Shape.ColumnNames(parent.Shape.PrimaryKey)
	}
	shown := child.Shape.ColumnNames(child.Shape.PrimaryKey)
	for _, c := range r.columns {
		if !slices.Contains(shown, c) {
			shown = append(shown, c)
		}
	}
	var list, set, same []string
	for _, c := range shown {
		list = append(list, "quote(c."+dialect.Quote(c)+")")
	}
	for i, c := range r.columns {
		set = append(set, "c."+dialect.Quote(c)+" IS NOT NULL")
		same = append(same, "p."+dialect.Quote(referenced[i])+" = c."+dialect.Quote(c))
	}
	sql := "SELECT " + strings.Join(list, ", ") + " FROM " + dialect.Quote(r.child) + " c WHERE " + strings.Join(set, " AND ") +
		" AND NOT EXISTS (SELECT 1 FROM " + dialect.Quote(r.parent) + " p WHERE " + strings.Join(same, " AND ") + ") LIMIT 3"
	var facts []rowferry.Fact
	_ = dialect.Query(s.conn, sql, func(q row) error {
		parts := make([]string, len(shown))
		for i, c := range shown {
			parts[i] = c + "=" + sqlsink.Shorten(q.ColumnText(i))
		}
		facts = append(facts, rowferry.Fact{Name: "orphan", Value: r.child + " " + strings.Join(parts, " ") + " has no parent in " + r.parent})
		return nil
	})
	return facts
}
