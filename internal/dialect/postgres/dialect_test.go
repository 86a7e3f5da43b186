package postgres

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/schema"
)

func TestQuote(t *testing.T) {
	for name, want := range map[string]string{`a"b`: `"a""b"`, `"`: `""""`, `a'b\`: `"a'b\"`, "é\n": "\"é\n\""} {
		if got := Quote(name); got != want {
			t.Errorf("%q is quoted as %s, want %s", name, got, want)
		}
	}
	if got := QuoteTable(schema.Name{Table: "t"}); got != `"public"."t"` {
		t.Errorf("a table without a schema is %s", got)
	}
	if got := Literal("it's"); got != "'it''s'" {
		t.Errorf("got %s", got)
	}
}

// TestObjectName: names fit, are text, stay the same, and differ with what they
// are for.
func TestObjectName(t *testing.T) {
	seen := map[string]string{}
	for _, table := range []string{"t", "T", strings.Repeat("n", 63), strings.Repeat("n", 62) + "m", strings.Repeat("é", 31), strings.Repeat("日", 21)} {
		for _, label := range []string{"pk", "uq"} {
			for _, what := range []string{"a", "b", `a", "b`} {
				name := ObjectName(table, label, what)
				if len(name) > longestName || !utf8.ValidString(name) || name != ObjectName(table, label, what) {
					t.Errorf("%q is no good name", name)
				}
				if other, ok := seen[name]; ok {
					t.Errorf("%q is the name for %s/%s/%s and %s", name, table, label, what, other)
				}
				seen[name] = table + "/" + label + "/" + what
			}
		}
	}
}

// TestColumnType reads type modifiers as pg_attribute has them.
func TestColumnType(t *testing.T) {
	for _, c := range []struct {
		oid  uint32
		mod  int
		want ColumnType
	}{
		{21, -1, ColumnType{Base: Int2}},
		{1043, 44, ColumnType{Base: VarChar, Length: 40}},
		{1043, -1, ColumnType{Base: VarChar}},
		{1560, 64, ColumnType{Base: BitString, Length: 64}},
		{1700, -1, ColumnType{Base: Numeric}},
		{1700, (65<<16 | 30) + 4, ColumnType{Base: Numeric, Precision: 65, Scale: 30}},
		{1700, (5<<16 | (-2 & 0x7ff)) + 4, ColumnType{Base: Numeric, Precision: 5, Scale: -2}},
		{1114, -1, ColumnType{Base: DateTime, Scale: 6}},
		{1184, 0, ColumnType{Base: Timestamptz}},
		{1186, -1, ColumnType{Base: Interval, Scale: 6}},
		{1186, 0x7fff<<16 | 3, ColumnType{Base: Interval, Scale: 3}},
		{1186, 0xc<<16 | 0xffff, ColumnType{Scale: 6}}, // hour to minute
		{1042, 44, ColumnType{Base: BpChar, Length: 40}},
		{16, -1, ColumnType{Base: Bool}},
		{1083, -1, ColumnType{Base: Time, Scale: 6}},
		{1083, 2, ColumnType{Base: Time, Scale: 2}},
		{28, -1, ColumnType{}}, // xid
	} {
		if got := columnType(c.oid, c.mod); got != c.want {
			t.Errorf("type %d with %d is %+v, want %+v", c.oid, c.mod, got, c.want)
		}
	}
}

