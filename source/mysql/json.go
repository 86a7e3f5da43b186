package mysql

import (
	"encoding/base64"
	"encoding/binary"
	"math"
	"strconv"
	"unicode/utf8"
)

// The types of values in MySQL's binary JSON (sql-common/json_binary.h).
const (
	jsonSmallObject = 0x00
	jsonLargeObject = 0x01
	jsonSmallArray  = 0x02
	jsonLargeArray  = 0x03
	jsonLiteral     = 0x04
	jsonInt16       = 0x05
	jsonUint16      = 0x06
	jsonInt32       = 0x07
	jsonUint32      = 0x08
	jsonInt64       = 0x09
	jsonUint64      = 0x0a
	jsonDouble      = 0x0b
	jsonString      = 0x0c
	jsonOpaque      = 0x0f
)

// jsonMaxDepth is the deepest nesting MySQL stores.
const jsonMaxDepth = 100

// jsonWriter writes binary JSON as the text that MySQL makes of it (CAST(j AS
// CHAR)): a space after each comma and colon, members in stored order, doubles
// that are told from integers, opaque values in the form of their type.
type jsonWriter struct {
	dst   []byte
	limit int // of len(dst); a document whose parts overlap would have no end
}

// appendJSON appends a JSON value as text. It reports false for bytes that are
// none.
func appendJSON(dst, b []byte) ([]byte, bool) {
	if len(b) == 0 { // what IGNORE made of a NULL that was not allowed
		return append(dst, "null"...), true
	}
	// No value of one byte is more than eight as text.
	w := jsonWriter{dst: dst, limit: len(dst) + 64 + 8*len(b)}
	ok := w.value(b[0], b[1:], 1)
	return w.dst, ok
}

// value writes the value of a type that begins at b.
func (w *jsonWriter) value(kind byte, b []byte, depth int) bool {
	if len(w.dst) > w.limit || depth > jsonMaxDepth {
		return false
	}
	switch kind {
	case jsonSmallObject, jsonLargeObject:
		return w.container(b, kind == jsonLargeObject, true, depth)
	case jsonSmallArray, jsonLargeArray:
		return w.container(b, kind == jsonLargeArray, false, depth)
	case jsonString:
		n, b, ok := jsonLength(b)
		return ok && n <= len(b) && w.text(b[:n])
	case jsonOpaque:
		return w.opaque(b)
	default:
		return w.scalar(kind, b)
	}
}

// jsonWidth returns the bytes of a scalar of fixed width, or 0.
func jsonWidth(kind byte) int {
	switch kind {
	case jsonLiteral:
		return 1
	case jsonInt16, jsonUint16:
		return 2
	case jsonInt32, jsonUint32:
		return 4
	case jsonInt64, jsonUint64, jsonDouble:
		return 8
	default:
		return 0
	}
}

func (w *jsonWriter) scalar(kind byte, b []byte) bool {
	width := jsonWidth(kind)
	if width == 0 || len(b) < width {
		return false
	}
	n := little(b[:width])
	switch kind {
	case jsonLiteral:
		if n > 2 {
			return false
		}
		w.dst = append(w.dst, [3]string{"null", "true", "false"}[n]...)
	case jsonInt16, jsonInt32, jsonInt64:
		shift := 64 - 8*width
		w.dst = strconv.AppendInt(w.dst, int64(n<<shift)>>shift, 10)
	case jsonDouble:
		f := math.Float64frombits(n)
		if math.IsNaN(f) || math.IsInf(f, 0) {
			return false
		}
		w.dst = appendDouble(w.dst, f)
	default:
		w.dst = strconv.AppendUint(w.dst, n, 10)
	}
	return true
}

// container writes an object or array: its count and size, then for each
// member of an object where its key is and how long, then for each value its
// type and either itself, if it is short, or where it is. Offsets count from b.
func (w *jsonWriter) container(b []byte, large, object bool, depth int) bool {
	off := 2
	if large {
		off = 4
	}
	if len(b) < 2*off {
		return false
	}
	count, size := little(b[:off]), little(b[off:2*off])
	keySize := 0
	if object {
		keySize = off + 2
	}
	header := uint64(2*off) + count*uint64(keySize+1+off)
	if size > uint64(len(b)) || header > size {
		return false
	}
	b = b[:size]
	keys, values := b[2*off:], b[2*off+int(count)*keySize:]
	open, end := byte('['), byte(']')
	if object {
		open, end = '{', '}'
	}
	w.dst = append(w.dst, open)
	for i := range int(count) {
		if i > 0 {
			w.dst = append(w.dst, ", "...)
		}
		if object {
			entry := keys[i*keySize:][:keySize]
			from, n := little(entry[:off]), little(entry[off:])
			if from+n > size || !w.text(b[from:from+n]) {
				return false
			}
			w.dst = append(w.dst, ": "...)
		}
		entry := values[i*(1+off):][:1+off]
		kind, inline := entry[0], entry[1:]
		if n := jsonWidth(kind); n > 0 && n <= off && kind != jsonDouble {
			if !w.scalar(kind, inline) {
				return false
			}
			continue
		}
		from := little(inline)
		if from < header || from > size || !w.value(kind, b[from:], depth+1) {
			return false
		}
	}
	w.dst = append(w.dst, end)
	return len(w.dst) <= w.limit
}

