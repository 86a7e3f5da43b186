package jsonl_test

import (
	"encoding/base64"
	"encoding/json"
	"flag"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/jsonl"
)

var updateGolden = flag.Bool("update", false, "rewrite the golden files")

func clock() time.Time { return time.UnixMilli(1767323046000) }

func shopTable() *schema.Table {
	return &schema.Table{Name: schema.Name{Table: "orders"}, PrimaryKey: []int{0}, Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}},
		{Name: "big", Type: schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}},
		{Name: "price", Type: schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}},
		{Name: "single", Type: schema.Type{Kind: schema.Float32}},
		{Name: "double", Type: schema.Type{Kind: schema.Float64}},
		{Name: "raw", Type: schema.Type{Kind: schema.Blob}},
		{Name: `no"te`, Type: schema.Type{Kind: schema.Text}},
		{Name: "doc", Type: schema.Type{Kind: schema.JSON}},
	}}
}

func shopRow(id int64) rowferry.Row {
	return rowferry.Row{
		rowferry.IntValue(id), rowferry.UintValue(math.MaxUint64), rowferry.TextValue("12.50"), rowferry.FloatValue(float64(float32(0.1))),
		rowferry.FloatValue(0.1), rowferry.BytesValue("\x00\xff"), rowferry.TextValue("a\"\\\n\x00é😀</script>\u2028"), rowferry.TextValue(`{"a": 1.0}`),
	}
}

