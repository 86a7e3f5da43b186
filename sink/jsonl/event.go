package jsonl

import (
	"encoding/base64"
	"math"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Version is the version of the event format, carried as "schema".
const Version = 1

// maxNames bounds the tables whose column names are kept encoded.
const maxNames = 1024

// Encoder writes mutations as change events, with Debezium's field names
// (https://debezium.io/documentation/reference/stable/connectors/mysql.html#mysql-change-event-values):
//
//	{"schema":1,"id":"0-1-7:0","op":"u","before":{…},"after":{…},
//	 "source":{"connector":"mysql","db":"shop","table":"orders","gtid":"0-1-7","file":"bin.000001","pos":4,"ts_ms":1},
//	 "ts_ms":2,"transaction":{"id":"0-1-7","total_order":1}}
//
// op is c, u, d or t (truncate). id is the same whenever the same change is
// written again, so that a reader can tell a repetition. source.ts_ms is when
// the source committed, ts_ms when the event was written; both are Unix
// milliseconds. file and pos are left out where the transaction's end is not
// known yet, gtid where it has none.
//
// Values: integers, years and bits are numbers, exact up to 64 bits; floats
// are numbers in the shortest form that reads back the same; binary strings
// are base64 (RFC 4648, padded); everything else, decimals, times and JSON
// documents included, is a string as the source prints it. A column that was
// not in the image is not in the object.
//
// An Encoder is used by one goroutine at a time.
type Encoder struct {
	connector string
	now       func() time.Time
	names     map[*schema.Table][][]byte // per column: "name":
	origin    rowferry.Origin            // the one that the fields below belong to
	place     []byte                     // "gtid" and "file", "pos", each with a comma behind
}

// NewEncoder returns an Encoder for events of the given connector, "mysql" or
// "mariadb" say. now is the clock; nil means time.Now.
func NewEncoder(connector string, now func() time.Time) *Encoder {
	if now == nil {
		now = time.Now
	}
	return &Encoder{connector: connector, now: now, names: map[*schema.Table][][]byte{}}
}

// AppendEvent appends the mutation's event, without a line feed, to dst. A
// Shape is no event and appends nothing. Errors are *rowferry.Error with the
// mutation: an operation that is no event, or an image or text that breaks
// its own promise; dst is then returned as it was.
func (e *Encoder) AppendEvent(dst []byte, m *rowferry.Mutation) ([]byte, error) {
	var op string
	switch m.Op {
	case rowferry.Insert:
		op = "c"
	case rowferry.Update:
		op = "u"
	case rowferry.Delete:
		op = "d"
	case rowferry.Truncate:
		op = "t"
	case rowferry.Shape:
		return dst, nil
	default:
		return dst, broken(m, "the operation %s must not reach a sink", m.Op)
	}
	origin := rowferry.Origin{}
	if m.Origin != nil {
		origin = *m.Origin
	}
	whole := dst
	dst = append(dst, `{"schema":`...)
	dst = strconv.AppendInt(dst, Version, 10)
	dst = append(dst, `,"id":`...)
	dst = appendString(dst, origin.Tx)
	dst = append(dst[:len(dst)-1], ':')
	dst = strconv.AppendInt(dst, int64(m.Index), 10)
	if m.Nth > 0 {
		dst = strconv.AppendInt(append(dst, '.'), int64(m.Nth), 10)
	}
	dst = append(dst, `","op":"`...)
	dst = append(dst, op...)
	dst = append(dst, `","before":`...)
	dst, err := e.appendRow(dst, m, m.Before, m.Op == rowferry.Update || m.Op == rowferry.Delete)
	if err != nil {
		return whole, err
	}
	dst = append(dst, `,"after":`...)
	dst, err = e.appendRow(dst, m, m.After, m.Op == rowferry.Insert || m.Op == rowferry.Update)
	if err != nil {
		return whole, err
	}
	dst = e.appendSource(dst, m, origin)
	dst = append(dst, `,"ts_ms":`...)
	dst = strconv.AppendInt(dst, e.now().UnixMilli(), 10)
	dst = append(dst, `,"transaction":{"id":`...)
	dst = appendString(dst, origin.Tx)
	dst = append(dst, `,"total_order":`...)
	dst = strconv.AppendInt(dst, int64(m.Index)+1, 10)
	return append(dst, '}', '}'), nil
}

func (e *Encoder) appendSource(dst []byte, m *rowferry.Mutation, origin rowferry.Origin) []byte {
	dst = append(dst, `,"source":{"connector":`...)
	dst = appendString(dst, e.connector)
	dst = append(dst, `,"db":`...)
	dst = appendString(dst, m.Source.Schema)
	dst = append(dst, `,"table":`...)
	dst = appendString(dst, m.Source.Table)
	dst = append(dst, ',')
	if origin != e.origin || e.place == nil {
		e.origin, e.place = origin, appendPlace(e.place[:0], origin)
	}
	dst = append(dst, e.place...)
	dst = append(dst, `"ts_ms":`...)
	dst = strconv.AppendInt(dst, origin.Commit, 10)
	return append(dst, '}')
}

// gtid is what a GTID looks like: MariaDB's domain-server-sequence, or MySQL's
// uuid:number, with a tag between since 8.3.
var gtid = regexp.MustCompile(`^(\d+-\d+-\d+|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}(:[a-z_][a-z0-9_]*)?:\d+)$`)

// appendPlace appends where the transaction is in the source's log. It never
// returns nil.
func appendPlace(dst []byte, o rowferry.Origin) []byte {
	if dst == nil {
		dst = make([]byte, 0, 128)
	}
	if gtid.MatchString(o.Tx) {
		dst = appendString(append(dst, `"gtid":`...), o.Tx)
		dst = append(dst, ',')
	}
	if i := strings.LastIndexByte(o.Log, ':'); i >= 0 {
		if pos, err := strconv.ParseUint(o.Log[i+1:], 10, 64); err == nil {
			dst = appendString(append(dst, `"file":`...), o.Log[:i])
			dst = strconv.AppendUint(append(dst, `,"pos":`...), pos, 10)
			dst = append(dst, ',')
		}
	}
	return dst
}

func (e *Encoder) appendRow(dst []byte, m *rowferry.Mutation, r rowferry.Row, present bool) ([]byte, error) {
	if !present {
		return append(dst, "null"...), nil
	}
	names := e.columnNames(m.Table)
	if len(r) != len(names) {
		return dst, broken(m, "a row image has %d values for %d columns", len(r), len(names))
	}
	dst = append(dst, '{')
	first := true
	for i := range r {
		if r[i].IsAbsent() {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(dst, names[i]...)
		var ok bool
		if dst, ok = appendValue(dst, r[i], m.Table.Columns[i].Type.Kind); !ok {
			return dst, broken(m, "the value of column %s is not valid for its kind", m.Table.Columns[i].Name)
		}
	}
	return append(dst, '}'), nil
}

func (e *Encoder) columnNames(t *schema.Table) [][]byte {
	if names, ok := e.names[t]; ok {
		return names
	}
	if len(e.names) >= maxNames {
		clear(e.names)
	}
	names := make([][]byte, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = append(appendString(nil, c.Name), ':')
	}
	e.names[t] = names
	return names
}

func broken(m *rowferry.Mutation, format string, args ...any) error {
	err := rowferry.Errorf(rowferry.CodeInternal, format, args...)
	kept := *m
	err.Mutation = &kept
	if m.Table != nil {
		err.Fact("table", "%s", m.Table.Name)
	}
	return err
}

// appendValue appends one value. It reports false for text that is not UTF-8.
func appendValue(dst []byte, v rowferry.Value, k schema.Kind) ([]byte, bool) {
	switch v.Kind() {
	case rowferry.Null:
		return append(dst, "null"...), true
	case rowferry.Int:
		if k == schema.Bool && uint64(v.Int()) <= 1 {
			return strconv.AppendBool(dst, v.Int() == 1), true
		}
		return strconv.AppendInt(dst, v.Int(), 10), true
	case rowferry.Uint:
		return strconv.AppendUint(dst, v.Uint(), 10), true
	case rowferry.Float:
		return appendFloat(dst, v.Float(), k), true
	case rowferry.Text:
		if !utf8.ValidString(v.Str()) {
			return dst, false
		}
		return appendString(dst, v.Str()), true
	case rowferry.Bytes:
		dst = append(dst, '"')
		dst = appendBase64(dst, v.Str())
		return append(dst, '"'), true
	default:
		return dst, false
	}
}

// appendFloat appends a number, or as a string what JSON has no number for, in
// PostgreSQL's words.
func appendFloat(dst []byte, f float64, k schema.Kind) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, `"NaN"`...)
	case math.IsInf(f, 1):
		return append(dst, `"Infinity"`...)
	case math.IsInf(f, -1):
		return append(dst, `"-Infinity"`...)
	}
	bits := 64
	if k == schema.Float32 && float64(float32(f)) == f {
		bits = 32
	}
	return strconv.AppendFloat(dst, f, 'g', -1, bits)
}

// appendBase64 encodes a piece at a time, so that a large value is not copied
// once more.
func appendBase64(dst []byte, s string) []byte {
	const piece = 3 << 10
	var b [piece]byte
	for len(s) > 0 {
		n := copy(b[:], s)
		dst = base64.StdEncoding.AppendEncode(dst, b[:n])
		s = s[n:]
	}
	return dst
}

// appendString appends s as a JSON string (RFC 8259, section 7). What is not
// UTF-8, which only a name can be here, becomes U+FFFD.
func appendString(dst []byte, s string) []byte {
	const hex = "0123456789abcdef"
	dst = append(dst, '"')
	start := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if r == utf8.RuneError && n == 1 {
				dst = append(append(dst, s[start:i]...), "\ufffd"...)
				start = i + n
			}
			i += n
			continue
		}
		if c >= ' ' && c != '"' && c != '\\' {
			i++
			continue
		}
		dst = append(dst, s[start:i]...)
		switch c {
		case '"', '\\':
			dst = append(dst, '\\', c)
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		}
		i++
		start = i
	}
	return append(append(dst, s[start:]...), '"')
}
