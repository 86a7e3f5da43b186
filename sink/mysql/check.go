package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// check refuses an existing table that cannot hold the shape's rows exactly,
// or that would do something with them by itself. t is under its place on the
// server.
func (s *Sink) check(ctx context.Context, se *session, t *schema.Table, x *existing) error {
	if x.kind != "BASE TABLE" {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "the target has a %s of the table's name", strings.ToLower(x.kind)).Fact("table", "%s", t.Name)
	}
	if !strings.EqualFold(x.engine, "InnoDB") {
		return rowferry.Errorf(rowferry.CodeTableDiffers, "a target table is of an engine without the transactions that rows and position need").
			Fact("table", "%s", t.Name).Fact("engine", "%s", x.engine).
			Remedy("change it", "ALTER TABLE %s ENGINE = InnoDB", quoteName(x.shape.Name))
	}
	loads := s.loads(t.Name)
	if loads {
		t = bareShape(t)
	}
	if facts := s.differences(t, x); len(facts) > 0 {
		e := rowferry.Errorf(rowferry.CodeTableDiffers, "a target table has another shape than the source").Fact("table", "%s", t.Name)
		e.Facts = append(e.Facts, facts...)
		return e
	}
	if !loads { // whose foreign keys come later
		expected, err := s.expected(ctx, se, t, x)
		if err != nil {
			return err
		}
		if err := s.server.folding().CheckActions(expected, x.shape); err != nil {
			return err
		}
	}
	if len(x.triggers) > 0 && s.options.Triggers != "fire" {
		return rowferry.Errorf(rowferry.CodeTriggers, "a target table has triggers").
			Fact("table", "%s", t.Name).Fact("triggers", "%s", strings.Join(x.triggers, ", ")).
			Remedy("let them fire", "triggers: fire")
	}
	return nil
}

// differences lists every way in which x cannot take rows of t as they are.
func (s *Sink) differences(t *schema.Table, x *existing) []rowferry.Fact {
	fold := s.server.folding()
	var facts []rowferry.Fact
	differ := func(column, format string, args ...any) {
		facts = append(facts, rowferry.Fact{Name: "column " + column, Value: fmt.Sprintf(format, args...)})
	}
	for _, c := range t.Columns {
		o := fold.Ordinal(x.shape, c.Name)
		if o < 0 {
			differ(c.Name, "is missing in the target")
			continue
		}
		have := x.shape.Columns[o]
		want, _, err := schema.MySQLType(c.Type, s.server.MySQLServer)
		switch {
		case err != nil:
			differ(c.Name, "%v", err)
		case have.Generated != schema.NotGenerated && c.Generated == schema.NotGenerated:
			differ(c.Name, "is generated in the target, and not in the source")
		case have.Generated == schema.NotGenerated && !keeps(have.Type, x.columns[o], c.Type):
			differ(c.Name, "is %s in the source, which needs %s, and is %s in the target", c.Type, want, declared(have.Type, x.columns[o]))
		}
		if c.Nullable && !have.Nullable && have.Generated == schema.NotGenerated {
			differ(c.Name, "may be NULL in the source and is NOT NULL in the target")
		}
	}
	for o, c := range x.shape.Columns {
		if fold.Ordinal(t, c.Name) < 0 && !x.columns[o].filled {
			differ(c.Name, "is not in the source, and in the target is NOT NULL without a default")
		}
	}
	fills := slices.IndexFunc(x.shape.Columns, func(c schema.Column) bool { return c.AutoIncrement })
	if key := fold.KeyDifference(t, x.shape, fills); key != "" {
		facts = append(facts, rowferry.Fact{Name: "primary key", Value: key})
	}
	return facts
}

func declared(t schema.Type, c existingColumn) string {
	if t.Charset == "" {
		return c.declared
	}
	return c.declared + " " + t.Charset
}

// expected returns the shape with the foreign keys that its table can have by
// now: not those of a table that Rowferry made whose parent does not exist, or is
// being loaded.
func (s *Sink) expected(ctx context.Context, se *session, t *schema.Table, x *existing) (*schema.Table, error) {
	if !x.made {
		return t, nil
	}
	e := *t
	e.ForeignKeys = nil
	for _, f := range t.ForeignKeys {
		if f.Acts() && !s.hasKey(t, f, x) {
			parent, err := s.inspectHead(ctx, se, f.Parent)
			if err != nil {
				return nil, err
			}
			if parent == nil || s.loads(f.Parent) {
				continue
			}
		}
		e.ForeignKeys = append(e.ForeignKeys, f)
	}
	return &e, nil
}

// hasKey reports whether the table has the shape's foreign key, whatever it
// does.
func (s *Sink) hasKey(t *schema.Table, f schema.ForeignKey, x *existing) bool {
	return slices.ContainsFunc(x.shape.ForeignKeys, func(g schema.ForeignKey) bool { return s.server.folding().SamePath(t, f, x.shape, g) })
}

