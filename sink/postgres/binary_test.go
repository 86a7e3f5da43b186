package postgres_test

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/pgtypes"
	"github.com/rowferry/rowferry/schema"
)

// copiedRows is enough rows for a COPY.
const copiedRows = 64

// more are values beside those of pgtypes, by the name of its case; of a type as
// large as one statement carries with others.
var more = map[string][]string{
	"text":  {strings.Repeat("é\t\\N\n\\.\r\b\f\v\"", 77_000), "\\N", "\\.", "\\", strings.Repeat(" ", 3000)},
	"free":  {"-" + strings.Repeat("9", 4000) + "." + strings.Repeat("8", 4001), "0.10000", "-10000.0001", "123456780000"},
	"dec":   {"-0.01", "10000.00", "-99990000.00"},
	"date":  {"2000-02-29", "1900-02-28", "0001-12-31 BC", "4714-11-24 BC"},
	"ts":    {"4714-11-24 00:00:00 BC", "1999-12-31 23:59:59.999999", "2000-01-01 00:00:00"},
	"json":  {`{"a": "` + strings.Repeat("x", 1_000_000) + `"}`},
	"bytea": {`\x` + strings.Repeat("000aff", 300_000)},
}

// goesBinary reports whether COPY has a binary form for a case.
func goesBinary(c pgtypes.Case) bool {
	return c.Kind != "other" && c.Kind != "bit" && c.Name != "name" && c.Name != "citext"
}

// TestCopyForms: by COPY every type's values arrive as the server printed them, in
// binary format where there is a form and in text format where there is none.
func TestCopyForms(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.Postgres15, testdb.PostgresNew} {
		t.Run(string(k), func(t *testing.T) {
			x := newOwn(t, k)
			columns := []pgtypes.Case{}
			for n, c := range x.cases {
				x.copyForm(fmt.Sprintf("copied%d", n), goesBinary(c), c)
				if goesBinary(c) {
					columns = append(columns, c)
				}
			}
			x.copyForm("wide", true, columns...)
		})
	}
}

// copyForm copies rows with all values of the columns and NULL into a new table.
func (x *own) copyForm(name string, binary bool, columns ...pgtypes.Case) {
	x.t.Helper()
	definition, n := []string{"id int PRIMARY KEY"}, copiedRows
	values := make([][]string, len(columns))
	for o, c := range columns {
		definition = append(definition, dialect.Quote(c.Name)+" "+c.Declared)
		values[o] = c.Values
		if len(columns) == 1 {
			values[o] = slices.Concat(c.Values, more[c.Name])
		}
		n = max(n, len(values[o])+1)
	}
	shape := x.shape(name, strings.Join(definition, ", "))
	x.must(x.sink.Prepare(x.t.Context(), []rowferry.Mutation{shaped(shape)}))
	var ms []rowferry.Mutation
	want := map[string]bool{}
	for id := range n {
		r, printed := rowferry.Row{i(int64(id))}, []string{strconv.Quote(strconv.Itoa(id))}
		for o, c := range columns {
			v, text := null, "NULL"
			if at := id % (len(values[o]) + 1); at < len(values[o]) && id == at || c.Name == "more" {
				at %= len(values[o])
				v, text = pgtypes.Value(shape.Columns[o+1].Type, values[o][at]), strconv.Quote(values[o][at])
			}
			r, printed = append(r, v), append(printed, text)
		}
		ms = append(ms, inserted(shape, r...))
		want[strings.Join(printed, " ")] = true
	}
	x.traced = nil
	if err := x.applyBulk(ms...); err != nil {
		x.t.Errorf("%s: %v", definition, err)
		return
	}
	x.rows(shape, want)
	texts, binaries := x.copies()
	if binary && (binaries == 0 || texts > 0) || !binary && (binaries > 0 || texts == 0) {
		x.t.Errorf("%s: %d COPY in text and %d in binary format", definition, texts, binaries)
	}
}

// copies counts what was copied by now.
func (x *target) copies() (texts, binaries int) {
	for _, q := range x.traced {
		switch {
		case !strings.HasPrefix(q, "COPY "):
		case strings.HasSuffix(q, " FROM STDIN (FORMAT binary)"):
			binaries++
		default:
			texts++
		}
	}
	return texts, binaries
}

