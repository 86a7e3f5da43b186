package mysql

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// carrier is how a column's values are bound.
type carrier uint8

const (
	carryInteger carrier = iota + 1 // signed or unsigned
	carryFloat
	carryText
	carryBytes
	carryBits
)

var carriers = map[carrier]string{carryInteger: "integer", carryFloat: "double", carryText: "text", carryBytes: "bytes", carryBits: "bits"}

func (c carrier) String() string { return carriers[c] }

func carrierOf(t schema.Type) (carrier, error) {
	switch t.Kind {
	case schema.Int, schema.Year, schema.Bool:
		return carryInteger, nil
	case schema.Bit:
		return carryBits, nil
	case schema.Float32, schema.Float64:
		return carryFloat, nil
	case schema.Decimal, schema.Char, schema.VarChar, schema.Text, schema.Date, schema.Time, schema.DateTime, schema.Timestamp,
		schema.Enum, schema.Set, schema.JSON, schema.UUID, schema.Inet4, schema.Inet6:
		return carryText, nil
	case schema.Binary, schema.VarBinary, schema.Blob:
		return carryBytes, nil
	default:
		return 0, fmt.Errorf("type %s has no counterpart that rows can be carried to", t)
	}
}

// values takes the values of a statement's parameters, in order.
type values interface {
	Null()
	Int(int64)
	Uint(uint64)
	Float(float64)
	Text(string)
	Bytes(string)
}

// bind gives the row's values of the columns that the statement sets.
func (s *Sink) bind(to values, t *target, st *statement, row rowferry.Row, m *rowferry.Mutation) error {
	for _, o := range st.set {
		if c := &t.columns[o]; c.carry == carryText && c.cuts(row[o].Str()) {
			e := rowferry.Errorf(rowferry.CodeOutOfRange, "a text is longer than the target's column, which would cut off spaces at its end").
				Fact("value", "%s", sqlsink.Shorten(row[o].Str())).Fact("room", "%d bytes", c.room)
			return t.About(e, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		if err := s.parameter(to, &t.columns[o], row[o]); err != nil {
			return t.About(err, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		if st.besides != nil {
			for _, text := range st.besides[o] {
				to.Text(text)
			}
		}
	}
	return nil
}

// bindOld gives the old values of the given columns, which are compared alone.
func (s *Sink) bindOld(to values, t *target, columns []int, m *rowferry.Mutation) error {
	for _, o := range columns {
		if err := s.parameter(to, &t.columns[o], m.Before[o]); err != nil {
			return t.Unheld(err, m, o)
		}
	}
	return nil
}

// parameter gives the value exactly, or says why it cannot be.
func (s *Sink) parameter(to values, c *column, v rowferry.Value) *rowferry.Error {
	kind := v.Kind()
	switch {
	case kind == rowferry.Null:
		to.Null()
	case c.carry == carryInteger && kind == rowferry.Int:
		to.Int(v.Int())
	case (c.carry == carryInteger || c.carry == carryBits) && kind == rowferry.Uint:
		to.Uint(v.Uint())
	case c.carry == carryFloat && kind == rowferry.Float:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "MySQL holds neither NaN nor infinity").Fact("value", "%s", v)
		}
		to.Float(v.Float())
	case c.carry == carryText && kind == rowferry.Text:
		switch err := s.fits(v); {
		case !utf8.ValidString(v.Str()):
			return sqlsink.NotUTF8(v.Str())
		case err != nil:
			return err
		}
		if err := c.own(v.Str()); err != nil {
			return err
		}
		to.Text(v.Str())
	case c.carry == carryBytes && kind == rowferry.Bytes:
		if err := s.fits(v); err != nil {
			return err
		}
		to.Bytes(v.Str())
	default:
		return sqlsink.Miscarried(v, c.carry.String())
	}
	return nil
}

// own refuses a text of a PostgreSQL that the column has no value for: the server
// would cut spaces off at the end of one that is too long, whatever its mode.
func (c *column) own(s string) *rowferry.Error {
	if c.foreign {
		return nil
	}
	switch c.have.Kind {
	case schema.VarChar:
		if n := utf8.RuneCountInString(s); n > c.have.Length {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "a text is longer than the target's column").
				Fact("value", "%s", sqlsink.Shorten(s)).Fact("characters", "%d", n).Fact("most", "%d", c.have.Length)
		}
	case schema.Decimal:
		if s == "NaN" {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "MySQL's DECIMAL has no NaN")
		}
	case schema.Date, schema.DateTime, schema.Timestamp:
		if len(s) < 5 || s[4] != '-' || strings.HasSuffix(s, " BC") {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "MySQL has dates of the years up to 9999 alone").Fact("value", "%s", s)
		}
	default: // holds what the source's type does
	}
	return nil
}

// cuts reports whether the server may cut a text off without a word: spaces at
// the end that a TEXT has no room for, in strict mode too. Where the column's
// character set does not tell how much the text takes, it is taken to be twice
// what it is in UTF-8, which is never too little.
func (c *column) cuts(s string) bool {
	if c.room == 0 || !strings.HasSuffix(s, " ") {
		return false
	}
	size := int64(len(s))
	switch c.have.Charset {
	case "utf8mb4", "utf8mb3", "utf8":
	case "ascii", "latin1":
		size = int64(utf8.RuneCountInString(s))
	case "utf32":
		size *= 4
	default:
		size *= 2
	}
	return size > c.room
}

// fits refuses a value that does not fit into one packet with its header. The
// server would end the connection.
func (s *Sink) fits(v rowferry.Value) *rowferry.Error {
	const header = 1 << 10
	if len(v.Str())+header <= s.server.maxPacket {
		return nil
	}
	return s.tooLarge().Fact("bytes", "%d", len(v.Str()))
}