// keeps reports whether a column of the target holds every value of the source
// type exactly. Texts and blobs of the source have no known size, so any will
// do: strict mode refuses what does not fit.
func keeps(have schema.Type, c existingColumn, want schema.Type) bool {
	switch want.Kind {
	case schema.Bool:
		return have.Kind == schema.Int
	case schema.Int:
		if have.Kind != schema.Int {
			return false
		}
		if have.Unsigned == want.Unsigned {
			return have.Bits >= want.Bits
		}
		return want.Unsigned && have.Bits > want.Bits
	case schema.Decimal:
		return have.Kind == schema.Decimal && (!have.Unsigned || want.Unsigned) &&
			have.Scale >= want.Scale && have.Precision-have.Scale >= want.Precision-want.Scale
	case schema.Float32:
		return plainFloat(have, c) && (!have.Unsigned || want.Unsigned)
	case schema.Float64:
		return have.Kind == schema.Float64 && plainFloat(have, c) && (!have.Unsigned || want.Unsigned)
	case schema.Bit:
		return have.Kind == schema.Bit && have.Length >= want.Length
	case schema.Binary, schema.VarBinary, schema.Blob:
		return keepsBytes(have, c, want)
	case schema.Time, schema.DateTime, schema.Timestamp:
		return have.Kind == want.Kind && have.Fsp >= want.Fsp
	case schema.Year, schema.Date:
		return have.Kind == want.Kind
	case schema.Char, schema.VarChar, schema.Text:
		if want.Kind == schema.VarChar && unmeasured(want) {
			want.Length = 0
		}
		return keepsText(have, c, want, want.Length)
	case schema.Enum, schema.Set:
		return have.Kind == want.Kind && keepsLabels(have, want) || keepsText(have, c, want, longest(want)) && have.Kind != schema.Char
	case schema.JSON:
		return have.Kind == schema.JSON || have.Kind == schema.Text && wide(have.Charset)
	case schema.UUID, schema.Inet4, schema.Inet6:
		length := map[schema.Kind]int{schema.UUID: 36, schema.Inet4: 15, schema.Inet6: 45}[want.Kind]
		return have.Kind == want.Kind || keepsText(have, c, schema.Type{Kind: schema.VarChar, Charset: "ascii"}, length)
	default:
		return false
	}
}

// unmeasured reports whether a PostgreSQL source says no length of a type, which
// is then as long as a key of ours has room for. That of an existing table may
// have less: what does not fit is refused when it comes.
func unmeasured(want schema.Type) bool {
	return want.Native != "" && !strings.HasPrefix(want.Native, "character(") && !strings.HasPrefix(want.Native, "character varying(")
}

// plainFloat reports whether a floating-point column does not round to declared
// digits: FLOAT(7,3) does.
func plainFloat(have schema.Type, c existingColumn) bool {
	return have.Kind.Approximate() && !strings.Contains(c.declared, "(")
}

func keepsBytes(have schema.Type, c existingColumn, want schema.Type) bool {
	switch have.Kind {
	case schema.Binary:
		return want.Kind == schema.Binary && have.Length == want.Length
	case schema.VarBinary, schema.Blob:
		return c.bytes >= int64(want.Length) || unmeasured(want)
	default:
		return false
	}
}

// keepsText reports whether a text column holds length characters of the
// source's character set. CHAR drops spaces at the end.
func keepsText(have schema.Type, c existingColumn, want schema.Type, length int) bool {
	if !(have.Charset == want.Charset && want.Charset != "") && !wide(have.Charset) && want.Charset != "ascii" {
		return false
	}
	switch have.Kind {
	case schema.Char:
		return want.Kind == schema.Char && have.Length >= length
	case schema.VarChar:
		return want.Kind != schema.Text && have.Length >= length
	case schema.Text:
		return c.bytes >= int64(length)
	default:
		return false
	}
}

// wide reports whether a character set has all of Unicode.
func wide(charset string) bool {
	switch charset {
	case "utf8mb4", "utf16", "utf16le", "utf32":
		return true
	default:
		return false
	}
}

// keepsLabels reports whether every value of want is one of have, written the
// same. The server tells characters beyond U+FFFF as question marks; if they are
// others, strict mode refuses the first row with one.
func keepsLabels(have, want schema.Type) bool {
	same := func(l string) func(string) bool {
		told := strings.Map(func(r rune) rune {
			if r > 0xFFFF {
				return '?'
			}
			return r
		}, l)
		return func(h string) bool { return h == l || h == told }
	}
	rest := have.Labels
	for _, l := range want.Labels {
		i := slices.IndexFunc(rest, same(l))
		if i < 0 {
			return false
		}
		if want.Kind == schema.Set {
			rest = rest[i+1:]
		}
	}
	return true
}

// longest returns the characters that the longest value of an ENUM or SET may
// take.
func longest(t schema.Type) int {
	n, sum := 0, 0
	for _, l := range t.Labels {
		n = max(n, len(l))
		sum += len(l) + 1
	}
	if t.Kind == schema.Set {
		return sum
	}
	return n
}
