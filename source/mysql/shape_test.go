package mysql

import (
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// vectorMap was logged by MySQL 9.7 with full metadata for
//
//	CREATE TABLE vv (a TEXT CHARACTER SET latin1, v VECTOR(2), b TEXT CHARACTER SET latin2, g POINT, c TEXT CHARACTER SET latin5)
const vectorMap = "6e000000000001000164000276760005fcf2fcfffc0502040204021f0304083f091e0701010d0102040a016101760162016701630c01f8"

func realMap(t testing.TB, raw string) *replication.TableMapEvent {
	t.Helper()
	tm, err := parseTableMap(unhex(t, raw), 6)
	if err != nil {
		t.Fatal(err)
	}
	return tm
}

// seedMap returns the logged table map of a table.
func seedMap(t testing.TB, table string, mariadb bool) *replication.TableMapEvent {
	t.Helper()
	for _, s := range fuzzSeeds {
		if tm := realMap(t, s.tableMap); s.mariadb == mariadb && string(tm.Table) == table {
			return tm
		}
	}
	t.Fatalf("no seed of table %s", table)
	return nil
}

// bare removes what binlog_row_metadata=MINIMAL leaves out; all of it, if
// nothing is logged.
func bare(tm *replication.TableMapEvent, nothing bool) *replication.TableMapEvent {
	c := *tm
	c.ColumnName, c.PrimaryKey, c.PrimaryKeyPrefix, c.EnumStrValue, c.SetStrValue, c.VisibilityBitmap = nil, nil, nil, nil, nil, nil
	c.EnumSetDefaultCharset, c.EnumSetColumnCharset = nil, nil
	if nothing {
		c.SignednessBitmap, c.DefaultCharset, c.ColumnCharset, c.GeometryType = nil, nil, nil, nil
	}
	return &c
}

// TestCharsetsBesideVectors: MySQL counts vectors among the columns that have a
// collation, and geometries not.
func TestCharsetsBesideVectors(t *testing.T) {
	shape, err := shapeFromMap(realMap(t, vectorMap), nil, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, c := range shape.Columns {
		got = append(got, c.Name+":"+c.Type.Kind.String()+":"+c.Type.Charset)
	}
	if s := strings.Join(got, " "); s != "a:text:latin1 v:vector: b:text:latin2 g:geometry: c:text:latin5" {
		t.Error(s)
	}
}

func TestShapeFromFullMap(t *testing.T) {
	tm := seedMap(t, "gen", false)
	shape, err := shapeFromMap(tm, nil, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Equal(shape.PrimaryKey, []int{0}) || shape.Columns[0].Nullable || !shape.Columns[4].Invisible || shape.Columns[3].Invisible || shape.ConstraintsKnown {
		t.Errorf("%+v", shape)
	}
	// What no map tells comes from known, by name; then known is the shape.
	known := *shape
	known.Columns = slices.Clone(shape.Columns)
	known.Columns[2].Generated = schema.Virtual
	known.Columns[0].AutoIncrement = true
	known.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
	known.ConstraintsKnown = true
	if again, err := shapeFromMap(tm, &known, mysql97); err != nil || again != &known {
		t.Errorf("known again: %v", err)
	}
	// Known of another time: names that are still there keep what is known.
	old := known
	old.Columns = slices.Insert(slices.Clone(known.Columns), 0, schema.Column{Name: "gone", Type: schema.Type{Kind: schema.Date}})
	old.Columns[2].Type = schema.Type{Kind: schema.Date} // a, which is an int now
	old.PrimaryKey, old.Uniques = []int{1}, []schema.Index{{Name: "u", Columns: []int{2}}, {Name: "w", Columns: []int{0}}}
	got, err := shapeFromMap(tm, &old, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	if got.Columns[1].Type.Kind != schema.Int || got.Columns[2].Generated != schema.Virtual || !got.Columns[0].AutoIncrement ||
		len(got.Uniques) != 1 || got.Uniques[0].Columns[0] != 1 || got.ConstraintsKnown {
		t.Errorf("%+v", got)
	}
}

func TestShapeFromBareMap(t *testing.T) {
	full := seedMap(t, "num", false)
	known, err := shapeFromMap(full, nil, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	change := func(f func(*schema.Table)) *schema.Table {
		c := *known
		c.Columns = slices.Clone(known.Columns)
		f(&c)
		return &c
	}
	for _, tc := range []struct {
		name    string
		nothing bool
		known   *schema.Table
		want    rowferry.Code
		mention string
	}{
		{name: "known", known: known},
		{name: "known, and nothing logged", known: known, nothing: true},
		{name: "unknown", want: rowferry.CodeShapeUnknown, mention: "decimal(5,2)"},
		{name: "a column less", known: change(func(t *schema.Table) { t.Columns = t.Columns[1:] }), want: rowferry.CodeShapeMismatch, mention: "12 columns"},
		{name: "another width", known: change(func(t *schema.Table) { t.Columns[3].Type.Bits = 64 }), want: rowferry.CodeShapeMismatch, mention: "column: d"},
		{name: "another sign", known: change(func(t *schema.Table) { t.Columns[3].Type.Unsigned = true }), want: rowferry.CodeShapeMismatch, mention: "column: d"},
		{name: "another scale", known: change(func(t *schema.Table) { t.Columns[4].Type.Scale = 1 }), want: rowferry.CodeShapeMismatch, mention: "decimal(5,2)"},
		{name: "another number of bits", known: change(func(t *schema.Table) { t.Columns[2].Type.Length = 4 }), want: rowferry.CodeShapeMismatch, mention: "bit(3)"},
		{name: "another kind", known: change(func(t *schema.Table) { t.Columns[0].Type = schema.Type{Kind: schema.Date} }), want: rowferry.CodeShapeMismatch, mention: "year"},
	} {
		t.Run(tc.name, func(t *testing.T) {
			got, err := shapeFromMap(bare(full, tc.nothing), tc.known, mysql97)
			if rowferry.CodeOf(err) != tc.want || tc.want == "" && got != tc.known {
				t.Errorf("got %p (known %p), %v", got, tc.known, err)
			}
			if tc.mention != "" && !strings.Contains(err.Error(), tc.mention) {
				t.Errorf("%v does not mention %q", err, tc.mention)
			}
		})
	}
}

// TestAmbiguousBinary: 16 and 4 bytes of MariaDB are not told apart without
// known; those of other lengths, other servers and earlier versions are.
func TestAmbiguousBinary(t *testing.T) {
	full := &replication.TableMapEvent{
		Schema: []byte("s"), Table: []byte("t"), ColumnCount: 1, ColumnType: []byte{wireString}, NullBitmap: []byte{1},
		ColumnName: [][]byte{[]byte("b")}, DefaultCharset: []uint64{collationBinary},
	}
	for _, tc := range []struct {
		version string
		length  uint16
		want    rowferry.Code
	}{
		{"10.11.19-MariaDB", 16, rowferry.CodeTypeRefused}, {"10.11.19-MariaDB", 4, rowferry.CodeTypeRefused}, {"10.11.19-MariaDB", 15, ""},
		{"10.5.1-MariaDB", 16, rowferry.CodeTypeRefused}, {"10.5.1-MariaDB", 4, ""}, {"10.4.1-MariaDB", 16, ""}, {"MariaDB", 4, rowferry.CodeTypeRefused},
		{"9.7.4", 16, ""}, {"9.7.4", 4, ""},
	} {
		full.ColumnMeta = []uint16{0xfe00 | tc.length}
		shape, err := shapeFromMap(full, nil, parseServer(tc.version))
		if rowferry.CodeOf(err) != tc.want || err == nil && (shape.Columns[0].Type.Kind != schema.Binary || shape.Columns[0].Type.Length != int(tc.length)) {
			t.Errorf("%s, %d bytes: %v", tc.version, tc.length, err)
		}
	}
}

// TestDamagedTableMap: every cut, and lists that do not fit the columns.
func TestDamagedTableMap(t *testing.T) {
	raw := unhex(t, vectorMap)
	for cut := range len(raw) - 1 {
		tm, err := parseTableMap(raw[:cut], 6)
		if err == nil {
			// Fields at the end may be missing without harm, not in part.
			_, err = wireColumns(tm, mysql97)
		}
		if err != nil && rowferry.CodeOf(err) != rowferry.CodeCorruptLog {
			t.Errorf("cut to %d: %v", cut, err)
		}
		if err == nil && cut < 28 { // of bytes, before the optional fields
			t.Errorf("cut to %d bytes: no error", cut)
		}
	}
	for name, damage := range map[string]func(*replication.TableMapEvent){
		"names":        func(tm *replication.TableMapEvent) { tm.ColumnName = tm.ColumnName[1:] },
		"charset of":   func(tm *replication.TableMapEvent) { tm.DefaultCharset = []uint64{45, 9, 8} },
		"odd charsets": func(tm *replication.TableMapEvent) { tm.DefaultCharset = []uint64{45, 0} },
		"charsets":     func(tm *replication.TableMapEvent) { tm.DefaultCharset, tm.ColumnCharset = nil, []uint64{45} },
		"key":          func(tm *replication.TableMapEvent) { tm.PrimaryKey = []uint64{5} },
		"null bitmap":  func(tm *replication.TableMapEvent) { tm.NullBitmap = nil },
		"types":        func(tm *replication.TableMapEvent) { tm.ColumnType = tm.ColumnType[1:] },
		"same names":   func(tm *replication.TableMapEvent) { tm.ColumnName[0] = tm.ColumnName[1] },
		"bad name":     func(tm *replication.TableMapEvent) { tm.ColumnName[0] = []byte{0xff} },
		"table name":   func(tm *replication.TableMapEvent) { tm.Table = []byte{0xff} },
	} {
		tm := realMap(t, vectorMap)
		damage(tm)
		if _, err := shapeFromMap(tm, nil, mysql97); rowferry.CodeOf(err) != rowferry.CodeCorruptLog {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestRowsThatDoNotFit: events whose header is not that of the table map.
func TestRowsThatDoNotFit(t *testing.T) {
	d, hdr, rows := benchTable(t)
	for name, damage := range map[string]func(*replication.RowsEvent){
		"columns":    func(e *replication.RowsEvent) { e.ColumnCount = 7 },
		"bitmap":     func(e *replication.RowsEvent) { e.ColumnBitmap1 = nil },
		"too long":   func(e *replication.RowsEvent) { e.ColumnBitmap1 = []byte{0xff, 0xff} },
		"a row less": func(e *replication.RowsEvent) { e.ColumnBitmap1 = []byte{0x7f} },
	} {
		e := *hdr
		damage(&e)
		if changes, err := d.decode(nil, &e, rows); rowferry.CodeOf(err) != rowferry.CodeCorruptLog || len(changes) != 0 {
			t.Errorf("%s: %d changes, %v", name, len(changes), err)
		}
	}
	// An error leaves what was there before, and the decoder usable.
	kept, err := d.decode(make([]rowferry.Change, 3), hdr, rows[:len(rows)-1])
	if len(kept) != 3 || rowferry.CodeOf(err) != rowferry.CodeCorruptLog {
		t.Errorf("%d changes, %v", len(kept), err)
	}
	if changes, err := d.decode(nil, hdr, rows); err != nil || len(changes) != 100 {
		t.Errorf("after an error: %d changes, %v", len(changes), err)
	}
}

// TestTooMuch: a small event that claims to hold a great many values.
func TestTooMuch(t *testing.T) {
	n := 4000
	tm := &replication.TableMapEvent{
		Schema: []byte("s"), Table: []byte("t"), ColumnCount: uint64(n), ColumnType: slices.Repeat([]byte{wireTiny}, n),
		ColumnMeta: make([]uint16, n), NullBitmap: make([]byte, n/8),
	}
	shape := &schema.Table{Name: schema.Name{Table: "t"}}
	for range n {
		shape.Columns = append(shape.Columns, schema.Column{Type: schema.Type{Kind: schema.Int, Bits: 8}})
	}
	d, err := newRowDecoder(tm, shape, mysql97)
	if err != nil {
		t.Fatal(err)
	}
	hdr := emptyRowsEvent(t, replication.WRITE_ROWS_EVENTv2)
	hdr.ColumnCount, hdr.ColumnBitmap1 = uint64(n), append([]byte{1}, make([]byte, n/8-1)...)
	if _, err := d.decode(nil, hdr, slices.Repeat([]byte{1}, 1000)); rowferry.CodeOf(err) != rowferry.CodeEventTooLarge {
		t.Errorf("%v", err)
	}
}
