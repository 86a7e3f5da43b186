package mysql

import (
	"encoding/binary"
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"
)

// maxColumns is the most columns a table of either server can have.
const maxColumns = 4096

// parseTableMap reads a table map event from its body: what follows the event
// header, without the checksum. tableIDSize is 6, or 4 in logs of servers
// before 5.1.4.
//
// It stands in for the library's own TableMapEvent.Decode, which trusts every
// length it reads and does not know the metadata of MariaDB's compressed
// columns, so that it misreads every column after one. The result holds body
// by reference and only its exported fields are set.
func parseTableMap(body []byte, tableIDSize int) (*replication.TableMapEvent, error) {
	r := &byteReader{b: body}
	tm := &replication.TableMapEvent{}
	tm.TableID = r.little(tableIDSize)
	tm.Flags = uint16(r.little(2))
	tm.Schema = r.bytes(int(r.little(1)))
	r.bytes(1) // NUL
	tm.Table = r.bytes(int(r.little(1)))
	r.bytes(1) // NUL
	tm.ColumnCount = r.lenenc()
	if r.short || tm.ColumnCount == 0 || tm.ColumnCount > maxColumns {
		return nil, corrupt("a table map event is damaged")
	}
	n := int(tm.ColumnCount)
	tm.ColumnType = r.bytes(n)
	meta := &byteReader{b: r.bytes(r.length())}
	tm.NullBitmap = r.bytes((n + 7) / 8)
	if r.short {
		return nil, corrupt("the table map of %s.%s ends too early", tm.Schema, tm.Table)
	}
	tm.ColumnMeta = make([]uint16, n)
	for i, code := range tm.ColumnType {
		tm.ColumnMeta[i] = meta.columnMeta(code)
	}
	if meta.short || len(meta.b) > 0 {
		return nil, corrupt("the column metadata of %s.%s does not fit its columns", tm.Schema, tm.Table)
	}
	if !r.optional(tm) {
		return nil, corrupt("the optional metadata of %s.%s is damaged", tm.Schema, tm.Table)
	}
	return tm, nil
}

// columnMeta reads what a type has in the metadata block, in the library's
// form: types told by two bytes of which the first is a type or a precision
// have it in the high byte.
func (r *byteReader) columnMeta(code byte) uint16 {
	switch code {
	case wireString, wireDecimal, wireEnum, wireSet:
		b := r.bytes(2)
		if len(b) < 2 {
			return 0
		}
		return binary.BigEndian.Uint16(b)
	case wireVarChar, wireVarString, wireBit, wireVarCharZ:
		return uint16(r.little(2))
	case wireBlob, wireBlobZ, wireFloat, wireDouble, wireGeometry, wireVector, wireJSON,
		wireTime2, wireDateTime2, wireTimestamp2:
		return uint16(r.little(1))
	default:
		return 0
	}
}

// optional reads the type-length-value fields at a table map's end
// (Table_map_event::Optional_metadata_field_type). Fields it does not know add
// facts that were not needed when it was written; they take away none.
func (r *byteReader) optional(tm *replication.TableMapEvent) bool {
	for len(r.b) > 0 && !r.short {
		kind := byte(r.little(1))
		f := &byteReader{b: r.bytes(r.length())}
		if r.short {
			return false
		}
		switch kind {
		case replication.TABLE_MAP_OPT_META_SIGNEDNESS:
			tm.SignednessBitmap = f.rest()
		case replication.TABLE_MAP_OPT_META_DEFAULT_CHARSET:
			tm.DefaultCharset = f.ints()
		case replication.TABLE_MAP_OPT_META_COLUMN_CHARSET:
			tm.ColumnCharset = f.ints()
		case replication.TABLE_MAP_OPT_META_COLUMN_NAME:
			for len(f.b) > 0 && !f.short {
				tm.ColumnName = append(tm.ColumnName, f.bytes(f.length()))
			}
		case replication.TABLE_MAP_OPT_META_SET_STR_VALUE:
			tm.SetStrValue = f.labels()
		case replication.TABLE_MAP_OPT_META_ENUM_STR_VALUE:
			tm.EnumStrValue = f.labels()
		case replication.TABLE_MAP_OPT_META_GEOMETRY_TYPE:
			tm.GeometryType = f.ints()
		case replication.TABLE_MAP_OPT_META_SIMPLE_PRIMARY_KEY:
			tm.PrimaryKey = f.ints()
			tm.PrimaryKeyPrefix = make([]uint64, len(tm.PrimaryKey))
		case replication.TABLE_MAP_OPT_META_PRIMARY_KEY_WITH_PREFIX:
			for len(f.b) > 0 && !f.short {
				tm.PrimaryKey = append(tm.PrimaryKey, f.lenenc())
				tm.PrimaryKeyPrefix = append(tm.PrimaryKeyPrefix, f.lenenc())
			}
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_DEFAULT_CHARSET:
			tm.EnumSetDefaultCharset = f.ints()
		case replication.TABLE_MAP_OPT_META_ENUM_AND_SET_COLUMN_CHARSET:
			tm.EnumSetColumnCharset = f.ints()
		case replication.TABLE_MAP_OPT_META_COLUMN_VISIBILITY:
			tm.VisibilityBitmap = f.rest()
		default:
		}
		if f.short {
			return false
		}
	}
	return !r.short
}

