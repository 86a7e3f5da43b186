package postgres

import (
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// statement is a prepared statement and which columns its parameters take:
// first set from After, then match from Before.
type statement struct {
	name    string
	sql     string
	set     []int
	match   []int
	types   []uint32
	formats []int16
	// prepared is set once it was sent to the server to be prepared.
	prepared bool
}

// pattern appends to dst what tells statements for this table apart.
func (t *target) pattern(dst []byte, m *rowferry.Mutation) []byte {
	dst = t.Pattern(dst, m)
	if m.Op == rowferry.Insert || t.Identity != nil {
		return dst
	}
	for i := range t.columns {
		if m.Before[i].IsNull() {
			dst = append(dst, byte(i>>8), byte(i))
		}
	}
	return dst
}

// matched returns the columns that find m's row: its key, or without one every
// column that neither side computes.
func (t *target) matched() []int {
	if t.Identity != nil {
		return t.Identity
	}
	var all []int
	for i := range t.columns {
		if !t.Columns[i].Computed && t.Shape.Columns[i].Generated == schema.NotGenerated {
			all = append(all, i)
		}
	}
	return all
}

// compose writes the SQL for m. An update that changes nothing becomes a
// question for the row.
func (t *target) compose(m *rowferry.Mutation) *statement {
	st := &statement{}
	if m.Op == rowferry.Insert || m.Op == rowferry.Update {
		for i := range t.columns {
			if t.Writes(m, i) {
				st.set = append(st.set, i)
				st.types = append(st.types, t.columns[i].oid)
				st.formats = append(st.formats, t.columns[i].format())
			}
		}
	}
	if m.Op == rowferry.Insert {
		st.sql = t.composeInsert(st)
		return st
	}
	where := t.where(st, m, "")
	for _, o := range t.Guarded(m) {
		where += " AND " + t.same(st, o)
	}
	if t.Identity == nil {
		where = "ctid = (SELECT ctid FROM " + t.quoted + " WHERE " + where + " LIMIT 1 FOR UPDATE)"
	}
	switch {
	case m.Op == rowferry.Delete:
		st.sql = "DELETE FROM " + t.quoted + " WHERE " + where
	case len(st.set) == 0:
		st.sql = "SELECT FROM " + t.quoted + " WHERE " + where
	default:
		sets := make([]string, len(st.set))
		for i, o := range st.set {
			sets[i] = t.Columns[o].Quoted + " = $" + strconv.Itoa(i+1)
		}
		st.sql = "UPDATE " + t.quoted + " SET " + strings.Join(sets, ", ") + " WHERE " + where
	}
	return st
}

func (t *target) composeInsert(st *statement) string {
	if len(st.set) == 0 {
		return "INSERT INTO " + t.quoted + " DEFAULT VALUES"
	}
	overriding := ""
	names, marks := make([]string, len(st.set)), make([]string, len(st.set))
	for i, o := range st.set {
		names[i], marks[i] = t.Columns[o].Quoted, "$"+strconv.Itoa(i+1)
		if t.columns[o].always {
			overriding = " OVERRIDING SYSTEM VALUE"
		}
	}
	return "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ")" + overriding + " VALUES (" + strings.Join(marks, ", ") + ")"
}

// where returns the condition that finds m's row and adds its parameters to
// st. Without a key it may hold for several equal rows.
func (t *target) where(st *statement, m *rowferry.Mutation, prefix string) string {
	var terms []string
	for _, o := range t.matched() {
		name := prefix + t.Columns[o].Quoted
		if t.Identity == nil && m.Before[o].IsNull() {
			terms = append(terms, name+" IS NULL")
			continue
		}
		terms = append(terms, t.columns[o].equals(name, t.param(st, o), t.Identity == nil))
	}
	if len(terms) == 0 {
		return "true"
	}
	return strings.Join(terms, " AND ")
}

// same returns the condition that a guarded column has the value of a parameter
// that it adds to st.
func (t *target) same(st *statement, o int) string {
	name := t.Columns[o].Quoted
	if t.columns[o].loose {
		name += ` COLLATE "C"`
	}
	return name + " IS NOT DISTINCT FROM " + t.param(st, o)
}

// param adds a parameter of the column's type, taken from Before, to st.
func (t *target) param(st *statement, o int) string {
	st.match = append(st.match, o)
	st.types = append(st.types, t.columns[o].oid)
	st.formats = append(st.formats, t.columns[o].format())
	return "$" + strconv.Itoa(len(st.types))
}

// plain reports whether equal values of the column's type are the same, and all
// of them can be compared. What is carried as a PostgreSQL prints it may be of a
// type without an equality.
func (c *column) plain() bool {
	switch c.typ.Base {
	case dialect.Text, dialect.VarChar:
		return true
	case dialect.Float4, dialect.Float8, dialect.JSON, dialect.JSONB:
		return false
	default:
		return c.kind != schema.Other
	}
}

// equals returns the condition that a column has exactly the parameter's value.
// The first term may use an index. Some types take for equal what is not the
// same: 0 and -0, 1 day and 24 hours, 1.0 and 1.00 inside jsonb. A key needs no
// such care, since its own uniqueness compares that way too; json, which has no
// equality, is in none.
func (c *column) equals(name, param string, exactly bool) string {
	plain := name + " " + c.equality + " " + param
	same := name + "::text = " + param + "::text"
	switch {
	case c.loose:
		return plain + " AND " + name + ` COLLATE "C" = ` + param
	case c.typ.Base == dialect.JSON:
		return same
	case !exactly:
		return plain
	}
	switch c.typ.Base {
	case dialect.Float4, dialect.Float8, dialect.Interval, dialect.JSONB:
		return plain + " AND " + same
	case dialect.Numeric:
		if c.typ.Precision == 0 {
			return plain + " AND " + same
		}
	case dialect.BpChar: // whose cast to text cuts off spaces
		return plain + " AND concat(" + name + ") = concat(" + param + ")"
	case "": // which need not have an equality
		return same
	default:
	}
	return plain
}
