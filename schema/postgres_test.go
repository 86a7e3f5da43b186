package schema_test

import (
	"testing"

	"github.com/rowferry/rowferry/schema"
)

func TestPostgresType(t *testing.T) {
	for want, types := range map[string][]schema.Type{
		"smallint":         {{Kind: schema.Int, Bits: 8}, {Kind: schema.Int, Bits: 8, Unsigned: true}, {Kind: schema.Int, Bits: 16}, {Kind: schema.Year}},
		"integer":          {{Kind: schema.Int, Bits: 16, Unsigned: true}, {Kind: schema.Int, Bits: 24}, {Kind: schema.Int, Bits: 24, Unsigned: true}, {Kind: schema.Int, Bits: 32}},
		"bigint":           {{Kind: schema.Int, Bits: 32, Unsigned: true}, {Kind: schema.Int, Bits: 64}},
		"numeric(20,0)":    {{Kind: schema.Int, Bits: 64, Unsigned: true}},
		"numeric(65,30)":   {{Kind: schema.Decimal, Precision: 65, Scale: 30}},
		"real":             {{Kind: schema.Float32}},
		"double precision": {{Kind: schema.Float64}},
		"bit(64)":          {{Kind: schema.Bit, Length: 64}},
		"varchar(40)":      {{Kind: schema.Char, Length: 40}, {Kind: schema.VarChar, Length: 40}},
		"text":             {{Kind: schema.Char}, {Kind: schema.Text}, {Kind: schema.Enum}, {Kind: schema.Set}},
		"bytea":            {{Kind: schema.Binary, Length: 3}, {Kind: schema.VarBinary, Length: 3}, {Kind: schema.Blob}},
		"date":             {{Kind: schema.Date}},
		"timestamp(3)":     {{Kind: schema.DateTime, Fsp: 3}},
		"timestamptz(0)":   {{Kind: schema.Timestamp}},
		"interval(6)":      {{Kind: schema.Time, Fsp: 6}},
		"json":             {{Kind: schema.JSON}},
		"uuid":             {{Kind: schema.UUID}},
		"inet":             {{Kind: schema.Inet4}, {Kind: schema.Inet6}},
	} {
		for _, typ := range types {
			if got, err := schema.PostgresType(typ); got != want || err != nil {
				t.Errorf("%s becomes %q, %v, want %q", typ, got, err, want)
			}
		}
	}
	for _, typ := range []schema.Type{{}, {Kind: schema.Geometry}, {Kind: schema.Vector}, {Kind: schema.Int, Bits: 7}} {
		if got, err := schema.PostgresType(typ); err == nil {
			t.Errorf("%s becomes %q, want an error", typ, got)
		}
	}
}
