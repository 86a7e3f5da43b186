package mysql

import (
	"bytes"
	"math/bits"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// rowDecoder decodes the rows events of one table map with one shape. It may
// be kept for as long as the content of the table map and the shape are the
// same. Not safe for concurrent use.
type rowDecoder struct {
	shape  *schema.Table
	fields []field
	copies bool // some values are parts of the event as it is
	// generatedAbsent: the server leaves generated columns out of updates.
	generatedAbsent bool

	memory *arena

	// Of the event at hand.
	rows   []byte
	text   string // rows, as a string that values share; empty unless copies
	made   []byte // text of one value that is made here
	budget int    // bytes that may still be made
	// Of the old image of the update at hand: where each field's bytes lie.
	from, to []int
}

// An event's values may take this much for itself and this much for each of
// its bytes. Servers cut events at 8 KiB (binlog_row_event_max_size) unless a
// row alone is longer, so that only a forged event comes near.
const (
	budgetBase    = 64 << 20
	budgetPerByte = 16
)

// newRowDecoder compiles a decoder. It fails with CodeTypeRefused, naming the
// column, where values of a type cannot be carried.
func newRowDecoder(tm *replication.TableMapEvent, shape *schema.Table, srv server) (*rowDecoder, error) {
	cols, err := wireColumns(tm, srv)
	if err != nil {
		return nil, err
	}
	if extra := len(cols) - len(shape.Columns); extra < 0 || extra > hiddenColumns(cols, shape, srv) {
		return nil, rowferry.Errorf(rowferry.CodeShapeMismatch, "the shape of table %s does not fit its rows", shape.Name).
			Fact("known", "%d columns", len(shape.Columns)).Fact("logged", "%d columns", len(cols))
	}
	d := &rowDecoder{shape: shape, fields: make([]field, len(cols)), from: make([]int, len(cols)), to: make([]int, len(cols)), memory: &arena{}, generatedAbsent: srv.mariadb && srv.since(11, 0)}
	b := &shapeBuilder{name: shape.Name, srv: srv}
	for i := range cols {
		if i >= len(shape.Columns) {
			d.fields[i] = field{op: opUint, width: 8, skip: true}
			continue
		}
		c := &shape.Columns[i]
		_, p := columnType(&cols[i], &c.Type, srv)
		if p.kind == fits {
			d.fields[i], p = newField(&cols[i], c.Type)
		}
		if gap, err := b.judge(&cols[i], c.Name, c.Type, p); err != nil {
			return nil, err
		} else if gap != "" {
			return nil, b.incomplete([]string{c.Name + " (" + gap + ")"})
		}
		d.fields[i].name = c.Name
		d.copies = d.copies || d.fields[i].copies()
	}
	return d, nil
}

// decode appends the changes of one rows event to dst. hdr is the event with
// its header parsed; rows is what follows the header, decompressed. Columns
// that an image lacks are Absent, not Null. Values share memory with each
// other but not with rows.
//
// Damaged bytes are CodeCorruptLog, a partial JSON update CodePartialJSON, an
// image without any column CodeAbsentColumn, text that is not valid in its
// character set CodeBadText; dst is then returned without any of the event's
// changes.
func (d *rowDecoder) decode(dst []rowferry.Change, hdr *replication.RowsEvent, rows []byte) ([]rowferry.Change, error) {
	op, err := d.check(hdr)
	if err != nil {
		return dst, err
	}
	d.rows, d.budget = rows, budgetBase+budgetPerByte*len(rows)
	if d.copies {
		d.text = d.memory.copied(rows)
	}
	defer d.release()
	off := hdr.Flags&(flagNoForeignKeyChecks|flagNoUniqueChecks) != 0 || op == rowferry.Delete && replaces(hdr.Flags)
	was := len(dst)
	for pos := 0; pos < len(rows); {
		c := rowferry.Change{Op: op, Table: d.shape, ChecksOff: off}
		var first rowferry.Row
		if first, pos, err = d.image(hdr.ColumnBitmap1, pos, nil); err != nil {
			return dst[:was], err
		}
		switch op {
		case rowferry.Insert:
			c.After = first
		case rowferry.Delete:
			c.Before = first
		default:
			c.Before = first
			if c.After, pos, err = d.image(hdr.ColumnBitmap2, pos, first); err != nil {
				return dst[:was], err
			}
		}
		dst = append(dst, c)
	}
	return dst, nil
}

// Flags of a rows event (Rows_event::enum_flag).
const (
	flagStatementEnd       = 1 << 0
	flagNoForeignKeyChecks = 1 << 1
	flagNoUniqueChecks     = 1 << 2
)

// check looks whether the event is one that this decoder can read.
func (d *rowDecoder) check(hdr *replication.RowsEvent) (rowferry.Op, error) {
	var op rowferry.Op
	switch hdr.Type() {
	case replication.EnumRowsEventTypeInsert:
		op = rowferry.Insert
	case replication.EnumRowsEventTypeUpdate:
		op = rowferry.Update
	case replication.EnumRowsEventTypeDelete:
		op = rowferry.Delete
	default: // the only other kind that the library makes a RowsEvent of
		return 0, rowferry.Errorf(rowferry.CodePartialJSON, "the log has a partial JSON update of table %s", d.shape.Name).
			Fact("table", "%s", d.shape.Name).
			Remedy("log whole values", "SET GLOBAL binlog_row_value_options='' on the source")
	}
	if hdr.Version == 0 {
		return 0, rowferry.Errorf(rowferry.CodeUnknownEvent, "the log has rows in the format of a 5.1 preview").
			Fact("table", "%s", d.shape.Name)
	}
	n := len(d.fields)
	width := (n + 7) / 8
	if hdr.ColumnCount != uint64(n) || len(hdr.ColumnBitmap1) != width || op == rowferry.Update && len(hdr.ColumnBitmap2) != width {
		return 0, corrupt("a rows event of table %s does not fit its table map", d.shape.Name)
	}
	if !anyBit(hdr.ColumnBitmap1, n) {
		return 0, rowferry.Errorf(rowferry.CodeAbsentColumn, "the log has a row of table %s without any of its values", d.shape.Name).
			Fact("table", "%s", d.shape.Name).
			Remedy("log whole rows", "SET GLOBAL binlog_row_image=FULL on the source")
	}
	if op == rowferry.Update {
		return op, d.checkGenerated(hdr.ColumnBitmap1)
	}
	return op, nil
}

// checkGenerated refuses what may be an update without its generated columns,
// as MariaDB logs them from version 11 on, of a table whose generated columns
// are not known: the target's would stay as they were. A whole image lacks
// nothing, a minimal one has the key alone, and one without blobs lacks blobs
// alone; this one lacks others.
func (d *rowDecoder) checkGenerated(present []byte) error {
	if !d.generatedAbsent || d.shape.ConstraintsKnown {
		return nil
	}
	beyondKey, lacks := false, ""
	for o, c := range d.shape.Columns {
		switch here := present[o/8]&(1<<(o%8)) != 0; {
		case here && !slices.Contains(d.shape.PrimaryKey, o):
			beyondKey = true
		case !here && c.Type.Kind != schema.Text && c.Type.Kind != schema.Blob && c.Type.Kind != schema.JSON:
			lacks = c.Name
		}
	}
	if !beyondKey || lacks == "" {
		return nil
	}
	return rowferry.Errorf(rowferry.CodeShapeUnknown, "it is not known which columns of table %s are generated, and the log leaves some out of updates", d.shape.Name).
		Fact("table", "%s", d.shape.Name).Fact("column", "%s", lacks).
		Remedy("tell the shape", "give --schema a dump of the table's definition as of the start of the log")
}

func anyBit(bitmap []byte, n int) bool {
	for i := range n {
		if bitmap[i/8]&(1<<(i%8)) != 0 {
			return true
		}
	}
	return false
}

// image decodes one row image at pos and returns the position after it. What has
// the same bytes as in the image before it, that of the same row, gets the value
// it has there: most of a wide row does not change.
func (d *rowDecoder) image(present []byte, pos int, old rowferry.Row) (rowferry.Row, int, error) {
	count := 0
	for i, b := range present {
		if rest := len(d.fields) - 8*i; rest < 8 {
			b &= 1<<rest - 1
		}
		count += bits.OnesCount8(b)
	}
	nulls := pos
	pos += (count + 7) / 8
	if pos > len(d.rows) {
		return nil, 0, d.damaged(&d.fields[0])
	}
	if err := d.spend(len(d.shape.Columns) * valueSize); err != nil {
		return nil, 0, err
	}
	row := d.memory.row(len(d.shape.Columns))
	var err error
	seen := 0
	for i := range d.fields {
		if present[i/8]&(1<<(i%8)) == 0 {
			continue
		}
		null := d.rows[nulls+seen/8]&(1<<(seen%8)) != 0
		seen++
		f := &d.fields[i]
		if f.skip {
			if !null {
				pos += f.width
			}
			continue
		}
		if null {
			row[i] = rowferry.NullValue()
			continue
		}
		if old != nil && !old[i].IsAbsent() && !old[i].IsNull() && d.same(i, pos) {
			row[i] = old[i]
			pos += d.to[i] - d.from[i]
			continue
		}
		if old == nil {
			d.from[i] = pos
		}
		if pos, err = d.value(f, &row[i], pos); err != nil {
			return nil, 0, err
		}
		if old == nil {
			d.to[i] = pos
		}
	}
	if pos > len(d.rows) {
		return nil, 0, d.damaged(&d.fields[len(d.fields)-1])
	}
	return row, pos, nil
}

// same reports whether the field has the bytes at pos that it had in the old
// image: with its length before them, if it has one, they are the same value.
func (d *rowDecoder) same(i, pos int) bool {
	was := d.rows[d.from[i]:d.to[i]]
	return len(d.rows)-pos >= len(was) && bytes.Equal(was, d.rows[pos:pos+len(was)])
}

// spend takes bytes from the event's budget.
func (d *rowDecoder) spend(n int) error {
	if n > d.budget {
		return rowferry.Errorf(rowferry.CodeEventTooLarge, "an event of table %s holds more than its size allows", d.shape.Name).
			Fact("table", "%s", d.shape.Name).Fact("event", "%d bytes", len(d.rows))
	}
	d.budget -= n
	return nil
}

// release lets go of the event. A buffer of ordinary size is kept.
func (d *rowDecoder) release() {
	d.rows, d.text = nil, ""
	if cap(d.made) > 64<<10 {
		d.made = nil
	}
}

// damaged is the error for a value that ends beyond the event, or cannot be.
func (d *rowDecoder) damaged(f *field) error {
	return corrupt("a row of table %s is damaged", d.shape.Name).Fact("table", "%s", d.shape.Name).Fact("column", "%s", f.name)
}
