package mysql

import (
	"bytes"
	"compress/flate"
	"compress/zlib"
	"errors"
	"io"
	"net/netip"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
)

// varying decodes the value at rows[start:end], which its length preceded.
func (d *rowDecoder) varying(f *field, v *rowferry.Value, start, end int) error {
	b := d.rows[start:end]
	switch f.op {
	case opText:
		return d.charText(f, v, start, end)
	case opBytes:
		*v = rowferry.BytesValue(d.text[start:end])
		return nil
	case opPadded, opUUID, opInet4, opInet6:
		if len(b) > f.width {
			return d.damaged(f)
		}
		return d.padded(f, v, d.text[start:end])
	case opPacked:
		return d.packed(f, v, b)
	case opJSON:
		made, ok := appendJSON(d.made[:0], b)
		return d.keep(f, v, made, ok)
	default:
		return rowferry.Errorf(rowferry.CodeInternal, "column %s of table %s has no decoder", f.name, d.shape.Name)
	}
}

// charText carries text of the column's character set.
func (d *rowDecoder) charText(f *field, v *rowferry.Value, start, end int) error {
	if s := d.text[start:end]; f.cs.verbatim(s) {
		*v = rowferry.TextValue(s)
		return nil
	}
	made, bad := f.cs.appendUTF8(d.made[:0], d.rows[start:end])
	if bad >= 0 {
		return d.badText(f, d.text[start:end], bad)
	}
	return d.keep(f, v, made, true)
}

// badText is the error for text that has no meaning in its character set, or
// none in Unicode. Carrying it would mean to change it.
func (d *rowDecoder) badText(f *field, s string, at int) error {
	return rowferry.Errorf(rowferry.CodeBadText, "a value of table %s is not valid %s text", d.shape.Name, f.cs.name).
		Fact("table", "%s", d.shape.Name).Fact("column", "%s", f.name).
		Fact("bytes", "0x%X at offset %d of %d", s[at:min(at+4, len(s))], at, len(s)).
		Remedy("find such rows", "SELECT ... WHERE `%s` <> CONVERT(CONVERT(`%s` USING binary) USING %s) on the source", f.name, f.name, f.cs.name).
		Remedy("leave it out", "take the table out of 'tables'")
}

// padded carries a value of fixed length, of which the log leaves out zeros at
// the end.
func (d *rowDecoder) padded(f *field, v *rowferry.Value, s string) error {
	if f.op == opPadded && len(s) == f.width {
		*v = rowferry.BytesValue(s)
		return nil
	}
	var full [16]byte // an address or UUID; the field's width is not above it
	copy(full[:], s)
	made := d.made[:0]
	switch f.op {
	case opPadded: // a damaged table map may claim more than the 255 of BINARY
		made = append(made, s...)
		made = append(made, make([]byte, f.width-len(s))...)
		return d.keepBytes(f, v, made)
	case opUUID:
		made = appendUUID(made, full)
	case opInet4:
		made = netip.AddrFrom4([4]byte(full[:4])).AppendTo(made)
	default:
		made = mysql.AppendInet6(made, full)
	}
	return d.keep(f, v, made, true)
}

// appendUUID appends a UUID as MariaDB prints it. Its own storage swaps the
// parts of some versions; the log has all of them in the order of the text.
func appendUUID(dst []byte, b [16]byte) []byte {
	const digits = "0123456789abcdef"
	var text [36]byte
	at := 0
	for i, c := range b {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			text[at] = '-'
			at++
		}
		text[at], text[at+1] = digits[c>>4], digits[c&15]
		at += 2
	}
	return append(dst, text[:]...)
}

// packed carries a value of a column that MariaDB compresses (COMPRESSED): a
// byte of which the high half is the method, 8 for zlib and 0 for none, bit 3
// says that zlib's own frame is left out, and the low three bits are the width
// of the length that follows, big-endian. An empty value has no bytes at all.
func (d *rowDecoder) packed(f *field, v *rowferry.Value, b []byte) error {
	made := d.made[:0]
	switch {
	case len(b) == 0:
	case b[0]>>4 == 0:
		made = append(made, b[1:]...)
	case b[0]>>4 == 8:
		width := int(b[0] & 7)
		if width < 1 || width > 4 || len(b) < 1+width {
			return d.damaged(f)
		}
		size := big(b[1 : 1+width])
		if size > uint64(d.budget) {
			return d.spend(int(size))
		}
		var err error
		if made, err = inflate(made, b[1+width:], int(size), b[0]&8 != 0); err != nil {
			return d.damaged(f)
		}
	default:
		return rowferry.Errorf(rowferry.CodeTypeRefused, "table %s has a column compressed in an unknown way", d.shape.Name).
			Fact("column", "%s", f.name).Fact("method", "%d", b[0]>>4)
	}
	if f.cs == nil {
		return d.keepBytes(f, v, made)
	}
	plain := string(made)
	if f.cs.verbatim(plain) {
		return d.keep(f, v, made, true)
	}
	made, bad := f.cs.appendUTF8(made[:0], []byte(plain))
	if bad >= 0 {
		return d.badText(f, plain, bad)
	}
	return d.keep(f, v, made, true)
}

var errInflated = errors.New("compressed data is not as long as it says")

// inflate appends exactly size bytes inflated from b, raw or in zlib's frame.
// It never takes much more memory than it has inflated.
func inflate(dst, b []byte, size int, raw bool) ([]byte, error) {
	var r io.ReadCloser
	if raw {
		r = flate.NewReader(bytes.NewReader(b))
	} else {
		var err error
		if r, err = zlib.NewReader(bytes.NewReader(b)); err != nil {
			return dst, err
		}
	}
	buf := bytes.NewBuffer(dst)
	n, err := io.Copy(buf, io.LimitReader(r, int64(size)+1))
	if err == nil && n != int64(size) {
		err = errInflated
	}
	if err != nil {
		return dst, err
	}
	return buf.Bytes(), r.Close()
}

// inflateRows returns the rows of one of MariaDB's compressed rows events
// (log_bin_compress) from what follows its header: a byte 0x80 with the method,
// 0 for zlib, in bits 4 to 6 and the width of the length in the low three, the
// length, big-endian, and zlib's stream. Rows longer than limit are
// CodeEventTooLarge.
func inflateRows(b []byte, limit int) ([]byte, error) {
	if len(b) == 0 || b[0]&0x80 == 0 {
		return nil, corrupt("a compressed rows event is damaged")
	}
	width := int(b[0] & 7)
	if method := b[0] >> 4 & 7; method != 0 {
		return nil, rowferry.Errorf(rowferry.CodeUnknownEvent, "a rows event is compressed in an unknown way").Fact("method", "%d", method)
	}
	if width < 1 || width > 4 || len(b) < 1+width {
		return nil, corrupt("a compressed rows event is damaged")
	}
	size := big(b[1 : 1+width])
	if size > uint64(limit) {
		return nil, rowferry.Errorf(rowferry.CodeEventTooLarge, "a compressed rows event is larger than can be held").
			Fact("inflated", "%d bytes", size).Fact("limit", "%d bytes", limit)
	}
	rows, err := inflate(nil, b[1+width:], int(size), false)
	if err != nil {
		return nil, corrupt("a compressed rows event cannot be inflated: %w", err)
	}
	return rows, nil
}
