package checkpoint

import (
	"encoding/binary"
	"errors"
	"math"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// A change is encoded as
//
//	flags   1 byte: the operation in bits 0 to 3, then Before, After, ChecksOff, ChecksLate
//	table   uvarint: 0 is none, n is the n-th table of the spool
//	rows    Before, then After, each only when its flag is set:
//	        uvarint number of values, then each value as its kind in 1 byte and
//	        Int: varint · Uint: uvarint · Float: 8 bytes little endian ·
//	        Text, Bytes: uvarint length, bytes · Absent, Null: nothing
const (
	opMask         = 0x0f
	flagBefore     = 0x10
	flagAfter      = 0x20
	flagChecksOff  = 0x40
	flagChecksLate = 0x80
)

func appendChange(b []byte, c *rowferry.Change, table uint64) []byte {
	flags := byte(c.Op) & opMask
	if c.Before != nil {
		flags |= flagBefore
	}
	if c.After != nil {
		flags |= flagAfter
	}
	if c.ChecksOff {
		flags |= flagChecksOff
	}
	if c.ChecksLate {
		flags |= flagChecksLate
	}
	b = append(b, flags)
	b = binary.AppendUvarint(b, table)
	if c.Before != nil {
		b = appendRow(b, c.Before)
	}
	if c.After != nil {
		b = appendRow(b, c.After)
	}
	return b
}

func appendRow(b []byte, r rowferry.Row) []byte {
	b = binary.AppendUvarint(b, uint64(len(r)))
	for i := range r {
		v := &r[i]
		k := v.Kind()
		b = append(b, byte(k))
		switch k {
		case rowferry.Absent, rowferry.Null:
		case rowferry.Int:
			b = binary.AppendVarint(b, v.Int())
		case rowferry.Uint:
			b = binary.AppendUvarint(b, v.Uint())
		case rowferry.Float:
			b = binary.LittleEndian.AppendUint64(b, math.Float64bits(v.Float()))
		case rowferry.Text, rowferry.Bytes:
			s := v.Str()
			b = binary.AppendUvarint(b, uint64(len(s)))
			b = append(b, s...)
		default:
			// Kind is a closed set of the root package; a new one must be taught here.
			panic("checkpoint: value of unknown kind")
		}
	}
	return b
}

var errMalformed = errors.New("malformed change")

// decoder reads one change from s. Text and bytes are cut out of s, so a
// change costs no allocation beyond s and its share of a slab of values.
type decoder struct {
	s      string
	tables []*schema.Table
	slab   *[]rowferry.Value
	bad    bool
}

// slabValues is how many values are allocated at once. A row that someone
// keeps pins its slab, 128 KiB, and what its values are.
const slabValues = 4096

// decodeChange reads the change that fills s exactly.
func decodeChange(s string, tables []*schema.Table, slab *[]rowferry.Value) (rowferry.Change, error) {
	d := decoder{s: s, tables: tables, slab: slab}
	flags := d.byte()
	c := rowferry.Change{Op: rowferry.Op(flags & opMask), ChecksOff: flags&flagChecksOff != 0, ChecksLate: flags&flagChecksLate != 0}
	if c.Op < rowferry.Insert || c.Op > rowferry.Drop {
		d.bad = true
	}
	if n := d.uvarint(); n > uint64(len(tables)) {
		d.bad = true
	} else if n > 0 {
		c.Table = tables[n-1]
	}
	if flags&flagBefore != 0 {
		c.Before = d.row()
	}
	if flags&flagAfter != 0 {
		c.After = d.row()
	}
	if d.bad || d.s != "" {
		return rowferry.Change{}, errMalformed
	}
	return c, nil
}

func (d *decoder) byte() byte {
	if d.s == "" {
		d.bad = true
		return 0
	}
	b := d.s[0]
	d.s = d.s[1:]
	return b
}

func (d *decoder) uvarint() uint64 {
	var v uint64
	for i := 0; i < len(d.s) && i < binary.MaxVarintLen64; i++ {
		b := d.s[i]
		if b < 0x80 {
			if i == binary.MaxVarintLen64-1 && b > 1 {
				break
			}
			d.s = d.s[i+1:]
			return v | uint64(b)<<(7*i)
		}
		v |= uint64(b&0x7f) << (7 * i)
	}
	d.bad = true
	d.s = ""
	return 0
}

// text cuts the next n bytes off.
func (d *decoder) text(n uint64) string {
	if n > uint64(len(d.s)) {
		d.bad = true
		d.s = ""
		return ""
	}
	t := d.s[:n]
	d.s = d.s[n:]
	return t
}

func (d *decoder) row() rowferry.Row {
	n := d.uvarint()
	if n > uint64(len(d.s)) { // a value takes at least one byte
		d.bad = true
		return nil
	}
	r := d.values(int(n))
	for i := range r {
		switch k := rowferry.ValueKind(d.byte()); k {
		case rowferry.Absent:
		case rowferry.Null:
			r[i] = rowferry.NullValue()
		case rowferry.Int:
			u := d.uvarint()
			r[i] = rowferry.IntValue(int64(u>>1) ^ -int64(u&1))
		case rowferry.Uint:
			r[i] = rowferry.UintValue(d.uvarint())
		case rowferry.Float:
			r[i] = rowferry.FloatValue(d.float())
		case rowferry.Text:
			r[i] = rowferry.TextValue(d.text(d.uvarint()))
		case rowferry.Bytes:
			r[i] = rowferry.BytesValue(d.text(d.uvarint()))
		default:
			d.bad = true
		}
		if d.bad {
			return nil
		}
	}
	return r
}

func (d *decoder) float() float64 {
	t := d.text(8)
	if d.bad {
		return 0
	}
	var u uint64
	for i := range 8 {
		u |= uint64(t[i]) << (8 * i)
	}
	return math.Float64frombits(u)
}

// values returns n zero values from the slab, never nil.
func (d *decoder) values(n int) rowferry.Row {
	if n > slabValues/8 {
		return make(rowferry.Row, n)
	}
	if len(*d.slab) < n || *d.slab == nil {
		*d.slab = make([]rowferry.Value, slabValues)
	}
	r := (*d.slab)[:n:n]
	*d.slab = (*d.slab)[n:]
	return r
}
