package mysql

import (
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry/schema"
)

// benchTable is an ordinary table: numbers, text, a decimal, times, an enum.
func benchTable(t testing.TB) (*rowDecoder, *replication.RowsEvent, []byte) {
	t.Helper()
	tm := &replication.TableMapEvent{
		Schema: []byte("s"), Table: []byte("t"), ColumnCount: 8, NullBitmap: []byte{0xff},
		ColumnType: []byte{wireLongLong, wireLong, wireVarChar, wireVarChar, wireDecimal, wireDateTime2, wireTimestamp2, wireString},
		ColumnMeta: []uint16{0, 0, 400, 80, 0x0a02, 0, 3, 0xf701},
	}
	known := &schema.Table{Name: schema.Name{Schema: "s", Table: "t"}}
	for i, ty := range []schema.Type{
		{Kind: schema.Int, Bits: 64, Unsigned: true}, {Kind: schema.Int, Bits: 32}, {Kind: schema.VarChar, Length: 100, Charset: "utf8mb4"},
		{Kind: schema.VarChar, Length: 80, Charset: "latin1"}, {Kind: schema.Decimal, Precision: 10, Scale: 2}, {Kind: schema.DateTime},
		{Kind: schema.Timestamp, Fsp: 3}, {Kind: schema.Enum, Labels: []string{"new", "paid"}},
	} {
		known.Columns = append(known.Columns, schema.Column{Name: string(rune('a' + i)), Type: ty, Nullable: true})
	}
	shape, err := shapeFromMap(tm, known, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newRowDecoder(tm, shape, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	hdr := emptyRowsEvent(t, replication.WRITE_ROWS_EVENTv2)
	hdr.ColumnCount, hdr.ColumnBitmap1 = 8, []byte{0xff}
	row := unhex(t, "00 0102030400000000 feffffff 1e00"+strings.Repeat("61", 30)+" 05e4626364e4 800004d232 99b2bb7bad 65937d2504ce 02")
	return d, hdr, []byte(strings.Repeat(string(row), 100))
}

// TestAllocations: an event of 100 rows takes a few allocations per event, not
// per row or value.
func TestAllocations(t *testing.T) {
	d, hdr, rows := benchTable(t)
	changes, err := d.decode(nil, hdr, rows)
	if err != nil || len(changes) != 100 {
		t.Fatalf("%d changes, %v", len(changes), err)
	}
	n := testing.AllocsPerRun(20, func() {
		if changes, err = d.decode(changes[:0], hdr, rows); err != nil {
			t.Fatal(err)
		}
	})
	if n > 10 {
		t.Errorf("%v allocations for 100 rows", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	d, hdr, rows := benchTable(b)
	changes, err := d.decode(nil, hdr, rows)
	b.SetBytes(int64(len(rows)))
	b.ReportAllocs()
	for b.Loop() {
		if changes, err = d.decode(changes[:0], hdr, rows); err != nil {
			b.Fatal(err)
		}
	}
}
