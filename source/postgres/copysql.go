package postgres

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// beginSnapshot begins a transaction that sees one moment. The first statement
// that reads takes the snapshot: LOCK TABLE does not.
const beginSnapshot = "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY"

// lock waits for whoever is changing the table. It comes before the snapshot: a
// table that is written anew, by ALTER TABLE, looks empty to one from before.
func (t *copyTable) lock() string { return "LOCK TABLE " + t.from + " IN ACCESS SHARE MODE" }

// copyQuery is a statement with parameters in text.
type copyQuery struct {
	sql  strings.Builder
	args [][]byte
	// bounded is set where an index finds the rows. A server that does not know
	// how many there are may think otherwise.
	bounded bool
}

// splitQuery asks for the key of the nth row behind after, and for the one after
// it.
func (t *copyTable) splitQuery(after []rowferry.Value, n int) (*copyQuery, error) {
	q := &copyQuery{bounded: true}
	names := make([]string, len(t.key))
	for i, k := range t.key {
		names[i] = dialect.Quote(t.Shape.Columns[k.ordinal].Name)
	}
	q.sql.WriteString("SELECT " + strings.Join(names, ", ") + " FROM " + t.from)
	if err := t.where(q, after, nil); err != nil {
		return nil, err
	}
	t.order(q)
	fmt.Fprintf(&q.sql, " OFFSET %d LIMIT 2", n-1)
	return q, nil
}

// readQuery asks for the rows behind after and not behind upto, in order of the
// key.
func (t *copyTable) readQuery(after, upto []rowferry.Value) (*copyQuery, error) {
	q := &copyQuery{bounded: after != nil || upto != nil}
	t.selects(q)
	if err := t.where(q, after, upto); err != nil {
		return nil, err
	}
	if len(t.key) > 0 {
		t.order(q)
	}
	return q, nil
}

// fetchQuery asks for the rows with the keys.
func (t *copyTable) fetchQuery(keys [][]rowferry.Value) (*copyQuery, error) {
	q := &copyQuery{bounded: true}
	t.selects(q)
	and := t.filtered(q)
	for i, key := range keys {
		places, err := q.key(t, key)
		if err != nil {
			return nil, err
		}
		if i == 0 {
			q.sql.WriteString(and + "(")
		} else {
			q.sql.WriteString(" OR ")
		}
		q.sql.WriteString("(")
		for k := range t.key {
			if k > 0 {
				q.sql.WriteString(" AND ")
			}
			q.sql.WriteString(t.key[k].compare(opEqual, places[k]))
		}
		q.sql.WriteString(")")
	}
	q.sql.WriteString(")")
	return q, nil
}

// selects begins a query for the columns of the shape.
func (t *copyTable) selects(q *copyQuery) {
	for i, c := range t.Shape.Columns {
		if i == 0 {
			q.sql.WriteString("SELECT ")
		} else {
			q.sql.WriteString(", ")
		}
		q.sql.WriteString(dialect.Quote(c.Name))
	}
	q.sql.WriteString(" FROM " + t.from)
}

// filtered writes the publication's condition, and returns what stands before the
// next one.
func (t *copyTable) filtered(q *copyQuery) string {
	if t.filter == "" {
		return " WHERE "
	}
	q.sql.WriteString(" WHERE (" + t.filter + ")")
	return " AND "
}

// where writes the conditions: the publication's, and those of the bounds.
func (t *copyTable) where(q *copyQuery, after, upto []rowferry.Value) error {
	and := t.filtered(q)
	for _, bound := range []struct {
		key           []rowferry.Value
		strict, equal int
	}{{after, opGreater, opGreater}, {upto, opLess, opLessEqual}} {
		if bound.key == nil {
			continue
		}
		places, err := q.key(t, bound.key)
		if err != nil {
			return err
		}
		q.sql.WriteString(and + t.bound(places, bound.strict, bound.equal))
		and = " AND "
	}
	return nil
}

// bound compares the key with a bound. Columns whose operators are called alike
// are compared as rows, which an index understands. Otherwise it is spelled out,
// with a condition on the first column that an index understands.
func (t *copyTable) bound(places []string, strict, last int) string {
	if len(t.key) == 1 {
		return t.key[0].compare(last, places[0])
	}
	for _, k := range t.key[1:] {
		if k.operators[last] != t.key[0].operators[last] {
			return spelled(t.key, places, strict, last)
		}
	}
	names := make([]string, len(t.key))
	for i, k := range t.key {
		names[i] = k.expr
	}
	return "(" + strings.Join(names, ", ") + ") " + t.key[0].operators[last] + " (" + strings.Join(places, ", ") + ")"
}

func spelled(key []keyColumn, places []string, strict, last int) string {
	if len(key) == 1 {
		return key[0].compare(last, places[0])
	}
	first := opGreaterEqual
	if strict == opLess {
		first = opLessEqual
	}
	return "(" + key[0].compare(first, places[0]) + " AND (" + key[0].compare(strict, places[0]) + " OR " + key[0].compare(opEqual, places[0]) +
		" AND " + spelled(key[1:], places[1:], strict, last) + "))"
}

func (k *keyColumn) compare(operator int, place string) string {
	return k.expr + " " + k.operators[operator] + " " + place
}

func (t *copyTable) order(q *copyQuery) {
	for i := range t.key {
		if i == 0 {
			q.sql.WriteString(" ORDER BY ")
		} else {
			q.sql.WriteString(", ")
		}
		q.sql.WriteString(t.key[i].expr + " USING " + t.key[i].operators[opLess])
	}
}

// key adds the values of a key as parameters, and returns their places.
func (q *copyQuery) key(t *copyTable, key []rowferry.Value) ([]string, error) {
	if len(key) != len(t.key) || len(key) == 0 {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a key has %d values, and the table's %d", len(key), len(t.key)).Fact("table", "%s", t.Shape.Name)
	}
	places := make([]string, len(key))
	for i, v := range key {
		c := &t.Shape.Columns[t.key[i].ordinal]
		text, ok := told(&c.Type, v)
		if !ok {
			return nil, rowferry.Errorf(rowferry.CodeInternal, "a key has a value that its type does not have").
				Fact("table", "%s", t.Shape.Name).Fact("column", "%s", c.Name)
		}
		q.args = append(q.args, text)
		places[i] = "$" + strconv.Itoa(len(q.args)) + "::" + t.key[i].native
	}
	return places, nil
}

// told returns what carry made a value of, or what the server takes for the same.
// It knows the kinds that identify rows.
func told(t *schema.Type, v rowferry.Value) ([]byte, bool) {
	switch v.Kind() {
	case rowferry.Int:
		if t.Kind == schema.Bool {
			return strconv.AppendBool(nil, v.Int() != 0), true
		}
		return strconv.AppendInt(nil, v.Int(), 10), true
	case rowferry.Uint:
		return fmt.Appendf(nil, "%0*b", t.Length, v.Uint()), true
	case rowferry.Bytes:
		return fmt.Appendf(nil, `\x%x`, v.Str()), true
	case rowferry.Text: // a time without its zone is one of the session's, UTC
		return []byte(v.Str()), true
	default:
		return nil, false
	}
}
