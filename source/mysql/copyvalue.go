package mysql

import (
	"math"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// copyDecoder makes values of what a SELECT of a table says as text, those that
// the log would tell: where the log's decoder has a way, it is that one. Not safe
// for concurrent use.
type copyDecoder struct {
	rowDecoder
	columns []copyColumn
}

// copyColumn is a column as it is read.
type copyColumn struct {
	field
	kind schema.Kind
	// expr is what is selected: text is in the column's own character set, labels
	// are their numbers, and floating-point numbers have all their digits.
	expr string
}

// newCopyDecoder compiles a decoder. It fails with CodeTypeRefused, naming the
// column, where values of a type cannot be carried.
func newCopyDecoder(t *schema.Table) (*copyDecoder, error) {
	d := &copyDecoder{rowDecoder: rowDecoder{shape: t, memory: &arena{}, budget: math.MaxInt}}
	for _, c := range t.Columns {
		col := copyColumn{field: field{name: c.Name}, kind: c.Type.Kind, expr: quoted(c.Name)}
		switch c.Type.Kind {
		case schema.Int, schema.Decimal, schema.Bit, schema.Year, schema.Binary, schema.VarBinary, schema.Blob,
			schema.Date, schema.Time, schema.DateTime, schema.Timestamp, schema.UUID, schema.Inet4, schema.Inet6:
			col.op = opBytes
			if c.Type.Unsigned {
				col.op = opUint
			}
		case schema.Float32, schema.Float64:
			col.expr += "*1e0"
		case schema.Enum, schema.Set:
			col.labels, col.sets = c.Type.Labels, map[uint64]string{}
			if col.cs = untold(c.Type); col.cs == nil {
				col.expr = "CAST(" + col.expr + " AS UNSIGNED)"
			}
		case schema.Char, schema.VarChar, schema.Text, schema.JSON:
			charset := c.Type.Charset
			if charset == "" && c.Type.Kind == schema.JSON {
				charset = "utf8mb4"
			}
			if col.cs = findCharset(charset); col.cs == nil {
				return nil, notCarried(t, c, "its character set "+strconv.Quote(charset)+" is not one that is known")
			}
		default:
			return nil, notCarried(t, c, c.Type.Kind.String()+" columns are not carried by this version")
		}
		d.columns = append(d.columns, col)
	}
	return d, nil
}

// untold returns the character set of a type whose labels may not be what the
// server says: where it says '?', that is what it makes of every character beyond
// U+FFFF in SHOW CREATE TABLE. Such values are read as text, and compared. Nil is
// for others.
func untold(t schema.Type) *charset {
	if maxLen(t.Charset) < 4 || !slices.ContainsFunc(t.Labels, func(label string) bool { return strings.Contains(label, "?") }) {
		return nil
	}
	return findCharset(t.Charset)
}

func notCarried(t *schema.Table, c schema.Column, why string) error {
	return rowferry.Errorf(rowferry.CodeTypeRefused, "table %s has a column whose type cannot be carried", t.Name).
		Fact("table", "%s", t.Name).Fact("column", "%s", c.Name).Fact("type", "%s", c.Type).Fact("reason", "%s", why).
		Remedy("leave it out", "take the table out of 'tables'")
}

// row makes a row of what the server says, a value per column at the ordinals;
// the others are absent. It shares no memory with said.
func (d *copyDecoder) row(said [][]byte, ordinals []int) (rowferry.Row, error) {
	row := d.memory.row(len(d.columns))
	if len(said) != len(ordinals) {
		return nil, d.strange(&d.columns[0], nil)
	}
	for i, o := range ordinals {
		if said[i] == nil {
			row[o] = rowferry.NullValue()
			continue
		}
		if err := d.carry(&d.columns[o], &row[o], said[i]); err != nil {
			return nil, err
		}
	}
	return row, nil
}

func (d *copyDecoder) carry(c *copyColumn, v *rowferry.Value, b []byte) error {
	switch c.kind {
	case schema.Int, schema.Year:
		return d.integer(c, v, b)
	case schema.Bit:
		*v = rowferry.UintValue(big(b))
	case schema.Float32, schema.Float64:
		n, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			return d.strange(c, b)
		}
		*v = rowferry.FloatValue(n)
	case schema.Decimal:
		*v = rowferry.TextValue(d.memory.copied(plainDecimal(b)))
	case schema.Binary, schema.VarBinary, schema.Blob:
		*v = rowferry.BytesValue(d.memory.copied(b))
	case schema.Date, schema.Time, schema.DateTime, schema.Timestamp, schema.UUID, schema.Inet4, schema.Inet6:
		*v = rowferry.TextValue(d.memory.copied(b))
	case schema.Enum, schema.Set:
		if c.cs != nil {
			return d.labelled(c, v, b)
		}
		n, err := strconv.ParseUint(string(b), 10, 64)
		if err != nil {
			return d.strange(c, b)
		}
		if c.kind == schema.Enum {
			return d.enum(&c.field, v, n)
		}
		return d.set(&c.field, v, n)
	case schema.Char, schema.VarChar, schema.Text, schema.JSON:
		return d.characters(c, v, b)
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "column %s of table %s has no decoder", c.name, d.shape.Name)
	}
	return nil
}

func (d *copyDecoder) characters(c *copyColumn, v *rowferry.Value, b []byte) error {
	d.rows, d.text = b, d.memory.copied(b)
	err := d.charText(&c.field, v, 0, len(b))
	d.release()
	return err
}

// labelled carries the text of an ENUM or SET, which has to be in the shape.
func (d *copyDecoder) labelled(c *copyColumn, v *rowferry.Value, b []byte) error {
	if err := d.characters(c, v, b); err != nil {
		return err
	}
	number := enumNumber
	if c.kind == schema.Set {
		number = setNumber
	}
	if _, ok := number(c.labels, *v); ok {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeTypeRefused, "table %s has a label that the source does not tell", d.shape.Name).
		Fact("table", "%s", d.shape.Name).Fact("column", "%s", c.name).Fact("label", "%s", v).
		Fact("reason", "SHOW CREATE TABLE has question marks in the place of such characters").
		Remedy("leave it out", "take the table out of 'tables'")
}

func (d *copyDecoder) integer(c *copyColumn, v *rowferry.Value, b []byte) error {
	if c.op == opUint {
		n, err := strconv.ParseUint(string(b), 10, 64)
		if err != nil {
			return d.strange(c, b)
		}
		*v = rowferry.UintValue(n)
		return nil
	}
	n, err := strconv.ParseInt(string(b), 10, 64)
	if err != nil {
		return d.strange(c, b)
	}
	*v = rowferry.IntValue(n)
	return nil
}

// plainDecimal takes off the zeros that ZEROFILL puts before a number, which are
// not in the log, and the sign of zero.
func plainDecimal(b []byte) []byte {
	for len(b) > 1 && b[0] == '0' && b[1] != '.' {
		b = b[1:]
	}
	if len(b) > 0 && b[0] == '-' {
		for _, c := range b[1:] {
			if c != '0' && c != '.' {
				return b
			}
		}
		return b[1:]
	}
	return b
}

// strange is the error for a value that is none of its column's type: the table
// is no longer what it was.
func (d *copyDecoder) strange(c *copyColumn, b []byte) error {
	return rowferry.Errorf(rowferry.CodeShapeMismatch, "a value of table %s is not of its column's type", d.shape.Name).
		Fact("column", "%s", c.name).Fact("type", "%s", c.kind).Fact("value", "%.100q", b)
}
