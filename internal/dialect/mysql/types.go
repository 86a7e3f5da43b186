package mysql

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/pingcap/tidb/pkg/parser/ast"
	"github.com/pingcap/tidb/pkg/parser/mysql"
	"github.com/pingcap/tidb/pkg/parser/types"

	"github.com/rowferry/rowferry/schema"
)

// columnOf returns the column of a definition, in a table whose defaults are
// those given.
func (p *parser) columnOf(def *definition, defaults collation) (schema.Column, error) {
	note := &def.column
	col := schema.Column{Name: def.name, Nullable: true, Generated: note.generated, Invisible: note.invisible}
	var err error
	if col.Type, err = p.typeOf(def, defaults); err != nil {
		return col, fmt.Errorf("column %s: %w", def.name, err)
	}
	if p.st.ImplicitTimestamps && col.Type.Kind == schema.Timestamp {
		col.Nullable = false
	}
	for _, o := range def.col.Options {
		switch o.Tp {
		case ast.ColumnOptionNotNull:
			col.Nullable = false
		case ast.ColumnOptionNull:
			col.Nullable = true
		case ast.ColumnOptionAutoIncrement:
			col.AutoIncrement, col.Nullable = true, false
		default: // says nothing of NULL
		}
	}
	if note.rowStart || note.rowEnd {
		col.Nullable = false
	}
	return col, nil
}

// typeOf returns the logical type of a definition.
func (p *parser) typeOf(def *definition, defaults collation) (schema.Type, error) {
	tp, note := def.col.Tp, &def.column
	if note.kind != schema.Invalid {
		return schema.Type{Kind: note.kind, Length: note.length}, nil
	}
	if t, ok := numericType(tp); ok {
		return t, nil
	}
	switch tp.GetType() {
	case mysql.TypeYear:
		return schema.Type{Kind: schema.Year}, nil
	case mysql.TypeDate:
		return schema.Type{Kind: schema.Date}, nil
	case mysql.TypeDuration:
		return schema.Type{Kind: schema.Time, Fsp: atLeast(tp.GetDecimal(), 0)}, nil
	case mysql.TypeDatetime:
		return schema.Type{Kind: schema.DateTime, Fsp: atLeast(tp.GetDecimal(), 0)}, nil
	case mysql.TypeTimestamp:
		return schema.Type{Kind: schema.Timestamp, Fsp: atLeast(tp.GetDecimal(), 0)}, nil
	case mysql.TypeJSON:
		return schema.Type{Kind: schema.JSON}, nil
	case mysql.TypeString, mysql.TypeVarchar, mysql.TypeTinyBlob, mysql.TypeBlob, mysql.TypeMediumBlob,
		mysql.TypeLongBlob, mysql.TypeEnum, mysql.TypeSet:
		return p.stringType(tp, note, defaults)
	default:
		return schema.Type{}, fmt.Errorf("type %s is not known", tp)
	}
}

// numericType returns numbers and bits.
func numericType(tp *types.FieldType) (schema.Type, bool) {
	t := schema.Type{Unsigned: mysql.HasUnsignedFlag(tp.GetFlag())}
	switch tp.GetType() {
	case mysql.TypeTiny:
		t.Kind, t.Bits = schema.Int, 8
	case mysql.TypeShort:
		t.Kind, t.Bits = schema.Int, 16
	case mysql.TypeInt24:
		t.Kind, t.Bits = schema.Int, 24
	case mysql.TypeLong:
		t.Kind, t.Bits = schema.Int, 32
	case mysql.TypeLonglong:
		t.Kind, t.Bits = schema.Int, 64
	case mysql.TypeFloat:
		t.Kind = schema.Float32
	case mysql.TypeDouble:
		t.Kind = schema.Float64
	case mysql.TypeNewDecimal:
		t.Kind, t.Precision, t.Scale = schema.Decimal, atLeast(tp.GetFlen(), 10), atLeast(tp.GetDecimal(), 0)
		if tp.GetFlen() == 0 {
			t.Precision = 10
		}
	case mysql.TypeBit:
		t.Kind, t.Length = schema.Bit, max(1, tp.GetFlen())
	default:
		return t, false
	}
	return t, true
}

