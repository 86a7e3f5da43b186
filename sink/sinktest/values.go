package sinktest

import (
	"math"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// valueClauses are about values arriving as they are.
var valueClauses = []clause{
	{"every kind of value", func(e *env) {
		for _, v := range kinds() {
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
			batch := []rowferry.Mutation{shape(t), insert(t, 0, nil)}
			want := []rowferry.Row{row(vals(0, nil))}
			for i, x := range v.values {
				if e.refuses(v.typ, x) {
					continue
				}
				batch = append(batch, insert(t, i+1, x), update(t, vals(i+1, x), vals(i+1, nil)), update(t, vals(i+1, nil), vals(i+1, x)))
				want = append(want, row(vals(i+1, x)))
			}
			e.apply(batch...)
			for _, x := range v.values {
				if e.refuses(v.typ, x) {
					_ = e.refused(rowferry.CodeOutOfRange, insert(t, 99, x)) // it fails the test itself
				}
			}
			e.rows(t, want...)
		}
	}},
	{"every kind of value finds its row", func(e *env) {
		for _, v := range kinds() {
			t := table(v.name, 0, nullable("v", v.typ))
			e.apply(shape(t), insert(t, nil), remove(t, nil))
			var want []rowferry.Row
			for _, x := range v.values {
				if !e.refuses(v.typ, x) {
					e.apply(insert(t, x), insert(t, x), remove(t, x))
					want = append(want, row(vals(x)))
				}
			}
			e.rows(t, want...)
		}
	}},
	{"text arrives whole", func(e *env) {
		t := table("t", 1, column("k", text), nullable("v", text))
		t.Uniques = []schema.Index{{Name: "p", Columns: []int{1}, Prefix: []int{3}}}
		nul := e.nul()
		e.apply(shape(t),
			insert(t, "a"+nul+"b", "1"+nul+"a"), insert(t, "a"+nul+"c", "1"+nul+"b"), insert(t, "a", "2"), insert(t, "a ", "3 "), insert(t, "A", "3"),
			insert(t, "", ""), insert(t, nul, nil), insert(t, "😀\U0010FFFF", "é"), insert(t, "e\u0301", "e\u0301"))
		e.apply(update(t, vals("a"+nul+"b", "1"+nul+"a"), vals("a"+nul+"d", "1"+nul+"x")), remove(t, "a", "2"))
		if e.refuses(text, "\x00") {
			_ = e.refused(rowferry.CodeOutOfRange, insert(t, "x", "a\x00"))
		}
		e.rows(t,
			row(vals("a"+nul+"d", "1"+nul+"x")), row(vals("a"+nul+"c", "1"+nul+"b")), row(vals("a ", "3 ")), row(vals("A", "3")),
			row(vals("", "")), row(vals(nul, nil)), row(vals("😀\U0010FFFF", "é")), row(vals("e\u0301", "e\u0301")))
	}},
	{"text that is not UTF-8 is refused", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("v", text))
		e.apply(shape(t))
		_ = e.refused(rowferry.CodeInternal, insert(t, 1, "a\xff"))
		e.rows(t)
	}},
	{"a value of another kind than its column is refused", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("v", text))
		e.apply(shape(t))
		_ = e.refused(rowferry.CodeInternal, insert(t, 1, []byte("x")))
		_ = e.refused(rowferry.CodeInternal, insert(t, "1", "x"))
		e.rows(t)
	}},
	{"a large value", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("b", blob), nullable("s", schema.Type{Kind: schema.Text}))
		b := make([]byte, e.o.BlobSize)
		for i := range b {
			b[i] = byte(i * 7)
		}
		s := strings.Repeat("é", e.o.BlobSize/2)
		e.apply(shape(t), insert(t, 1, b, nil), insert(t, 2, nil, s), update(t, vals(1, b, nil), vals(1, b[1:], "x")))
		got := e.o.Read(e.t, e.sink, t)
		if len(got) != 2 {
			e.t.Fatalf("%d rows, want 2", len(got))
		}
		for _, r := range got {
			switch {
			case r[0].Int() == 1 && r[1].Str() == string(b[1:]) && r[2].Str() == "x":
			case r[0].Int() == 2 && r[1].IsNull() && r[2].Str() == s:
			default:
				e.t.Errorf("row %d did not arrive whole", r[0].Int())
			}
		}
	}},
}

