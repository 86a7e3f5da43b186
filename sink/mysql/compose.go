package mysql

import (
	"cmp"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/schema"
)

// statement is a prepared statement and which columns its parameters take:
// first set from After, for each of rows, then match from Before. A column may
// be matched twice.
type statement struct {
	stmt  *mysqlwire.Stmt // nil: of one use
	sql   string
	set   []int
	match []int
	rows  int // that a join has room for
	// besides are texts that follow a set column's own parameter.
	besides map[int][]string
	spelled bool // of one use, with its values in its SQL
}

// compose writes the SQL for m. An update that changes nothing becomes a
// search for the row it would have changed; an insert with an old image takes
// from that row what the new one lacks.
// Written columns take one parameter each, or the given expressions.
func (t *target) compose(m *rowferry.Mutation, rows int, written map[int]string) *statement {
	st := &statement{}
	var names, sets, marks []string
	if m.Op == rowferry.Insert || m.Op == rowferry.Update {
		for i := range t.columns {
			switch {
			case t.Writes(m, i):
				st.set = append(st.set, i)
				mark := cmp.Or(written[i], "?")
				names = append(names, t.Columns[i].Quoted)
				marks = append(marks, mark)
				sets = append(sets, t.Columns[i].Quoted+" = "+mark)
			case m.Op == rowferry.Insert && m.Before != nil && !t.Columns[i].Computed:
				names, marks = append(names, t.Columns[i].Quoted), append(marks, t.Columns[i].Quoted)
			case m.Op == rowferry.Update && t.columns[i].onUpdate && !t.Columns[i].Computed:
				sets = append(sets, t.Columns[i].Quoted+" = "+t.Columns[i].Quoted) // lest it changes by itself
			}
		}
	}
	if m.Op == rowferry.Insert && m.Before == nil {
		one := "(" + strings.Join(marks, ", ") + ")"
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ") VALUES " + one + strings.Repeat(", "+one, rows-1)
		return st
	}
	where, match := t.where("")
	where, st.match = t.guarded(m, where, match)
	switch limit := map[bool]string{true: " LIMIT 1"}[t.Identity == nil]; {
	case m.Op == rowferry.Insert:
		st.sql = "INSERT INTO " + t.quoted + " (" + strings.Join(names, ", ") + ") SELECT " + strings.Join(marks, ", ") + " FROM " + t.quoted + " WHERE " + where
	case m.Op == rowferry.Delete:
		st.sql = "DELETE FROM " + t.quoted + " WHERE " + where + limit
	case len(st.set) == 0:
		st.sql = "SELECT 1 FROM " + t.quoted + " WHERE " + where + limit + " FOR UPDATE"
	default:
		st.sql = "UPDATE " + t.quoted + " SET " + strings.Join(sets, ", ") + " WHERE " + where + limit
	}
	return st
}

// where returns the condition that finds a row and the columns its parameters
// take: by the key, or without one by every column. Texts are compared byte by
// byte: to a collation the row of another may be equal. A text column that a key
// may help with is compared as its index does too.
func (t *target) where(prefix string) (string, []int) {
	var terms []string
	var match []int
	add := func(o int, term string) {
		terms, match = append(terms, term), append(match, o)
	}
	if t.Identity != nil {
		for _, o := range t.Identity {
			add(o, t.indexed(prefix, o, " = "))
			if t.columns[o].coarse {
				add(o, t.exactly(prefix, o))
			}
		}
		return strings.Join(terms, " AND "), match
	}
	for o := range t.columns {
		if t.Columns[o].Computed || t.Shape.Columns[o].Generated != schema.NotGenerated {
			continue
		}
		if t.columns[o].helps && t.columns[o].isText() {
			add(o, t.indexed(prefix, o, " <=> "))
		}
		add(o, t.exactly(prefix, o))
	}
	return strings.Join(terms, " AND "), match
}

// guarded adds to a condition that the columns which Guard marked have their
// old values.
func (t *target) guarded(m *rowferry.Mutation, where string, match []int) (string, []int) {
	for _, o := range t.Guarded(m) {
		where += " AND " + t.exactly("", o)
		match = append(match, o)
	}
	return where, match
}

// indexed returns the condition that a column is equal to its parameter, as the
// column's index compares.
func (t *target) indexed(prefix string, o int, operator string) string {
	left, right := t.columns[o].compared()
	return strings.ReplaceAll(left, "\x00", prefix+t.Columns[o].Quoted) + operator + right
}

// exactly returns the condition that a column has its parameter's value.
func (t *target) exactly(prefix string, o int) string {
	if !t.columns[o].isText() {
		return t.indexed(prefix, o, " <=> ")
	}
	return "CAST(CONVERT(" + prefix + t.Columns[o].Quoted + " USING utf8mb4) AS BINARY) <=> CAST(? AS BINARY)"
}

func (c *column) isText() bool { return c.have.Kind.Textual() || c.have.Kind == schema.JSON }

// compared returns how a column, which stands as a zero byte, is compared with
// a parameter. A text parameter gets the column's own character set and
// collation, so that no other decides; DECIMAL is not compared with text as
// doubles are.
func (c *column) compared() (left, right string) {
	switch {
	case c.have.Kind == schema.JSON:
		return "CAST(\x00 AS CHAR)", "?"
	case c.have.Kind.Textual() && c.have.Charset != "" && c.have.Charset != "utf8mb4":
		return "\x00", "CONVERT(? USING " + c.have.Charset + ") COLLATE " + c.have.Collation
	case c.have.Kind == schema.Decimal:
		return "\x00", fmt.Sprintf("CAST(? AS DECIMAL(%d,%d))", c.have.Precision, c.have.Scale)
	default:
		return "\x00", "?"
	}
}

// args returns the statement's parameters as text, for a trace.
func (st *statement) args(ms []rowferry.Mutation) []string {
	var args []string
	for i := range ms {
		for _, o := range st.set {
			args = append(args, ms[i].After[o].String())
		}
	}
	for _, o := range st.match {
		args = append(args, ms[0].Before[o].String())
	}
	return args
}