func TestGoldenEvents(t *testing.T) {
	table := shopTable()
	mariadb := &rowferry.Origin{Tx: "0-1-100", Log: "mariadb-bin.000002:4711", Commit: 1767323045000}
	position := &rowferry.Origin{Tx: "mysql-bin.000042:1337", Log: "mysql-bin.000042:1500", Commit: 1767323045000}
	tagged := &rowferry.Origin{Tx: "3e11fa47-71ca-11e1-9e33-c80aa9429562:tag:5"}
	source := schema.Name{Schema: "shop", Table: `or"ders`}
	partial := make(rowferry.Row, len(table.Columns))
	partial[0] = rowferry.IntValue(1)
	changed := make(rowferry.Row, len(table.Columns))
	changed[6] = rowferry.NullValue()
	var out []byte
	encoder := jsonl.NewEncoder("mysql", clock)
	for _, m := range []rowferry.Mutation{
		{Op: rowferry.Shape, Table: table, Source: source, Origin: mariadb},
		{Op: rowferry.Insert, Table: table, After: shopRow(1), Source: source, Origin: mariadb, Index: 0},
		{Op: rowferry.Update, Table: table, Before: partial, After: changed, Source: source, Origin: mariadb, Index: 1},
		{Op: rowferry.Delete, Table: table, Before: shopRow(math.MinInt64), Source: source, Origin: position, Index: 0},
		{Op: rowferry.Truncate, Table: table, Source: source, Origin: tagged, Index: 7},
	} {
		n := len(out)
		var err error
		if out, err = encoder.AppendEvent(out, &m); err != nil {
			t.Fatal(err)
		}
		if len(out) > n {
			if !json.Valid(out[n:]) {
				t.Errorf("not JSON: %s", out[n:])
			}
			out = append(out, '\n')
		}
	}
	path := filepath.Join("testdata", "events.jsonl")
	if *updateGolden {
		if err := os.WriteFile(path, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != string(want) {
		t.Errorf("got\n%s\nwant\n%s", out, want)
	}
}

func TestBrokenMutationsAreRefused(t *testing.T) {
	table := shopTable()
	bad := func(i int, v rowferry.Value) rowferry.Mutation {
		r := shopRow(1)
		r[i] = v
		return rowferry.Mutation{Op: rowferry.Insert, Table: table, After: r}
	}
	for name, m := range map[string]rowferry.Mutation{
		"text that is not UTF-8": bad(6, rowferry.TextValue("\xff")),
		"a short image":          {Op: rowferry.Insert, Table: table, After: shopRow(1)[:3]},
		"no image":               {Op: rowferry.Delete, Table: table},
		"a drop":                 {Op: rowferry.Drop, Table: table},
		"no operation":           {Table: table},
	} {
		dst := []byte("kept")
		got, err := jsonl.NewEncoder("mysql", clock).AppendEvent(dst, &m)
		if rowferry.CodeOf(err) != rowferry.CodeInternal || !isRefusal(err) {
			t.Errorf("%s: got %v", name, err)
		}
		if string(got) != "kept" {
			t.Errorf("%s: left %q behind", name, got)
		}
	}
}

// TestOwnValues: values of a PostgreSQL that JSON has, and those it has no number
// for.
func TestOwnValues(t *testing.T) {
	values := map[schema.Kind]map[string]rowferry.Value{
		schema.Bool:    {"true": rowferry.IntValue(1), "false": rowferry.IntValue(0), "null": rowferry.NullValue()},
		schema.Float64: {`"NaN"`: rowferry.FloatValue(math.NaN()), `"Infinity"`: rowferry.FloatValue(math.Inf(1)), `"-Infinity"`: rowferry.FloatValue(math.Inf(-1)), "-0": rowferry.FloatValue(math.Copysign(0, -1))},
		schema.Float32: {"0.1": rowferry.FloatValue(float64(float32(0.1)))},
		schema.Decimal: {`"NaN"`: rowferry.TextValue("NaN"), `"1.00"`: rowferry.TextValue("1.00")},
		schema.Other:   {`"{1,NULL}"`: rowferry.TextValue("{1,NULL}")},
		schema.Date:    {`"0044-03-15 BC"`: rowferry.TextValue("0044-03-15 BC")},
	}
	for kind, cases := range values {
		table := &schema.Table{Name: schema.Name{Table: "t"}, Columns: []schema.Column{{Name: "v", Type: schema.Type{Kind: kind, Native: "x"}}}}
		for want, v := range cases {
			line, err := jsonl.NewEncoder("postgresql", clock).AppendEvent(nil, &rowferry.Mutation{Op: rowferry.Insert, Table: table, After: rowferry.Row{v}, Origin: &rowferry.Origin{}})
			if err != nil || !strings.Contains(string(line), `"after":{"v":`+want+`}`) {
				t.Errorf("%s %s: got %s, %v", kind, want, line, err)
			}
		}
	}
}

func TestEncodingAllocatesNothing(t *testing.T) {
	table := shopTable()
	m := rowferry.Mutation{Op: rowferry.Update, Table: table, Before: shopRow(1), After: shopRow(2),
		Source: schema.Name{Schema: "shop", Table: "orders"}, Origin: &rowferry.Origin{Tx: "0-1-1", Log: "bin.000001:4"}}
	encoder := jsonl.NewEncoder("mysql", clock)
	buf := make([]byte, 0, 64<<10)
	if n := testing.AllocsPerRun(100, func() {
		if _, err := encoder.AppendEvent(buf, &m); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations for each event", n)
	}
}

// FuzzAppendEvent decodes what was encoded with the standard library.
func FuzzAppendEvent(f *testing.F) {
	f.Add("tx:1", "col", "text", []byte{0, 255}, int64(-1), uint64(math.MaxUint64), 0.1, "bin.1:4")
	f.Add("0-1-2", "a\x00\"\\", "\u2028\x7f\x1f😀", []byte(nil), int64(math.MinInt64), uint64(0), -5e-324, "")
	f.Add("\xff", "\xff", "\xc3\x28", []byte("x"), int64(0), uint64(1), math.Inf(1), ":")
	f.Fuzz(func(t *testing.T, tx, name, text string, raw []byte, i int64, u uint64, d float64, log string) {
		table := &schema.Table{Name: schema.Name{Table: "t"}}
		for k, kind := range []schema.Kind{schema.Text, schema.Blob, schema.Int, schema.Int, schema.Float64, schema.Float32, schema.Int} {
			table.Columns = append(table.Columns, schema.Column{Name: name + strconv.Itoa(k), Type: schema.Type{Kind: kind}})
		}
		single := float64(float32(d))
		row := rowferry.Row{rowferry.TextValue(text), rowferry.BytesValue(string(raw)), rowferry.IntValue(i), rowferry.UintValue(u),
			rowferry.FloatValue(d), rowferry.FloatValue(single), {}}
		m := rowferry.Mutation{Op: rowferry.Insert, Table: table, After: row, Source: schema.Name{Schema: name, Table: text},
			Origin: &rowferry.Origin{Tx: tx, Log: log, Commit: i}, Index: int(u % 1000)}
		line, err := jsonl.NewEncoder("c", clock).AppendEvent(nil, &m)
		if !utf8.ValidString(text) {
			if err == nil {
				t.Fatalf("accepted %q: %s", text, line)
			}
			return
		}
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			Schema int
			ID     string
			After  map[string]any
			Source struct{ DB, Table string }
		}
		decoder := json.NewDecoder(strings.NewReader(string(line)))
		decoder.UseNumber()
		if err := decoder.Decode(&got); err != nil || decoder.More() || strings.ContainsRune(string(line), '\n') {
			t.Fatalf("%v: %s", err, line)
		}
		clean := strings.ToValidUTF8(name, "\x00")
		if clean != name {
			return // names that are not UTF-8 only have to give valid JSON
		}
		want := []any{text, base64.StdEncoding.EncodeToString(raw), json.Number(strconv.FormatInt(i, 10)), json.Number(strconv.FormatUint(u, 10)), d, single}
		if len(got.After) != len(want) || got.Source.DB != name || got.Source.Table != text || got.Schema != 1 {
			t.Fatalf("got %+v from %s", got, line)
		}
		for k, w := range want {
			v := got.After[name+strconv.Itoa(k)]
			if n, ok := v.(json.Number); ok && k > 3 {
				f, err := strconv.ParseFloat(string(n), 64)
				if k == 5 {
					f32, err32 := strconv.ParseFloat(string(n), 32)
					f, err = f32, err32
				}
				if err != nil || math.Float64bits(f) != math.Float64bits(w.(float64)) {
					t.Fatalf("column %d: got %v, want %v", k, n, w)
				}
			} else if f, ok := w.(float64); ok && (math.IsNaN(f) || math.IsInf(f, 0)) {
				if word := map[bool]string{math.IsNaN(f): "NaN", math.IsInf(f, 1): "Infinity", math.IsInf(f, -1): "-Infinity"}[true]; v != word {
					t.Fatalf("column %d: got %v, want %s", k, v, word)
				}
			} else if v != w {
				t.Fatalf("column %d: got %v, want %v", k, v, w)
			}
		}
	})
}

func BenchmarkAppendEvent(b *testing.B) {
	m := rowferry.Mutation{Op: rowferry.Update, Table: shopTable(), Before: shopRow(1), After: shopRow(2),
		Source: schema.Name{Schema: "shop", Table: "orders"}, Origin: &rowferry.Origin{Tx: "0-1-1", Log: "bin.000001:4"}}
	encoder := jsonl.NewEncoder("mysql", nil)
	buf := make([]byte, 0, 64<<10)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := encoder.AppendEvent(buf, &m); err != nil {
			b.Fatal(err)
		}
	}
}
