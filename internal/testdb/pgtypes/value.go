package pgtypes

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Value returns what PostgreSQL prints as text for a column of the type as a
// source is to carry it. It is written without regard to speed, and apart from
// the source's own code.
func Value(t schema.Type, text string) rowferry.Value {
	switch t.Kind {
	case schema.Bool:
		return rowferry.IntValue(int64(strings.Index("ft", text)))
	case schema.Int:
		n, err := strconv.ParseInt(text, 10, 64)
		must(err)
		return rowferry.IntValue(n)
	case schema.Float32, schema.Float64:
		return rowferry.FloatValue(number(t, text))
	case schema.Bit:
		n, err := strconv.ParseUint(text, 2, 64)
		must(err)
		return rowferry.UintValue(n)
	case schema.Blob:
		b, err := hex.DecodeString(strings.TrimPrefix(text, `\x`))
		must(err)
		return rowferry.BytesValue(string(b))
	case schema.Timestamp:
		return rowferry.TextValue(strings.Replace(text, "+00", "", 1))
	default:
		return rowferry.TextValue(text)
	}
}

func number(t schema.Type, text string) float64 {
	special := map[string]float64{"NaN": math.NaN(), "Infinity": math.Inf(1), "-Infinity": math.Inf(-1), "-0": math.Copysign(0, -1)}
	if f, ok := special[text]; ok {
		return f
	}
	bits := 64
	if t.Kind == schema.Float32 {
		bits = 32
	}
	f, err := strconv.ParseFloat(text, bits)
	must(err)
	return f
}

func must(err error) {
	if err != nil {
		panic(err)
	}
}