func (r *byteReader) ints() []uint64 {
	var v []uint64
	for len(r.b) > 0 && !r.short {
		v = append(v, r.lenenc())
	}
	return v
}

// labels reads, per column, a count and that many strings.
func (r *byteReader) labels() [][][]byte {
	var all [][][]byte
	for len(r.b) > 0 && !r.short {
		n := r.lenenc()
		if n > uint64(len(r.b)) { // each takes a byte at least
			r.short = true
			return nil
		}
		one := make([][]byte, 0, n)
		for range n {
			one = append(one, r.bytes(r.length()))
		}
		all = append(all, one)
	}
	return all
}

// byteReader takes bytes from the front of b. Once it lacks some it is short
// for good and returns zeros.
type byteReader struct {
	b     []byte
	short bool
}

func (r *byteReader) bytes(n int) []byte {
	if r.short || n < 0 || n > len(r.b) {
		r.short = true
		return nil
	}
	v := r.b[:n:n]
	r.b = r.b[n:]
	return v
}

func (r *byteReader) rest() []byte { return r.bytes(len(r.b)) }

func (r *byteReader) little(n int) uint64 {
	var v uint64
	for i, c := range r.bytes(n) {
		v |= uint64(c) << (8 * i)
	}
	return v
}

// lenenc reads a length-encoded integer.
func (r *byteReader) lenenc() uint64 {
	switch first := r.little(1); first {
	case 0xfb, 0xff: // NULL and error in the protocol, never in a log
		r.short = true
		return 0
	case 0xfc:
		return r.little(2)
	case 0xfd:
		return r.little(3)
	case 0xfe:
		return r.little(8)
	default:
		return first
	}
}

// length reads a length-encoded length of what follows.
func (r *byteReader) length() int {
	n := r.lenenc()
	if n > uint64(len(r.b)) {
		r.short = true
		return 0
	}
	return int(n)
}

// wireColumns returns the columns a table map describes. The event may come
// from foreign bytes: nothing of it is trusted to fit together.
func wireColumns(tm *replication.TableMapEvent, srv server) ([]wireColumn, error) {
	n := len(tm.ColumnType)
	if n == 0 || n > maxColumns || uint64(n) != tm.ColumnCount || len(tm.ColumnMeta) != n || len(tm.NullBitmap) < (n+7)/8 {
		return nil, corrupt("the table map of %s.%s does not fit together", tm.Schema, tm.Table)
	}
	cols := make([]wireColumn, n)
	for i := range cols {
		w := &cols[i]
		if err := w.setType(tm.ColumnType[i], tm.ColumnMeta[i]); err != "" {
			return nil, corrupt("column %d of %s.%s: %s", i+1, tm.Schema, tm.Table, err)
		}
		w.nullable = tm.NullBitmap[i/8]&(1<<(i%8)) != 0
	}
	if len(tm.ColumnName) > 0 {
		if len(tm.ColumnName) != n {
			return nil, corrupt("the table map of %s.%s names %d of %d columns", tm.Schema, tm.Table, len(tm.ColumnName), n)
		}
		for i := range cols {
			cols[i].name = string(tm.ColumnName[i])
		}
	}
	setSigns(cols, tm.SignednessBitmap)
	if v := tm.VisibilityBitmap; len(v) >= (n+7)/8 {
		for i := range cols {
			cols[i].showKnown, cols[i].hidden = true, v[i/8]&(0x80>>(i%8)) == 0
		}
	}
	ok := setCollations(cols, func(w *wireColumn) bool { return w.character(srv) }, tm.DefaultCharset, tm.ColumnCharset) &&
		setCollations(cols, (*wireColumn).labelled, tm.EnumSetDefaultCharset, tm.EnumSetColumnCharset) &&
		setLabels(cols, wireEnum, tm.EnumStrValue) && setLabels(cols, wireSet, tm.SetStrValue)
	if !ok {
		return nil, corrupt("the optional metadata of %s.%s does not fit its columns", tm.Schema, tm.Table)
	}
	return cols, nil
}

