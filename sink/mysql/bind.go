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

// bind appends the row's values of the given columns as parameters.
func (s *Sink) bind(args []any, t *target, columns []int, values rowferry.Row, m *rowferry.Mutation) ([]any, error) {
	for _, o := range columns {
		if c := &t.columns[o]; c.carry == carryText && c.cuts(values[o].Str()) {
			e := rowferry.Errorf(rowferry.CodeOutOfRange, "a text is longer than the target's column, which would cut off spaces at its end").
				Fact("value", "%s", sqlsink.Shorten(values[o].Str())).Fact("room", "%d bytes", c.room)
			return nil, t.About(e, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		arg, err := s.parameter(&t.columns[o], values[o])
		if err != nil {
			return nil, t.About(err, m).Fact("column", "%s", t.Shape.Columns[o].Name)
		}
		args = append(args, arg)
	}
	return args, nil
}

// bindOld appends the old values of the given columns, which are compared alone.
func (s *Sink) bindOld(args []any, t *target, columns []int, m *rowferry.Mutation) ([]any, error) {
	for _, o := range columns {
		arg, err := s.parameter(&t.columns[o], m.Before[o])
		if err != nil {
			return nil, t.Unheld(err, m, o)
		}
		args = append(args, arg)
	}
	return args, nil
}

// parameter returns the value as the driver binds it exactly, or says why it
// cannot be. Bytes are bound as a Go string too, which the driver sends as it
// is.
func (s *Sink) parameter(c *column, v rowferry.Value) (any, *rowferry.Error) {
	kind := v.Kind()
	switch {
	case kind == rowferry.Null:
		return nil, nil
	case c.carry == carryInteger && kind == rowferry.Int:
		return v.Int(), nil
	case (c.carry == carryInteger || c.carry == carryBits) && kind == rowferry.Uint:
		return v.Uint(), nil
	case c.carry == carryFloat && kind == rowferry.Float:
		if math.IsNaN(v.Float()) || math.IsInf(v.Float(), 0) {
			return nil, rowferry.Errorf(rowferry.CodeOutOfRange, "MySQL holds neither NaN nor infinity").Fact("value", "%s", v)
		}
		return v.Float(), nil
	case c.carry == carryText && kind == rowferry.Text:
		if !utf8.ValidString(v.Str()) {
			return nil, sqlsink.NotUTF8(v.Str())
		}
		return v.Str(), s.fits(v)
	case c.carry == carryBytes && kind == rowferry.Bytes:
		return v.Str(), s.fits(v)
	default:
		return nil, sqlsink.Miscarried(v, c.carry.String())
	}
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
