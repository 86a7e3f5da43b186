package mysql

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/rowferry/rowferry/schema"
)

// verdict is how the wire's word on a column's type compares with what is
// known of it otherwise.
type verdict uint8

const (
	fits      verdict = iota
	missing           // neither tells all of the type
	mismatch          // they contradict each other
	ambiguous         // the wire has several types that look like this one
	refused           // the type is not carried
)

type problem struct {
	kind verdict
	text string
}

// columnType returns the logical type of w. What the wire does not tell comes
// from k, the type known otherwise, or nil if there is none.
func columnType(w *wireColumn, k *schema.Type, srv server) (schema.Type, problem) {
	switch w.code {
	case wireTiny, wireShort, wireInt24, wireLong, wireLongLong:
		bits := map[byte]int{wireTiny: 8, wireShort: 16, wireInt24: 24, wireLong: 32, wireLongLong: 64}[w.code]
		return numberType(w, k, schema.Type{Kind: schema.Int, Bits: bits})
	case wireDecimal:
		return numberType(w, k, schema.Type{Kind: schema.Decimal, Precision: w.precision, Scale: w.scale})
	case wireFloat:
		return numberType(w, k, schema.Type{Kind: schema.Float32})
	case wireDouble:
		return numberType(w, k, schema.Type{Kind: schema.Float64})
	case wireBit:
		return plainType(k, schema.Type{Kind: schema.Bit, Length: w.length})
	case wireYear:
		return plainType(k, schema.Type{Kind: schema.Year})
	case wireDate:
		return plainType(k, schema.Type{Kind: schema.Date})
	case wireTime2:
		return plainType(k, schema.Type{Kind: schema.Time, Fsp: w.fsp})
	case wireDateTime2:
		return plainType(k, schema.Type{Kind: schema.DateTime, Fsp: w.fsp})
	case wireTimestamp2:
		return plainType(k, schema.Type{Kind: schema.Timestamp, Fsp: w.fsp})
	case wireTime:
		return oldTimeType(k, schema.Time, srv)
	case wireDateTime:
		return oldTimeType(k, schema.DateTime, srv)
	case wireTimestamp:
		return oldTimeType(k, schema.Timestamp, srv)
	case wireJSON:
		return plainType(k, schema.Type{Kind: schema.JSON})
	case wireGeometry:
		return plainType(k, schema.Type{Kind: schema.Geometry})
	case wireVector:
		return plainType(k, schema.Type{Kind: schema.Vector})
	case wireEnum:
		return labelType(w, k, schema.Enum, srv)
	case wireSet:
		return labelType(w, k, schema.Set, srv)
	case wireVarChar, wireVarString, wireString, wireBlob, wireVarCharZ, wireBlobZ:
		return stringType(w, k, srv)
	default:
		return schema.Type{}, problem{refused, fmt.Sprintf("wire type %d is not one that is known", w.code)}
	}
}

// plainType settles a type of which the wire tells all that matters; known may
// say more of it (a vector's length).
func plainType(k *schema.Type, t schema.Type) (schema.Type, problem) {
	if k == nil {
		return t, problem{}
	}
	if k.Kind != t.Kind || t.Length != 0 && k.Length != t.Length || k.Fsp != t.Fsp {
		return *k, problem{mismatch, "the log says " + t.String()}
	}
	return *k, problem{}
}

func numberType(w *wireColumn, k *schema.Type, t schema.Type) (schema.Type, problem) {
	t.Unsigned = w.unsigned
	if k == nil {
		if !w.signKnown {
			return t, problem{missing, "whether it is unsigned"}
		}
		return t, problem{}
	}
	if !w.signKnown {
		t.Unsigned = k.Unsigned
	}
	exact := t.Kind != schema.Decimal || k.Precision == t.Precision && k.Scale == t.Scale
	if k.Kind != t.Kind || k.Bits != t.Bits || k.Unsigned != t.Unsigned || !exact {
		return *k, problem{mismatch, "the log says " + t.String()}
	}
	return *k, problem{}
}

// oldTimeType settles a time in the format before MySQL 5.6, which has no
// fraction. MariaDB has one with a fraction under the same wire types
// (mysql56_temporal_format=OFF), of a length that only the declaration tells.
func oldTimeType(k *schema.Type, kind schema.Kind, srv server) (schema.Type, problem) {
	t := schema.Type{Kind: kind}
	if k == nil {
		if srv.mariadb {
			return t, problem{ambiguous, "MariaDB's old format of times (mysql56_temporal_format=OFF) does not tell whether they have a fraction of a second"}
		}
		return t, problem{}
	}
	if k.Kind != kind || k.Fsp > 0 && !srv.mariadb {
		return *k, problem{mismatch, "the log says " + t.String()}
	}
	return *k, problem{}
}

// textOf settles character set and collation of t, which has neither, from the
// wire or else from known.
func textOf(w *wireColumn, k *schema.Type, t *schema.Type, srv server) problem {
	if w.hasCollation {
		charset, name, ok := findCollation(w.collation, srv)
		if !ok {
			return problem{refused, fmt.Sprintf("its collation has the number %d, which is not one that is known", w.collation)}
		}
		t.Charset, t.Collation = charset, name
		return problem{}
	}
	if k == nil || k.Charset == "" {
		return problem{missing, "its character set"}
	}
	t.Charset, t.Collation = k.Charset, k.Collation
	return problem{}
}

