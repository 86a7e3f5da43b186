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
	case schema.Int, schema.Year:
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

// bind writes the row's values of the columns that the statement sets as
// parameters.
func (s *Sink) bind(t *target, st *statement, values rowferry.Row, m *rowferry.Mutation) error {
	for _, o := range st.set {
		if c := &t.columns[o]; c.carry == carryText && c.cuts(values[o].Str()) {
			e := rowferry.Errorf(rowferry.CodeOutOfRange, "a text is longer than the target's column, which would cut off spaces at its end").
				Fact("value", "%s", sqlsink.Shorten(values[o].Str())).Fact("room", "%d bytes", c.room)
			return t.About(e, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		if err := s.parameter(&t.columns[o], values[o]); err != nil {
			return t.About(err, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		if st.besides != nil {
			for _, text := range st.besides[o] {
				s.session.conn.Text(text)
			}
		}
	}
	return nil
}

// bindOld writes the old values of the given columns, which are compared alone.
func (s *Sink) bindOld(t *target, columns []int, m *rowferry.Mutation) error {
	for _, o := range columns {
		if err := s.parameter(&t.columns[o], m.Before[o]); err != nil {
			return t.Unheld(err, m, o)
		}
	}
	return nil
}

// parameter writes the value exactly, or says why it cannot be.
func (s *Sink) parameter(c *column, v rowferry.Value) *rowferry.Error {
	kind, wire := v.Kind(), s.session.conn
	switch {
	case kind == rowferry.Null:
		wire.Null()
	case c.carry == carryInteger && kind == rowferry.Int:
		wire.Int(v.Int())
	case (c.carry == carryInteger || c.carry == carryBits) && kind == rowferry.Uint:
		wire.Uint(v.Uint())
	case c.carry == carryFloat && kind == rowferry.Float:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return rowferry.Errorf(rowferry.CodeOutOfRange, "MySQL holds neither NaN nor infinity").Fact("value", "%s", v)
		}
		wire.Float(v.Float())
	case c.carry == carryText && kind == rowferry.Text:
		if !utf8.ValidString(v.Str()) {
			return sqlsink.NotUTF8(v.Str())
		}
		return s.text(v)
	case c.carry == carryBytes && kind == rowferry.Bytes:
		return s.text(v)
	default:
		return sqlsink.Miscarried(v, c.carry.String())
	}
	return nil
}

// text writes a text or bytes, which travel alike.
func (s *Sink) text(v rowferry.Value) *rowferry.Error {
	if err := s.fits(v); err != nil {
		return err
	}
	s.session.conn.Text(v.Str())
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