// TestKeepsOwn: what Rowferry makes of a type keeps it, and the next smaller
// one does not.
func TestKeepsOwn(t *testing.T) {
	integer := func(bits int, unsigned bool) schema.Type {
		return schema.Type{Kind: schema.Int, Bits: bits, Unsigned: unsigned}
	}
	for _, c := range []struct {
		typ     schema.Type
		keeps   []ColumnType
		refuses []ColumnType
	}{
		{integer(8, true), []ColumnType{{Base: Int2}, {Base: Numeric, Precision: 3}}, []ColumnType{{Base: Numeric, Precision: 2}, {Base: Numeric, Precision: 4, Scale: 2}, {Base: Text}}},
		{integer(16, true), []ColumnType{{Base: Int4}, {Base: Numeric, Precision: 5}}, []ColumnType{{Base: Int2}, {Base: Numeric, Precision: 4}}},
		{integer(24, true), []ColumnType{{Base: Int4}, {Base: Numeric, Precision: 8}}, []ColumnType{{Base: Int2}, {Base: Numeric, Precision: 7}}},
		{integer(32, false), []ColumnType{{Base: Int4}, {Base: Int8}}, []ColumnType{{Base: Int2}, {Base: Float8}}},
		{integer(32, true), []ColumnType{{Base: Int8}, {Base: Numeric, Precision: 10}}, []ColumnType{{Base: Int4}, {Base: Numeric, Precision: 9}}},
		{integer(64, false), []ColumnType{{Base: Int8}, {Base: Numeric, Precision: 19}}, []ColumnType{{Base: Int4}, {Base: Numeric, Precision: 18}}},
		{integer(64, true), []ColumnType{{Base: Numeric}, {Base: Numeric, Precision: 20}}, []ColumnType{{Base: Int8}, {Base: Numeric, Precision: 19}, {Base: Numeric, Precision: 22, Scale: -2}}},
		{schema.Type{Kind: schema.Year}, []ColumnType{{Base: Int2}}, []ColumnType{{Base: Text}}},
		{schema.Type{Kind: schema.Bit, Length: 5}, []ColumnType{{Base: BitString, Length: 5}, {Base: VarBit}}, []ColumnType{{Base: BitString, Length: 6}, {Base: VarBit, Length: 4}, {Base: Int8}}},
		{schema.Type{Kind: schema.Float32}, []ColumnType{{Base: Float4}, {Base: Float8}}, []ColumnType{{Base: Numeric}, {Base: Text}}},
		{schema.Type{Kind: schema.Float64}, []ColumnType{{Base: Float8}}, []ColumnType{{Base: Float4}}},
		{schema.Type{Kind: schema.Text}, []ColumnType{{Base: Text}, {Base: VarChar}}, []ColumnType{{Base: VarChar, Length: 1000}, {Base: JSON}}},
		{schema.Type{Kind: schema.Set, Labels: []string{"aa", "b"}}, []ColumnType{{Base: VarChar, Length: 4}}, []ColumnType{{Base: VarChar, Length: 3}}},
		{schema.Type{Kind: schema.Enum, Labels: []string{"éé", "b"}}, []ColumnType{{Base: VarChar, Length: 2}}, []ColumnType{{Base: VarChar, Length: 1}}},
		{schema.Type{Kind: schema.Blob}, []ColumnType{{Base: Bytea}}, []ColumnType{{Base: Text}}},
		{schema.Type{Kind: schema.Time, Fsp: 3}, []ColumnType{{Base: Interval, Scale: 3}, {Base: Text}}, []ColumnType{{Base: Interval, Scale: 2}, {}}},
		{schema.Type{Kind: schema.Timestamp}, []ColumnType{{Base: Timestamptz}}, []ColumnType{{Base: DateTime, Scale: 6}}},
		{schema.Type{Kind: schema.Geometry}, nil, []ColumnType{{Base: Text}, {Base: Bytea}}},
	} {
		for _, k := range c.keeps {
			if !k.Keeps(c.typ) {
				t.Errorf("%+v does not keep %s", k, c.typ)
			}
		}
		for _, k := range c.refuses {
			if k.Keeps(c.typ) {
				t.Errorf("%+v keeps %s", k, c.typ)
			}
		}
	}
}

// TestConfigIsBlank: nothing is left of what the driver's parser finds by
// itself.
func TestConfigIsBlank(t *testing.T) {
	e, err := connect.Parse("postgres://u:p@db.example:6000/d")
	if err != nil {
		t.Fatal(err)
	}
	e.TLS.Mode = connect.TLSDisable
	c, err := configOf(e)
	if err != nil {
		t.Fatal(err)
	}
	if c.Host != "db.example" || c.Port != 6000 || c.User != "u" || c.Password != "p" || c.Database != "d" || c.TLSConfig != nil || len(c.Fallbacks) != 0 || c.RequireAuth != "!password" {
		t.Errorf("got %+v", c)
	}
	e.TLS.Mode = connect.TLSVerifyFull
	if c, err = configOf(e); err != nil || c.TLSConfig == nil || c.TLSConfig.ServerName != "db.example" || len(c.Fallbacks) != 0 || c.RequireAuth != "" {
		t.Errorf("got %+v, %v", c, err)
	}
	for _, key := range []string{"options", "application_name"} {
		if v := c.RuntimeParams[key]; v != session[key] {
			t.Errorf("%s is %q", key, v)
		}
	}
}