// TestCopyWithoutForm: a value that the server knows, but in no form that it
// prints, arrives too, as do the rows around it; each once.
func TestCopyWithoutForm(t *testing.T) {
	x := newOwn(t, testdb.Postgres15)
	typed := func(kind schema.Kind, native string) schema.Type { return schema.Type{Kind: kind, Native: native} }
	table := keyed("odd", col("id", integer, false), col("u", typed(schema.UUID, "uuid"), true), col("d", typed(schema.Date, "date"), true))
	x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(table)}))
	row := func(id int64) rowferry.Row {
		switch id {
		case 40:
			return rowferry.Row{i(id), txt("{A9A7E5166B2A89592455B8AD06581AD1}"), null}
		case 70:
			return rowferry.Row{i(id), null, txt("J2451187")}
		default:
			return rowferry.Row{i(id), txt("a9a7e516-6b2a-8959-2455-b8ad06581ad1"), txt("2024-02-29")}
		}
	}
	var ms []rowferry.Mutation
	var rows []rowferry.Row
	for id := range int64(100) {
		ms = append(ms, inserted(table, row(id)...))
		rows = append(rows, row(1000+id))
	}
	rows[40], rows[70] = rowferry.Row{i(1040), row(40)[1], null}, rowferry.Row{i(1070), null, row(70)[2]}
	check := func(from int64) {
		t.Helper()
		x.is("100 99 99 1 1999-01-08", fmt.Sprintf("SELECT count(*) || ' ' || count(u) || ' ' || count(d) || ' ' || count(DISTINCT u) || ' ' || min(d) FROM shop.odd WHERE id >= %d AND id < %d", from, from+100))
		if texts, binaries := x.copies(); texts != 1 || binaries != 1 {
			t.Errorf("%d COPY in text and %d in binary format", texts, binaries)
		}
	}
	x.must(x.applyBulk(ms...))
	check(0)

	loaded := keyed("odd2", table.Columns...)
	x.must(x.prepareLoad(loaded))
	x.traced = nil
	x.must(x.chunk(x.load(), loaded, false, rows...))
	x.exec("INSERT INTO shop.odd SELECT * FROM shop.odd2")
	check(1000)
}

// TestCopyRefused: what is refused of many rows is told of by table and column,
// and where the server refused it by its line; nothing of them is there.
func TestCopyRefused(t *testing.T) {
	x := newOwn(t, testdb.Postgres15)
	short := schema.Type{Kind: schema.VarChar, Length: 5, Native: "character varying(5)"}
	table := keyed("refused", col("id", integer, false), col("v", short, true), col("doc", schema.Type{Kind: schema.JSON, Native: "json"}, true),
		col("at", schema.Type{Kind: schema.DateTime, Native: "timestamp(0) without time zone"}, true), col("price", schema.Type{Kind: schema.Decimal, Precision: 5, Scale: 2}, true))
	x.must(x.sink.Prepare(t.Context(), []rowferry.Mutation{shaped(table)}))
	refused := func(code rowferry.Code, at rowferry.Row, parts ...string) {
		t.Helper()
		var ms []rowferry.Mutation
		for id := range int64(100) {
			if r := (rowferry.Row{i(id), txt("12345"), txt("{}"), txt("2024-02-29 12:00:00"), txt("-123.45")}); id != 42 {
				ms = append(ms, inserted(table, r...))
			} else {
				ms = append(ms, inserted(table, at...))
			}
		}
		err := x.applyBulk(ms...)
		wants(t, err, code, append(parts, "refused")...)
		refusal(t, err)
		x.is("0", "SELECT count(*) FROM shop.refused")
	}
	refused(rowferry.CodeOutOfRange, rowferry.Row{i(42), txt("123456"), null, null, null}, "v", "123456")
	refused(rowferry.CodeOutOfRange, rowferry.Row{i(1 << 31), null, null, null, null}, "id", "2147483648")
	refused(rowferry.CodeOutOfRange, rowferry.Row{i(42), null, null, txt("2024-02-29 12:00:00.5"), null}, "at", "12:00:00.5")
	refused(rowferry.CodeOutOfRange, rowferry.Row{i(42), null, null, null, txt("0.125")}, "price", "0.125")
	refused(rowferry.CodeForeignRow, rowferry.Row{i(41), null, null, null, null}, "line 43")
	refused(rowferry.CodeRowRefused, rowferry.Row{i(42), null, txt("{"), null, null}, "line 43", "doc")
}
