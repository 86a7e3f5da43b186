package mysql

import (
	"testing"
	"unicode/utf8"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// fuzzShape makes a shape that fits a table map, whatever the map leaves open.
func fuzzShape(cols []wireColumn, name schema.Name, srv server) *schema.Table {
	t := &schema.Table{Name: name}
	for i := range cols {
		w := &cols[i]
		guesses := []*schema.Type{
			nil,
			{Kind: schema.Int, Bits: 8}, {Kind: schema.Int, Bits: 16}, {Kind: schema.Int, Bits: 24}, {Kind: schema.Int, Bits: 32}, {Kind: schema.Int, Bits: 64},
			{Kind: schema.Float32}, {Kind: schema.Float64}, {Kind: schema.Decimal, Precision: w.precision, Scale: w.scale},
			{Kind: schema.Time, Fsp: 5}, {Kind: schema.DateTime, Fsp: 6}, {Kind: schema.Timestamp, Fsp: 1},
			{Kind: schema.Inet4}, {Kind: schema.UUID}, {Kind: schema.Binary, Length: w.length},
			{Kind: schema.Text, Charset: "gb18030"}, {Kind: schema.VarChar, Length: w.length, Charset: "latin1"}, {Kind: schema.Char, Length: w.length, Charset: "tis620"},
			{Kind: schema.VarChar, Length: w.length / 3, Charset: "eucjpms"}, {Kind: schema.Char, Length: w.length / 4, Charset: "utf16"},
		}
		for _, kind := range []schema.Kind{schema.Enum, schema.Set} {
			for _, n := range []int{3, 9, 17, 30, 64, 300} {
				guesses = append(guesses, &schema.Type{Kind: kind, Labels: make([]string, n)})
			}
		}
		for _, g := range guesses {
			ty, p := columnType(w, g, srv)
			if p.kind == fits {
				t.Columns = append(t.Columns, schema.Column{Name: string(rune('a'+i%26)) + string(rune('0'+i/26)), Type: ty})
				break
			}
		}
		if len(t.Columns) != i+1 {
			return nil
		}
	}
	return t
}

// FuzzRowImage: no bytes make the decoder panic, or hold more than its budget.
func FuzzRowImage(f *testing.F) {
	for _, s := range fuzzSeeds {
		f.Add(s.mariadb, s.op, unhex(f, s.first), unhex(f, s.second), unhex(f, s.tableMap), unhex(f, s.rows))
	}
	events := [3]replication.RowsEvent{
		*emptyRowsEvent(f, replication.WRITE_ROWS_EVENTv2), *emptyRowsEvent(f, replication.UPDATE_ROWS_EVENTv2), *emptyRowsEvent(f, replication.DELETE_ROWS_EVENTv2),
	}
	f.Fuzz(func(t *testing.T, mariadb bool, op byte, first, second, tableMap, rows []byte) {
		srv := mysql97
		if mariadb {
			srv = maria1011
		}
		tm, err := parseTableMap(tableMap, 6)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		shape, err := shapeFromMap(tm, nil, srv)
		if err != nil {
			requireRefusal(t, err)
			cols, err := wireColumns(tm, srv)
			if err != nil {
				return
			}
			if shape = fuzzShape(cols, schema.Name{Schema: "s", Table: "t"}, srv); shape == nil {
				return
			}
			if shape, err = shapeFromMap(tm, shape, srv); err != nil {
				requireRefusal(t, err)
				return
			}
		}
		d, err := newRowDecoder(tm, shape, srv)
		if err != nil {
			requireRefusal(t, err)
			return
		}
		hdr := events[op%3]
		hdr.ColumnCount, hdr.ColumnBitmap1, hdr.ColumnBitmap2 = tm.ColumnCount, first, second
		changes, err := d.decode(nil, &hdr, rows)
		if err != nil {
			requireRefusal(t, err)
			if len(changes) > 0 {
				t.Errorf("%d changes of a refused event", len(changes))
			}
			return
		}
		requireBounded(t, changes, rows)
	})
}

// requireBounded fails if an event's values are more than its budget allows, or
// text is not UTF-8.
func requireBounded(t *testing.T, changes []rowferry.Change, rows []byte) {
	t.Helper()
	size := 0
	for i := range changes {
		for _, r := range []rowferry.Row{changes[i].Before, changes[i].After} {
			for _, v := range r {
				size += v.Size()
				if v.Kind() == rowferry.Text && !utf8.ValidString(v.Str()) {
					t.Errorf("text that is not UTF-8: %q", v.Str())
				}
			}
		}
	}
	if most := budgetBase + (budgetPerByte+1)*len(rows); size > most {
		t.Errorf("%d bytes became %d", len(rows), size)
	}
}

// requireRefusal fails unless the error is one that tells people something.
func requireRefusal(t *testing.T, err error) {
	t.Helper()
	if code := rowferry.CodeOf(err); code == "" || code == rowferry.CodeInternal {
		t.Errorf("not a refusal by name: %v", err)
	}
}

// FuzzJSON: no bytes make the writer panic, or write without end.
func FuzzJSON(f *testing.F) {
	for _, s := range []string{
		"00 0100 0c00 0b00 0100 0501 00 61", "02 0200 0a00 04 0000 0b 0a00", "0c 03616263", "0f f6 0402010bcd", "0f 0a 08 00000000005e b519", "0f fc 02 ffff", "04 01", "0b 9a9999999999b93f",
	} {
		f.Add(unhex(f, s))
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		text, ok := appendJSON(nil, b)
		if ok && (len(text) > 64+8*len(b)+64+6*len(b) || !utf8.Valid(text)) {
			t.Errorf("%d bytes became %d, valid %v", len(b), len(text), utf8.Valid(text))
		}
	})
}

// FuzzInflateRows: no bytes make it panic, or return more than the limit.
func FuzzInflateRows(f *testing.F) {
	f.Add(unhex(f, "8103789c4b4c4a0600024d0127"))
	f.Fuzz(func(t *testing.T, b []byte) {
		rows, err := inflateRows(b, 1<<20)
		if err != nil {
			requireRefusal(t, err)
		}
		if len(rows) > 1<<20 {
			t.Errorf("%d bytes", len(rows))
		}
	})
}