// atLeast returns n, or what an unspecified length (negative) means.
func atLeast(n, unspecified int) int {
	if n < 0 {
		return unspecified
	}
	return n
}

// stringType returns texts, binary strings, enumerations and sets. The binary
// character set turns texts into binary strings.
func (p *parser) stringType(tp *types.FieldType, note *columnNote, defaults collation) (schema.Type, error) {
	if tp.GetCharset() == "binary" { // by the type's own name: BINARY, VARBINARY, BLOB
		return binaryType(tp), nil
	}
	coll, err := p.resolve(note.charset, note.collate, defaults)
	if err != nil {
		return schema.Type{}, err
	}
	if note.bin && note.collate == "" {
		coll = binCollation(coll.charset)
	}
	t := schema.Type{Charset: coll.charset, Collation: coll.name}
	switch tp.GetType() {
	case mysql.TypeEnum, mysql.TypeSet:
		t.Kind = schema.Enum
		if tp.GetType() == mysql.TypeSet {
			t.Kind = schema.Set
		}
		t.Labels, err = labels(note, coll.charset)
		return t, err
	}
	if coll.charset == "binary" {
		return binaryType(tp), nil
	}
	switch tp.GetType() {
	case mysql.TypeString:
		t.Kind, t.Length = schema.Char, atLeast(tp.GetFlen(), 1)
	case mysql.TypeVarchar:
		t.Kind, t.Length = schema.VarChar, tp.GetFlen()
		if n := charsets[coll.charset].maxBytes; n > 0 && t.Length > 65535/n { // without strict mode
			t.Kind, t.Length = schema.Text, 0
		}
	case mysql.TypeLongBlob:
		t.Kind = schema.Text
		if note.json {
			t.Kind = schema.JSON
		}
	default:
		t.Kind = schema.Text
	}
	return t, nil
}

func binaryType(tp *types.FieldType) schema.Type {
	switch {
	case tp.GetType() == mysql.TypeString:
		return schema.Type{Kind: schema.Binary, Length: atLeast(tp.GetFlen(), 1)}
	case tp.GetType() == mysql.TypeVarchar && tp.GetFlen() <= 65535:
		return schema.Type{Kind: schema.VarBinary, Length: tp.GetFlen()}
	default:
		return schema.Type{Kind: schema.Blob}
	}
}

// labels returns the labels as the server stores them: without trailing spaces,
// unless they are binary. Labels given as bytes must mean the same in UTF-8.
func labels(note *columnNote, charset string) ([]string, error) {
	list := make([]string, len(note.labels))
	for i, s := range note.labels {
		if note.rawLabels && !strings.HasPrefix(charset, "utf8") && strings.IndexFunc(s, func(r rune) bool { return r >= utf8.RuneSelf }) >= 0 {
			return nil, fmt.Errorf("a label is given as bytes in character set %q", charset)
		}
		if charset != "binary" {
			s = strings.TrimRight(s, " ")
		}
		list[i] = s
	}
	return list, nil
}

// resolve returns the collation that a character set and a collation, either
// of which may be empty, mean under the defaults.
func (p *parser) resolve(charset, name string, defaults collation) (collation, error) {
	if strings.EqualFold(charset, "DEFAULT") {
		charset = ""
	}
	if charset != "" {
		if _, ok := charsets[charset]; !ok {
			return collation{}, fmt.Errorf("character set %q is not known", charset)
		}
	}
	switch {
	case name != "":
		set := charset
		if set == "" {
			set = defaults.charset
		}
		c, ok := collationOf(name, set)
		if !ok {
			return collation{}, fmt.Errorf("collation %q is not known", name)
		}
		if charset != "" && c.charset != charset {
			return collation{}, fmt.Errorf("collation %q is not one of %q", name, charset)
		}
		return c, nil
	case charset != "":
		return p.defaultCollation(charset), nil
	default:
		return defaults, nil
	}
}