// jsonLength reads a length in groups of seven bits, lowest first.
func jsonLength(b []byte) (n int, rest []byte, ok bool) {
	for i := 0; i < len(b) && i < 5; i++ {
		n |= int(b[i]&0x7f) << (7 * i)
		if b[i]&0x80 == 0 {
			return n, b[i+1:], true
		}
	}
	return 0, nil, false
}

// text writes a quoted string.
func (w *jsonWriter) text(s []byte) bool {
	if len(w.dst)+len(s) > w.limit || !utf8.Valid(s) {
		return false
	}
	const digits = "0123456789abcdef"
	w.dst = append(w.dst, '"')
	for _, c := range s {
		switch c {
		case '"', '\\':
			w.dst = append(w.dst, '\\', c)
		case '\b':
			w.dst = append(w.dst, `\b`...)
		case '\f':
			w.dst = append(w.dst, `\f`...)
		case '\n':
			w.dst = append(w.dst, `\n`...)
		case '\r':
			w.dst = append(w.dst, `\r`...)
		case '\t':
			w.dst = append(w.dst, `\t`...)
		default:
			if c < 0x20 {
				w.dst = append(w.dst, '\\', 'u', '0', '0', digits[c>>4], digits[c&15])
			} else {
				w.dst = append(w.dst, c)
			}
		}
	}
	w.dst = append(w.dst, '"')
	return true
}

// opaque writes a value of an SQL type: decimals as numbers, times as quoted
// text with six digits of fraction, all else in base64.
func (w *jsonWriter) opaque(b []byte) bool {
	if len(b) == 0 {
		return false
	}
	kind := b[0]
	n, b, ok := jsonLength(b[1:])
	if !ok || n > len(b) {
		return false
	}
	b = b[:n]
	switch kind {
	case wireDecimal:
		if n < 2 || b[0] < 1 || b[0] > 65 || b[1] > b[0] || n-2 < decimalWidth(int(b[0]), int(b[1])) {
			return false
		}
		w.dst, ok = appendDecimal(w.dst, b[2:], int(b[0]), int(b[1]))
		return ok
	case wireDate, wireDateTime, wireTimestamp, wireTime:
		if n != 8 {
			return false
		}
		w.dst = append(w.dst, '"')
		w.dst, ok = appendJSONTime(w.dst, kind, int64(binary.LittleEndian.Uint64(b)))
		w.dst = append(w.dst, '"')
		return ok
	default:
		w.dst = append(w.dst, `"base64:type`...)
		w.dst = append(strconv.AppendUint(w.dst, uint64(kind), 10), ':')
		w.base64(b)
		w.dst = append(w.dst, '"')
		return true
	}
}

// base64 writes bytes in lines of 76 characters, as MySQL's base64_encode does,
// with the ends of lines escaped.
func (w *jsonWriter) base64(b []byte) {
	const line = 76 / 4 * 3
	for len(b) > line {
		w.dst = append(base64.StdEncoding.AppendEncode(w.dst, b[:line]), `\n`...)
		b = b[line:]
	}
	w.dst = base64.StdEncoding.AppendEncode(w.dst, b)
}

// appendJSONTime appends a time in the packed form of memory, which is that of
// row images with 24 bits of microseconds.
func appendJSONTime(dst []byte, kind byte, n int64) ([]byte, bool) {
	neg := n < 0
	if neg {
		n = -n
	}
	if n < 0 || neg && kind != wireTime {
		return dst, false
	}
	whole, micros := uint64(n)>>24, uint64(n)&(1<<24-1)
	switch kind {
	case wireTime:
		return appendClock(dst, neg, whole>>12, whole>>6&63, whole&63, micros, 6)
	case wireDate:
		ym := whole >> 22
		return appendDate(dst, ym/13, ym%13, whole>>17&31)
	default:
		return appendDateTime(dst, whole, micros, 6)
	}
}

// appendDouble appends a double as MySQL writes it in JSON (my_gcvt of
// strings/dtoa.cc): the fewest digits that give the same number; in plain form
// from 1e-15 on, up to 1e15 or as long as it has a fraction; and with a ".0"
// where it would look like an integer.
func appendDouble(dst []byte, f float64) []byte {
	var buf [32]byte
	sci := strconv.AppendFloat(buf[:0], math.Abs(f), 'e', -1, 64) // d.ddde±xx
	point := len(sci)
	for sci[point-1] != 'e' {
		point--
	}
	exp, _ := strconv.Atoi(string(sci[point:])) // of digits it has just written
	digits := append(make([]byte, 0, 20), sci[0])
	if point > 2 {
		digits = append(digits, sci[2:point-1]...)
	}
	if math.Signbit(f) {
		dst = append(dst, '-')
	}
	switch decpt := exp + 1; {
	case decpt < -14 || decpt > 15 && len(digits) <= decpt:
		dst = append(dst, digits[0])
		if len(digits) > 1 {
			dst = append(append(dst, '.'), digits[1:]...)
		}
		return strconv.AppendInt(append(dst, 'e'), int64(exp), 10)
	case decpt <= 0:
		dst = append(dst, "0."...)
		for range -decpt {
			dst = append(dst, '0')
		}
		return append(dst, digits...)
	case len(digits) > decpt:
		dst = append(append(dst, digits[:decpt]...), '.')
		return append(dst, digits[decpt:]...)
	default:
		dst = append(dst, digits...)
		for range decpt - len(digits) {
			dst = append(dst, '0')
		}
		return append(dst, ".0"...)
	}
}