// setType reads a type and its metadata. It returns what is wrong with them.
func (w *wireColumn) setType(code byte, meta uint16) string {
	hi, lo := int(meta>>8), int(meta&0xff)
	w.code = code
	switch code {
	case wireString:
		return w.setString(hi, lo)
	case wireVarChar, wireVarString, wireVarCharZ:
		w.length = int(meta)
	case wireBlob, wireBlobZ, wireJSON, wireGeometry, wireVector:
		w.length = int(meta)
		if (meta < 1 || meta > 4) && (code != wireBlobZ || meta != 0) {
			return "a length of impossible width"
		}
	case wireDecimal:
		w.precision, w.scale = hi, lo
		if hi < 1 || hi > 65 || lo > 38 || lo > hi {
			return "an impossible precision"
		}
	case wireBit:
		w.length = hi*8 + lo
		if lo > 7 || w.length < 1 || w.length > 64 {
			return "an impossible number of bits"
		}
	case wireTime2, wireDateTime2, wireTimestamp2:
		w.fsp = int(meta)
		if meta > 6 {
			return "an impossible fraction of a second"
		}
	default:
	}
	return ""
}

// setString reads the metadata of wireString: the real type, and the length of
// which bits 8 and 9 are hidden, inverted, in the type's bits 4 and 5
// (Field_string::do_save_field_metadata).
func (w *wireColumn) setString(hi, lo int) string {
	switch {
	case hi == 0:
		w.length = lo
	case byte(hi) == wireEnum && (lo == 1 || lo == 2), byte(hi) == wireSet && (lo >= 1 && lo <= 4 || lo == 8):
		w.code, w.length = byte(hi), lo
	case byte(hi|0x30) == wireString || byte(hi|0x30) == wireVarString:
		w.length = lo | (hi&0x30^0x30)<<4
	default:
		return "an impossible type of string"
	}
	return ""
}

func setSigns(cols []wireColumn, bitmap []byte) {
	n := 0
	for i := range cols {
		if !cols[i].numeric() {
			continue
		}
		if n/8 < len(bitmap) {
			cols[i].signKnown, cols[i].unsigned = true, bitmap[n/8]&(0x80>>(n%8)) != 0
		}
		n++
	}
}

// setCollations gives the columns that have one their collation: from all, a
// list of one each, or from base, a default followed by (index among those
// columns, collation) pairs. It reports whether the lists fit.
func setCollations(cols []wireColumn, has func(*wireColumn) bool, base, all []uint64) bool {
	if len(base) == 0 && len(all) == 0 {
		return true
	}
	var own []*wireColumn
	for i := range cols {
		if has(&cols[i]) {
			own = append(own, &cols[i])
		}
	}
	if len(base) == 0 {
		for i, w := range own {
			if i >= len(all) {
				return false
			}
			w.collation, w.hasCollation = all[i], true
		}
		return len(all) == len(own)
	}
	for _, w := range own {
		w.collation, w.hasCollation = base[0], true
	}
	for pair := range slices.Chunk(base[1:], 2) {
		if len(pair) < 2 || pair[0] >= uint64(len(own)) {
			return false
		}
		own[pair[0]].collation = pair[1]
	}
	return true
}

func setLabels(cols []wireColumn, code byte, labels [][][]byte) bool {
	if len(labels) == 0 {
		return true
	}
	n := 0
	for i := range cols {
		if cols[i].code != code {
			continue
		}
		if n >= len(labels) {
			return false
		}
		cols[i].labels = labels[n]
		n++
	}
	return n == len(labels)
}
