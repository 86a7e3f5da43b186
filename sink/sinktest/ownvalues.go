package sinktest

import (
	"math"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// own is a type of a PostgreSQL source.
func own(kind schema.Kind, native string, more func(*schema.Type)) schema.Type {
	t := schema.Type{Kind: kind, Native: native}
	if kind.Textual() {
		t.Charset, t.Collation = "utf8mb4", "utf8mb4_0900_bin"
	}
	if more != nil {
		more(&t)
	}
	return t
}

// ownKinds are types of a PostgreSQL source with the values that others do not
// have.
func ownKinds() []kind {
	fsp := func(t *schema.Type) { t.Fsp = 6 }
	length := func(n int) func(*schema.Type) { return func(t *schema.Type) { t.Length = n } }
	mood := schema.UserType{Name: "public.mood", Labels: []string{"sad", "it's"}}
	blank := schema.UserType{Name: "public.blank", Labels: []string{"a", "a ", ""}}
	labels := func(u schema.UserType) func(*schema.Type) {
		return func(t *schema.Type) { t.Labels, t.User = u.Labels, []schema.UserType{u} }
	}
	return []kind{
		{"own_bool", own(schema.Bool, "boolean", nil), vals(0, 1)},
		{"own_smallint", own(schema.Int, "smallint", func(t *schema.Type) { t.Bits = 16 }), vals(math.MinInt16, math.MaxInt16)},
		{"own_real", own(schema.Float32, "real", nil), vals(1.5, float64(float32(0.1)), math.Inf(1), math.Inf(-1))},
		{"own_numeric", own(schema.Decimal, "numeric", nil), vals("0", "1.0", "1.00", "-"+strings.Repeat("9", 150)+".5", "NaN", "Infinity", "-Infinity")},
		{"own_decimal", own(schema.Decimal, "numeric(10,2)", func(t *schema.Type) { t.Precision, t.Scale = 10, 2 }), vals("0.00", "-99999999.99", "NaN")},
		{"own_wide", own(schema.Decimal, "numeric(80,40)", func(t *schema.Type) { t.Precision, t.Scale = 80, 40 }), vals(strings.Repeat("7", 40) + "." + strings.Repeat("3", 40))},
		{"own_text", own(schema.Text, "text", nil), vals("", " ", "a ", "A", "é\n😀")},
		{"own_varchar", own(schema.VarChar, "character varying(2000)", length(2000)), vals("", "a ", strings.Repeat("é", 2000))},
		{"own_char", own(schema.VarChar, "character(3)", length(3)), vals("   ", "a  ", "äöü")},
		{"own_bytea", own(schema.Blob, "bytea", nil), vals([]byte{}, []byte("\x00\xff"))},
		{"own_uuid", own(schema.UUID, "uuid", nil), vals("123e4567-e89b-12d3-a456-426655440000")},
		{"own_json", own(schema.JSON, "json", func(t *schema.Type) { t.Charset = "utf8mb4" }), vals(`{"b": 1, "a" : 1e400, "b": 2}`, strings.Repeat("[", 200)+strings.Repeat("]", 200))},
		{"own_jsonb", own(schema.JSON, "jsonb", func(t *schema.Type) { t.Charset = "utf8mb4" }), vals(`{"a": 1.00}`, "null", "12345678901234567890.5")},
		{"own_date", own(schema.Date, "date", nil), vals("2024-02-29", "0001-01-01", "infinity", "-infinity", "0044-03-15 BC", "10000-01-01")},
		{"own_timestamp", own(schema.DateTime, "timestamp without time zone", fsp), vals("2024-02-29 12:00:00", "9999-12-31 23:59:59.999999", "infinity", "0044-03-15 12:00:00 BC", "294276-12-31 23:59:59.5")},
		{"own_timestamptz", own(schema.Timestamp, "timestamp with time zone", fsp), vals("1969-12-31 23:59:59.5", "2400-01-01 00:00:00", "-infinity", "0044-03-15 12:00:00 BC", "294276-12-31 23:59:59.5")},
		{"own_time", own(schema.Time, "time without time zone", fsp), vals("00:00:00", "23:59:59.999999", "24:00:00")},
		{"own_bit", own(schema.Bit, "bit(7)", length(7)), vals(uint64(0), uint64(65))},
		{"own_mood", own(schema.Enum, "public.mood", labels(mood)), vals("sad", "it's")},
		{"own_blank", own(schema.Enum, "public.blank", labels(blank)), vals("a", "a ", "")},
		{"own_interval", own(schema.Other, "interval", nil), vals("1 day", "24:00:00", "-1 mons +2 days")},
		{"own_array", own(schema.Other, "text[]", nil), vals("{}", `{"",NULL,"a \"b\"","\\"}`)},
		{"own_point", own(schema.Other, "point", nil), vals("(1,2.5)", "(NaN,Infinity)")},
		{"own_range", own(schema.Other, "int4range", nil), vals("empty", "[1,5)")},
	}
}

// ownKeys are keys of a PostgreSQL source's types.
func ownKeys() []keyKind {
	return []keyKind{
		{own(schema.Bool, "boolean", nil), vals(0, 1), nil},
		{own(schema.Text, "text", nil), vals("a", "A", "a ", ""), vals("a  ", "á")},
		{own(schema.VarChar, "character varying(2000)", func(t *schema.Type) { t.Length = 2000 }), vals("a", "A", "a ", ""), vals("a  ")},
		{own(schema.Blob, "bytea", nil), vals([]byte("a"), []byte("a\x00"), []byte("")), vals([]byte("A"))},
		{own(schema.Decimal, "numeric", nil), vals("1.5", "-0.000000000000000000000000000000000000000001", "NaN"), nil},
		{own(schema.Other, "inet", nil), vals("10.0.0.1", "10.0.0.1/8", "::1"), nil},
		{own(schema.UUID, "uuid", nil), vals("123e4567-e89b-12d3-a456-426655440000", "00000000-0000-0000-0000-000000000000"), nil},
		{own(schema.Timestamp, "timestamp with time zone", func(t *schema.Type) { t.Fsp = 6 }), vals("2040-01-15 00:00:00.000001", "2040-01-15 00:00:00"), nil},
	}
}