func labelType(w *wireColumn, k *schema.Type, kind schema.Kind, srv server) (schema.Type, problem) {
	t := schema.Type{Kind: kind}
	if k != nil && k.Kind != kind {
		return *k, problem{mismatch, "the log says " + kind.String()}
	}
	if w.labels == nil {
		if k == nil || len(k.Labels) == 0 {
			return t, problem{missing, "its labels"}
		}
		if labelWidth(kind, len(k.Labels)) != w.length {
			return *k, problem{mismatch, fmt.Sprintf("the log has values of %d bytes, which %d labels do not have", w.length, len(k.Labels))}
		}
		// Its values are numbers, so that the character set is not needed.
		return *k, problem{}
	}
	if labelWidth(kind, len(w.labels)) != w.length {
		return t, problem{refused, fmt.Sprintf("values of %d bytes do not fit %d labels", w.length, len(w.labels))}
	}
	if p := textOf(w, k, &t, srv); p.kind != fits {
		return t, p
	}
	labels, ok := decodeLabels(w.labels, t.Charset)
	if !ok {
		return t, problem{refused, "its labels are not valid " + t.Charset}
	}
	t.Labels = labels
	return t, problem{}
}

// labelWidth returns the bytes of a value of an ENUM or SET with n labels.
func labelWidth(kind schema.Kind, n int) int {
	switch {
	case kind == schema.Enum && n < 256, kind == schema.Set && n <= 8:
		return 1
	case kind == schema.Enum, kind == schema.Set && n <= 16:
		return 2
	case n <= 24:
		return 3
	case n <= 32:
		return 4
	default:
		return 8
	}
}

func decodeLabels(raw [][]byte, charset string) ([]string, bool) {
	labels := make([]string, len(raw))
	cs := findCharset(charset)
	for i, l := range raw {
		switch {
		case charset == "binary":
			if !utf8.Valid(l) {
				return nil, false
			}
			labels[i] = string(l)
		case cs == nil:
			return nil, false
		default:
			text, bad := cs.appendUTF8(nil, l)
			if bad >= 0 {
				return nil, false
			}
			labels[i] = string(text)
		}
	}
	return labels, true
}

// stringType settles the types that the wire carries as strings: text and
// bytes, and what MariaDB hides among them.
func stringType(w *wireColumn, k *schema.Type, srv server) (schema.Type, problem) {
	if (w.code == wireVarCharZ || w.code == wireBlobZ) && w.length == 0 {
		return schema.Type{}, problem{refused, "the metadata of compressed columns was not read"}
	}
	length := w.length
	if w.code == wireVarCharZ {
		length-- // a byte says how it is compressed
	}
	if k != nil {
		if t, p, ok := disguised(w, k, srv); ok {
			return t, p
		}
	} else if srv.mariadb && w.code == wireString && (!w.hasCollation || w.collation == collationBinary) {
		switch {
		case length == 16 && (srv.major == 0 || srv.since(10, 5)):
			return schema.Type{}, problem{ambiguous, "BINARY(16), UUID and INET6 look the same"}
		case length == 4 && (srv.major == 0 || srv.since(10, 10)):
			return schema.Type{}, problem{ambiguous, "BINARY(4) and INET4 look the same"}
		}
	}
	binary := w.collation == collationBinary
	if !w.hasCollation {
		if k == nil {
			return schema.Type{}, problem{missing, "whether it is text or bytes, and its character set"}
		}
		binary = slices.Contains([]schema.Kind{schema.Binary, schema.VarBinary, schema.Blob}, k.Kind)
	}
	if binary {
		return bytesType(w, k, length)
	}
	return textType(w, k, length, srv)
}

// disguised settles the kinds that look like others on the wire; ok is false
// if k is not of such a kind.
func disguised(w *wireColumn, k *schema.Type, srv server) (t schema.Type, p problem, ok bool) {
	like := func(code byte, length int, text bool) (schema.Type, problem, bool) {
		if !srv.mariadb || w.code != code || w.length != length || w.hasCollation && text != (w.collation != collationBinary) {
			return *k, problem{mismatch, "the log says " + w.String()}, true
		}
		return *k, problem{}, true
	}
	switch k.Kind {
	case schema.UUID, schema.Inet6:
		return like(wireString, 16, false)
	case schema.Inet4:
		return like(wireString, 4, false)
	case schema.Vector:
		return like(wireVarChar, w.length, false)
	case schema.JSON:
		code := wireBlob
		if w.code == wireBlobZ {
			code = wireBlobZ
		}
		return like(code, 4, true)
	default:
		return t, p, false
	}
}

func bytesType(w *wireColumn, k *schema.Type, length int) (schema.Type, problem) {
	var t schema.Type
	switch w.code {
	case wireString:
		t = schema.Type{Kind: schema.Binary, Length: length}
	case wireBlob, wireBlobZ:
		t = schema.Type{Kind: schema.Blob}
	default:
		t = schema.Type{Kind: schema.VarBinary, Length: length}
	}
	if k != nil && (k.Kind != t.Kind || t.Kind != schema.Blob && k.Length != t.Length) {
		return *k, problem{mismatch, "the log says " + t.String()}
	}
	if k != nil {
		return *k, problem{}
	}
	return t, problem{}
}

func textType(w *wireColumn, k *schema.Type, length int, srv server) (schema.Type, problem) {
	var t schema.Type
	if p := textOf(w, k, &t, srv); p.kind != fits {
		return t, p
	}
	per := maxLen(t.Charset)
	if per == 0 {
		return t, problem{refused, fmt.Sprintf("its character set %q is not one that is known", t.Charset)}
	}
	switch w.code {
	case wireString:
		t.Kind, t.Length = schema.Char, length/per
	case wireBlob, wireBlobZ:
		t.Kind = schema.Text
	default:
		t.Kind, t.Length = schema.VarChar, length/per
	}
	if k != nil && (k.Kind != t.Kind || t.Kind != schema.Text && k.Length*per != length) {
		return *k, problem{mismatch, fmt.Sprintf("the log says %s in %s, of %d bytes", t, t.Charset, length)}
	}
	return t, problem{}
}
