package mysql

import (
	"encoding/hex"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// copySQL writes the statements that read one table. Its conditions are such that
// the server walks exactly the part of the key's index that they are about:
//
//	k1 > a OR k1 = a AND k2 > b OR k1 = a AND k2 = b AND k3 > c
//
// which the optimizers of both servers take apart into one range. Row
// constructors, (k1, k2) > (a, b), they do not.
type copySQL struct {
	shape   *schema.Table
	columns []copyColumn
	key     []int
	table   string // with the index that is walked
}

func newCopySQL(t *schema.Table, columns []copyColumn) *copySQL {
	q := &copySQL{shape: t, columns: columns, key: t.Identity(), table: quoted(t.Name.Schema) + "." + quoted(t.Name.Table)}
	switch i := slices.IndexFunc(t.Uniques, func(u schema.Index) bool { return slices.Equal(u.Columns, q.key) && u.Name != "" }); {
	case len(q.key) == 0:
	case slices.Equal(q.key, t.PrimaryKey):
		q.table += " FORCE INDEX (PRIMARY)"
	case i >= 0:
		q.table += " FORCE INDEX (" + quoted(t.Uniques[i].Name) + ")"
	}
	return q
}

func (q *copySQL) expressions(ordinals []int) string {
	all := make([]string, len(ordinals))
	for i, o := range ordinals {
		all[i] = q.columns[o].expr
	}
	return strings.Join(all, ",")
}

// order is the key's columns in its order; "" where there is no key.
func (q *copySQL) order() string {
	if len(q.key) == 0 {
		return ""
	}
	names := make([]string, len(q.key))
	for i, o := range q.key {
		names[i] = quoted(q.shape.Columns[o].Name)
	}
	return " ORDER BY " + strings.Join(names, ",")
}

// split selects the keys of the n-th row behind after and of the next one, and
// for each column at reversible, behind them, whether its text is the same again
// when it comes back from Unicode.
func (q *copySQL) split(after []rowferry.Value, n int) (string, error) {
	where, err := q.between(after, nil)
	if err != nil {
		return "", err
	}
	list := q.expressions(q.key)
	for _, o := range q.reversible() {
		name := quoted(q.shape.Columns[o].Name)
		list += ",HEX(CONVERT(CONVERT(" + name + " USING utf8mb4) USING " + q.columns[o].cs.name + "))=HEX(" + name + ")"
	}
	return "SELECT " + list + " FROM " + q.table + where + q.order() + " LIMIT 2 OFFSET " + strconv.Itoa(n-1), nil
}

// reversible returns the columns of the key in a character set that may have
// several codes for one character. As a bound such a text would not be what it is
// in the index.
func (q *copySQL) reversible() []int {
	return slices.DeleteFunc(slices.Clone(q.key), func(o int) bool {
		cs := q.columns[o].cs
		return cs == nil || cs.form == formUTF8
	})
}

// read selects the rows behind after and not behind upto.
func (q *copySQL) read(after, upto []rowferry.Value) (string, error) {
	where, err := q.between(after, upto)
	if err != nil {
		return "", err
	}
	return "SELECT " + q.expressions(ordinals(len(q.columns))) + " FROM " + q.table + where + q.order(), nil
}

// fetch selects the rows with the given keys.
func (q *copySQL) fetch(keys [][]rowferry.Value) (string, error) {
	each := make([]string, len(keys))
	for i, key := range keys {
		terms, err := q.terms(key)
		if err != nil {
			return "", err
		}
		same := make([]string, len(terms))
		for j, t := range terms {
			same[j] = t.equal()
		}
		each[i] = "(" + strings.Join(same, " AND ") + ")"
	}
	return "SELECT " + q.expressions(ordinals(len(q.columns))) + " FROM " + q.table + " WHERE " + strings.Join(each, " OR "), nil
}

// between is the condition for keys behind after and not behind upto; nil is no
// bound.
func (q *copySQL) between(after, upto []rowferry.Value) (string, error) {
	var parts []string
	for _, end := range []struct {
		key   []rowferry.Value
		side  func(bound) string // of columns before the last
		final func(bound) string
	}{{after, bound.above, bound.above}, {upto, bound.below, bound.notAbove}} {
		if end.key == nil {
			continue
		}
		terms, err := q.terms(end.key)
		if err != nil {
			return "", err
		}
		var sides, same []string
		for i, t := range terms {
			side := end.side
			if i == len(terms)-1 {
				side = end.final
			}
			sides = append(sides, strings.Join(append(slices.Clone(same), side(t)), " AND "))
			same = append(same, t.equal())
		}
		parts = append(parts, "("+strings.Join(sides, " OR ")+")")
	}
	if len(parts) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(parts, " AND "), nil
}

// bound is what one column of a key is compared with.
type bound struct {
	expr string // the column
	text string // the value
	// An ENUM is compared by its numbers, of which servers use an index for the
	// equal one only; labels is how many there are.
	number, labels uint64
}

// manyLabels is how many labels are listed, at most, to say greater or less.
const manyLabels = 255

func (b bound) equal() string { return b.expr + " = " + b.text }

func (b bound) above() string {
	if b.labels == 0 {
		return b.expr + " > " + b.text
	}
	return b.among(b.number+1, b.labels)
}

func (b bound) below() string {
	switch {
	case b.labels == 0:
		return b.expr + " < " + b.text
	case b.number == 0:
		return "FALSE"
	default:
		return b.among(0, b.number-1)
	}
}

func (b bound) notAbove() string {
	if b.labels == 0 {
		return b.expr + " <= " + b.text
	}
	return b.among(0, b.number)
}

func (b bound) among(from, to uint64) string {
	if from > to {
		return "FALSE"
	}
	list := make([]string, 0, to-from+1)
	for n := from; n <= to; n++ {
		list = append(list, strconv.FormatUint(n, 10))
	}
	return b.expr + " IN (" + strings.Join(list, ",") + ")"
}

// terms pairs the key's columns with the values of one key.
func (q *copySQL) terms(key []rowferry.Value) ([]bound, error) {
	if len(key) != len(q.key) || len(key) == 0 {
		return nil, rowferry.Errorf(rowferry.CodeInternal, "a key of %d values for table %s, whose key has %d", len(key), q.shape.Name, len(q.key))
	}
	terms := make([]bound, len(key))
	for i, o := range q.key {
		c := q.shape.Columns[o]
		b, ok := newBound(c.Type, key[i])
		if !ok {
			return nil, rowferry.Errorf(rowferry.CodeInternal, "a key of table %s has a value that its column cannot have", q.shape.Name).
				Fact("column", "%s", c.Name).Fact("type", "%s", c.Type)
		}
		b.expr = quoted(c.Name)
		if c.Type.Kind == schema.Set && len(c.Type.Labels) > 53 {
			b.expr = "CAST(" + b.expr + " AS UNSIGNED)" // what is compared is else a double
		}
		terms[i] = b
	}
	return terms, nil
}

// newBound writes a value so that it compares as the column does. ok is false for
// one that the log tells of no such column. A text takes the column's character
// set and collation, since those of a literal give way.
func newBound(t schema.Type, v rowferry.Value) (b bound, ok bool) {
	switch t.Kind {
	case schema.Int, schema.Bit:
		b.text, ok = v.String(), v.Kind() == rowferry.Int || v.Kind() == rowferry.Uint
	case schema.Year:
		s := strconv.FormatInt(v.Int(), 10)
		b.text, ok = "'"+strings.Repeat("0", max(0, 4-len(s)))+s+"'", v.Kind() == rowferry.Int
	case schema.Decimal:
		b.text, ok = v.Str(), v.Kind() == rowferry.Text && v.Str() != "" && strings.Trim(v.Str(), "-.0123456789") == ""
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp, schema.UUID, schema.Inet4, schema.Inet6:
		b.text, ok = "'"+v.Str()+"'", v.Kind() == rowferry.Text && strings.Trim(v.Str(), "-.: 0123456789abcdef") == ""
	case schema.Char, schema.VarChar, schema.Text:
		b.text, ok = textLiteral(v.Str()), v.Kind() == rowferry.Text
	case schema.Binary, schema.VarBinary, schema.Blob:
		b.text, ok = "x'"+hex.EncodeToString([]byte(v.Str()))+"'", v.Kind() == rowferry.Bytes
	case schema.Enum:
		b.number, ok = enumNumber(t.Labels, v)
		b.text = strconv.FormatUint(b.number, 10)
		if len(t.Labels) <= manyLabels {
			b.labels = uint64(len(t.Labels))
		}
	case schema.Set:
		b.number, ok = setNumber(t.Labels, v)
		b.text = strconv.FormatUint(b.number, 10)
	default:
		return b, false // nothing else is a key, or carried
	}
	return b, ok
}

// textLiteral writes a text of any session.
func textLiteral(s string) string { return "_utf8mb4 x'" + hex.EncodeToString([]byte(s)) + "'" }

// enumNumber returns the number of a label, the highest where several are spelled
// alike: an empty one and 0, which is no label.
func enumNumber(labels []string, v rowferry.Value) (uint64, bool) {
	for i, label := range slices.Backward(labels) {
		if label == v.Str() {
			return uint64(i) + 1, v.Kind() == rowferry.Text
		}
	}
	return 0, v.Kind() == rowferry.Text && v.Str() == ""
}

func setNumber(labels []string, v rowferry.Value) (n uint64, ok bool) {
	if v.Kind() != rowferry.Text {
		return 0, false
	}
	if v.Str() == "" {
		return 0, true
	}
	for part := range strings.SplitSeq(v.Str(), ",") {
		i := slices.Index(labels, part)
		if i < 0 {
			return 0, false
		}
		n |= 1 << i
	}
	return n, true
}