type kind struct {
	name   string
	typ    schema.Type
	values []any
}

// kinds are the types with values at their edges, each carried as the source
// carries it.
func kinds() []kind {
	all := []kind{
		{"bigint", integer, vals(0, 1, -1, math.MaxInt64, math.MinInt64)},
		{"tinyint", schema.Type{Kind: schema.Int, Bits: 8}, vals(-128, 127)},
		{"ubigint", schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}, vals(uint64(0), uint64(math.MaxInt64))},
		{"year", schema.Type{Kind: schema.Year}, vals(0, 1901, 2155)},
		{"bit", schema.Type{Kind: schema.Bit, Length: 63}, vals(uint64(0), uint64(1)<<62)},
		{"bit64", schema.Type{Kind: schema.Bit, Length: 64}, vals(uint64(0), uint64(1)<<63+5, uint64(math.MaxUint64))},
		{"double", double, vals(0.0, 1.5, 0.1, -1e300, math.MaxFloat64, math.SmallestNonzeroFloat64, float64(1<<53), float64(1<<60))},
		{"float", schema.Type{Kind: schema.Float32}, vals(float64(float32(0.1)), float64(math.MaxFloat32), float64(math.SmallestNonzeroFloat32))},
		{"blob", blob, vals([]byte{}, []byte{0}, []byte("\x00\xff\x00"), []byte("text"))},
		{"varbinary", schema.Type{Kind: schema.VarBinary, Length: 9}, vals([]byte("a\x00"), []byte("a"))},
		{"binary", schema.Type{Kind: schema.Binary, Length: 4}, vals([]byte("a\x00\x00\x00"))},
	}
	labels := []string{"a", "b", "1"}
	all = append(all, ownKinds()...)
	return append(all, []kind{
		{"decimal", schema.Type{Kind: schema.Decimal, Precision: 65, Scale: 30}, vals(
			"0.000000000000000000000000000000", "-99999999999999999999999999999999999.999999999999999999999999999999", "12.500000000000000000000000000001")},
		{"decimal2", schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}, vals("0.00", "-12.50", "99999999.99")},
		{"char", schema.Type{Kind: schema.Char, Length: 200}, vals("", "x", "1e5")},
		{"varchar", schema.Type{Kind: schema.VarChar, Length: 200}, vals("", " ", "1e5", "0x10", "NULL", "12.0")},
		{"text", schema.Type{Kind: schema.Text}, vals("", "\r\n\t")},
		{"date", schema.Type{Kind: schema.Date}, vals("0000-00-00", "9999-12-31", "2025-00-15")},
		{"time", schema.Type{Kind: schema.Time, Fsp: 6}, vals("-838:59:58.999999", "838:59:59.000000", "00:00:00.000000")},
		{"datetime", schema.Type{Kind: schema.DateTime, Fsp: 6}, vals("0000-00-00 00:00:00.000000", "9999-12-31 23:59:59.999999")},
		{"timestamp", schema.Type{Kind: schema.Timestamp, Fsp: 6}, vals("1970-01-01 00:00:01.000000", "2038-01-19 03:14:07.999999")},
		{"seconds", schema.Type{Kind: schema.Timestamp}, vals("2026-03-29 02:30:00", "0000-00-00 00:00:00")},
		{"enum", schema.Type{Kind: schema.Enum, Labels: labels}, vals("", "a", "1")},
		{"set", schema.Type{Kind: schema.Set, Labels: labels}, vals("", "a,b")},
		{"json", schema.Type{Kind: schema.JSON}, vals("null", "1.0", `{"a": "\u0000"}`, `"x"`, "12345678901234567890")},
		{"uuid", schema.Type{Kind: schema.UUID}, vals("123e4567-e89b-12d3-a456-426655440000")},
		{"inet4", schema.Type{Kind: schema.Inet4}, vals("255.255.255.255")},
		{"inet6", schema.Type{Kind: schema.Inet6}, vals("::", "ffff:ffff::")},
	}...)
}
