package sqlite

import (
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// matched returns the columns that find m's row: its key, or without one every
// column that the target does not compute. REAL columns match exactly, since
// what is compared is the double that was written.
func (t *target) matched() []int {
	if t.Identity != nil {
		return t.Identity
	}
	var all []int
	for i := range t.Columns {
		if !t.Columns[i].Computed && t.Shape.Columns[i].Generated == schema.NotGenerated {
			all = append(all, i)
		}
	}
	return all
}

// where returns the condition that finds m's row and the columns its
// parameters take. Without a key it may hold for several equal rows. Where the
// target's columns may have collations, texts are compared exactly besides: to
// NOCASE the row of another is the same.
func (t *target) where(prefix string) (string, []int) {
	return t.are(prefix, t.matched())
}

// are returns the condition that columns have the values of their parameters.
func (t *target) are(prefix string, ordinals []int) (string, []int) {
	var terms []string
	var match []int
	for _, o := range ordinals {
		is := prefix + t.Columns[o].Quoted + " IS ?"
		terms, match = append(terms, is), append(match, o)
		if t.coarse && t.carry[o] == carryText {
			terms, match = append(terms, is+" COLLATE BINARY"), append(match, o)
		}
	}
	return conjunction(terms), match
}

// conjunction joins terms with AND, in parentheses of a hundred: SQLite
// refuses expressions more than a thousand deep, and AND nests to the left.
func conjunction(terms []string) string {
	const group = 100
	if len(terms) <= group {
		return strings.Join(terms, " AND ")
	}
	var groups []string
	for len(terms) > 0 {
		n := min(group, len(terms))
		groups = append(groups, "("+strings.Join(terms[:n], " AND ")+")")
		terms = terms[n:]
	}
	return strings.Join(groups, " AND ")
}

// compose writes the SQL for m. An update that changes nothing becomes a
// count of the rows it would have changed.
func (t *target) compose(m *rowferry.Mutation) *statement {
	st := &statement{}
	var names, sets, marks []string
	if m.Op == rowferry.Insert || m.Op == rowferry.Update {
		for i := range t.Columns {
			if t.Writes(m, i) {
				st.set = append(st.set, i)
				names = append(names, t.Columns[i].Quoted)
				sets = append(sets, t.Columns[i].Quoted+" = ?")
				marks = append(marks, "?")
			}
		}
	}
	if m.Op == rowferry.Insert {
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ") VALUES (" + strings.Join(marks, ", ") + ")"
		if len(names) == 0 {
			st.sql = "INSERT INTO " + t.quoted + " DEFAULT VALUES"
		}
		return st
	}
	where, match := t.are("", append(t.matched(), t.Guarded(m)...))
	st.match = match
	if t.Identity == nil {
		where = t.rowid + " = (SELECT " + t.rowid + " FROM " + t.quoted + " WHERE " + where + " LIMIT 1)"
	}
	switch {
	case m.Op == rowferry.Delete:
		st.sql = "DELETE FROM " + t.quoted + " WHERE " + where
	case len(sets) == 0:
		st.sql = "SELECT count(*) FROM " + t.quoted + " WHERE " + where
	default:
		st.sql = "UPDATE " + t.quoted + " SET " + strings.Join(sets, ", ") + " WHERE " + where
	}
	return st
}
