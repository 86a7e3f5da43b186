package mapping_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

func name(t string) schema.Name { return schema.Name{Schema: "a", Table: t} }

// orders has a key, a unique key, an index and a foreign key.
func orders() *schema.Table {
	text, number := schema.Type{Kind: schema.VarChar, Length: 20, Charset: "utf8mb4"}, schema.Type{Kind: schema.Int, Bits: 32}
	return &schema.Table{
		Name: name("orders"),
		Columns: []schema.Column{
			{Name: "id", Type: number}, {Name: "no", Type: text}, {Name: "country", Type: text},
			{Name: "note", Type: text, Nullable: true}, {Name: "customer", Type: number},
		},
		PrimaryKey:       []int{0},
		Uniques:          []schema.Index{{Name: "by_no", Columns: []int{1}}},
		Indexes:          []schema.Index{{Name: "by_country", Columns: []int{2, 1}}, {Name: "by_note", Columns: []int{3}}},
		ForeignKeys:      []schema.ForeignKey{{Name: "of", Columns: []int{4}, Parent: name("customers"), Referenced: []string{"id"}}},
		ConstraintsKnown: true,
	}
}

func row(values ...any) rowferry.Row {
	r := make(rowferry.Row, len(values))
	for i, v := range values {
		switch v := v.(type) {
		case int:
			r[i] = rowferry.IntValue(int64(v))
		case string:
			r[i] = rowferry.TextValue(v)
		case nil:
			r[i] = rowferry.NullValue()
		default: // absent
		}
	}
	return r
}

type absent struct{}

// said is a mutation as text: what it does, its columns, its images.
func said(ms []rowferry.Mutation) string {
	var all []string
	for _, m := range ms {
		all = append(all, strings.TrimSpace(fmt.Sprintf("%s %s", m.Op, strings.Join([]string{image(m.Before), image(m.After)}, " "))))
	}
	return strings.Join(all, "; ")
}

func image(r rowferry.Row) string {
	if r == nil {
		return "-"
	}
	parts := make([]string, len(r))
	for i, v := range r {
		if parts[i] = v.String(); v.IsAbsent() {
			parts[i] = "?"
		}
	}
	return "[" + strings.Join(parts, " ") + "]"
}

func handled(t *testing.T, e mapping.Entity, c *rowferry.Change) ([]rowferry.Mutation, error) {
	t.Helper()
	r := rules(t, mapping.Options{Pipeline: "ferry", Entities: map[string]mapping.Entity{"a.orders": e}})
	if c.Table == nil {
		c.Table = orders()
	}
	return mapping.NewHandler(r, nil).Handle(nil, c)
}

// TestProject has each kind of change go through each kind of rule.
func TestProject(t *testing.T) {
	de, fr := row(1, "A", "DE", nil, 7), row(1, "A", "FR", nil, 7)
	key := row(1, absent{}, absent{}, absent{}, absent{}) // of a minimal image
	where := mapping.Entity{Where: `country == "DE"`}
	shaped := mapping.Entity{Drop: []string{"note"}, Rename: map[string]string{"no": "number"}, Columns: map[string]string{"label": `country + "-" + no`, "one": "1"}}
	marked := mapping.Entity{Source: "src", Key: "src_key", Time: "src_time"}
	soft := mapping.Entity{Deletes: mapping.SoftDeletes, Drop: []string{"note", "customer", "country"}}
	const when = 1_700_000_000_123
	for _, c := range []struct {
		of            string
		e             mapping.Entity
		op            rowferry.Op
		before, after rowferry.Row
		want          string
	}{
		{"insert in", where, rowferry.Insert, nil, de, "insert - [1 A DE NULL 7]"},
		{"insert out", where, rowferry.Insert, nil, fr, ""},
		{"delete in", where, rowferry.Delete, de, nil, "delete [1 A DE NULL 7] -"},
		{"delete out", where, rowferry.Delete, fr, nil, ""},
		{"enters", where, rowferry.Update, fr, de, "insert - [1 A DE NULL 7]"},
		{"enters with a minimal image", where, rowferry.Update, fr, row(absent{}, absent{}, "DE", absent{}, absent{}), "insert - [1 A DE NULL 7]"},
		{"leaves", where, rowferry.Update, de, fr, "delete [1 A DE NULL 7] -"},
		{"stays", where, rowferry.Update, de, row(1, "B", "DE", nil, 7), "update [1 A DE NULL 7] [1 B DE NULL 7]"},
		{"stays out", where, rowferry.Update, fr, row(1, "B", "FR", nil, 7), ""},
		{"truncate", where, rowferry.Truncate, nil, nil, "truncate - -"},
		{"key filter on a minimal image", mapping.Entity{Where: "id < 5"}, rowferry.Update, key, row(absent{}, "B", absent{}, absent{}, absent{}), "update [1 ? ? ? ?] [? B ? ? ?]"},

		{"shaped insert", shaped, rowferry.Insert, nil, de, "insert - [1 A DE 7 DE-A 1]"},
		{"shaped update", shaped, rowferry.Update, de, fr, "update [1 A DE 7 DE-A 1] [1 A FR 7 FR-A 1]"},
		{"shaped delete", shaped, rowferry.Delete, key, nil, "delete [1 ? ? ? ? 1] -"},
		{"a dropped column alone", shaped, rowferry.Update, de, row(1, "A", "DE", "x", 7), ""},
		{"a dropped column alone, minimal", shaped, rowferry.Update, key, row(absent{}, absent{}, absent{}, "x", absent{}), ""},
		{"what is not computed of what changed", shaped, rowferry.Update, key, row(absent{}, absent{}, absent{}, absent{}, 8), "update [1 ? ? ? ? 1] [? ? ? 8 ? 1]"},
		{"replaced in its place", mapping.Entity{Columns: map[string]string{"no": "lower(no)"}}, rowferry.Insert, nil, de, "insert - [1 a DE NULL 7]"},

		{"marked insert", marked, rowferry.Insert, nil, de, "insert - [1 A DE NULL 7 ferry 1 2023-11-14 22:13:20.123]"},
		{"marked update", marked, rowferry.Update, de, fr, "update [1 A DE NULL 7 ferry 1 ?] [1 A FR NULL 7 ferry 1 2023-11-14 22:13:20.123]"},
		{"marked delete", marked, rowferry.Delete, de, nil, "delete [1 A DE NULL 7 ferry 1 ?] -"},

		{"soft insert", soft, rowferry.Insert, nil, de, "insert - [1 A NULL]"},
		{"soft update", soft, rowferry.Update, de, row(1, "B", "DE", nil, 7), "update [1 A NULL] [1 B NULL]"},
		{"soft delete", soft, rowferry.Delete, de, nil, "update [1 A NULL] [? ? 2023-11-14 22:13:20.123]"},
		{"skipped delete", mapping.Entity{Deletes: mapping.SkipDeletes}, rowferry.Delete, de, nil, ""},
		{"skipped truncate", mapping.Entity{Deletes: mapping.SkipDeletes}, rowferry.Truncate, nil, nil, ""},
	} {
		ms, err := handled(t, c.e, &rowferry.Change{Op: c.op, Before: c.before, After: c.after, Commit: when})
		if got := said(ms); err != nil || got != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.of, got, err, c.want)
		}
	}
}

// TestProjectRefused are changes that the rules cannot decide on.
func TestProjectRefused(t *testing.T) {
	de := row(1, "A", "DE", nil, 7)
	key := row(1, absent{}, absent{}, absent{}, absent{})
	for _, c := range []struct {
		e    mapping.Entity
		c    rowferry.Change
		code rowferry.Code
		want string
	}{
		{mapping.Entity{Where: `country == "DE"`}, rowferry.Change{Op: rowferry.Update, Before: key, After: de}, rowferry.CodeImageLacks, "the filter needs (table: a.orders; change: update; column: country; key: id=1)"},
		{mapping.Entity{Where: `country == "DE"`}, rowferry.Change{Op: rowferry.Delete, Before: key}, rowferry.CodeImageLacks, "column: country"},
		{mapping.Entity{Where: `country == "DE"`}, rowferry.Change{Op: rowferry.Update, Before: row(1, absent{}, "FR", absent{}, absent{}), After: row(absent{}, absent{}, "DE", absent{}, absent{})}, rowferry.CodeImageLacks, "a row which enters the filter needs (table: a.orders; change: update; column: no"},
		{mapping.Entity{Columns: map[string]string{"x": `no + country`}}, rowferry.Change{Op: rowferry.Update, Before: key, After: row(absent{}, "B", absent{}, absent{}, absent{})}, rowferry.CodeImageLacks, "column x needs"},
		{mapping.Entity{Columns: map[string]string{"x": `id * 9223372036854775807`}}, rowferry.Change{Op: rowferry.Insert, After: row(2, "A", "DE", nil, 7)}, rowferry.CodeNotComputed, "beyond 64 bits"},
		{mapping.Entity{Deletes: mapping.SoftDeletes}, rowferry.Change{Op: rowferry.Truncate}, rowferry.CodeRuleRefused, "emptied"},
		{mapping.Entity{Drop: []string{"id"}}, rowferry.Change{Op: rowferry.Shape}, rowferry.CodeRuleRefused, "column id belongs to the key"},
		{mapping.Entity{Columns: map[string]string{"id": "1"}}, rowferry.Change{Op: rowferry.Shape}, rowferry.CodeRuleRefused, "column id belongs to the key"},
		{mapping.Entity{Drop: []string{"nope"}}, rowferry.Change{Op: rowferry.Shape}, rowferry.CodeRuleRefused, "drop names column nope"},
		{mapping.Entity{Rename: map[string]string{"no": "country"}}, rowferry.Change{Op: rowferry.Shape}, rowferry.CodeRuleRefused, "repeated"},
		{mapping.Entity{Where: `country == 5`}, rowferry.Change{Op: rowferry.Shape}, rowferry.CodeBadExpression, "country == 5\n        ^"},
	} {
		ms, err := handled(t, c.e, &c.c)
		if rowferry.CodeOf(err) != c.code || !strings.Contains(err.Error(), c.want) || len(ms) > 0 {
			t.Errorf("%+v: %v, %v\nwant %s %s", c.e, said(ms), err, c.code, c.want)
		}
	}
}

// TestProjectedShape: keys go with their columns, foreign keys by both sides' names.
func TestProjectedShape(t *testing.T) {
	describe := func(t *schema.Table) string {
		s := fmt.Sprint(t.ColumnNames([]int{0}), " pk ", t.ColumnNames(t.PrimaryKey))
		for _, u := range append(t.Uniques, t.Indexes...) {
			s += fmt.Sprint(" ", u.Name, t.ColumnNames(u.Columns))
		}
		for _, f := range t.ForeignKeys {
			s += fmt.Sprintf(" %s%s to %s%s", f.Name, t.ColumnNames(f.Columns), f.Parent, f.Referenced)
		}
		return s + " " + strings.Join(t.Unsupported, "; ")
	}
	for _, c := range []struct {
		orders, customers mapping.Entity
		want              string
	}{
		{mapping.Entity{Where: "true"}, mapping.Entity{}, "[id] pk [id] by_no[no] by_country[country no] by_note[note] of[customer] to customers[id] "},
		{mapping.Entity{Rename: map[string]string{"id": "oid", "no": "number", "customer": "cid"}}, mapping.Entity{Rename: map[string]string{"id": "key"}},
			"[oid] pk [oid] by_no[number] by_country[country number] by_note[note] of[cid] to customers[key] "},
		{mapping.Entity{Drop: []string{"no", "customer"}}, mapping.Entity{},
			"[id] pk [id] by_note[note] the unique key by_no, whose column no the rules take away; the foreign key of, whose column customer the rules take away"},
		{mapping.Entity{}, mapping.Entity{Columns: map[string]string{"id": "1"}},
			"[id] pk [id] by_no[no] by_country[country no] by_note[note] the foreign key of, whose column id of a.customers the rules take away"},
		{mapping.Entity{Deletes: mapping.SoftDeletes}, mapping.Entity{},
			"[id] pk [id] by_country[country no] by_note[note] the unique key by_no, of which rows that were deleted would keep their values; the foreign key of, which rows that were deleted would break, since those of a.customers go"},
		{mapping.Entity{Deletes: mapping.SoftDeletes}, mapping.Entity{Deletes: mapping.SkipDeletes},
			"[id] pk [id] by_country[country no] by_note[note] of[customer] to customers[id] the unique key by_no, of which rows that were deleted would keep their values"},
	} {
		source := orders()
		r := rules(t, mapping.Options{Entities: map[string]mapping.Entity{"a.orders": c.orders, "a.customers": c.customers}})
		ms, err := mapping.NewHandler(r, nil).Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: source})
		if err != nil {
			t.Errorf("%+v: %v", c, err)
			continue
		}
		if got := describe(ms[0].Table); got != c.want {
			t.Errorf("%+v: got\n%s\nwant\n%s", c.orders, got, c.want)
		}
		if source.Columns[0].Name != "id" || len(source.Uniques) != 1 || source.Unsupported != nil {
			t.Error("the source's shape was changed")
		}
	}
}

// TestActingForeignKeys: one that the log does not tell of acts in the target as at
// the source, or is refused.
func TestActingForeignKeys(t *testing.T) {
	for _, c := range []struct {
		orders, customers  mapping.Entity
		onDelete, onUpdate schema.Action
		refused            string
	}{
		{mapping.Entity{Where: `no == "A"`}, mapping.Entity{}, schema.Cascade, "", ""},
		{mapping.Entity{Drop: []string{"customer"}}, mapping.Entity{}, schema.Cascade, "", "would be without it"},
		{mapping.Entity{Drop: []string{"customer"}}, mapping.Entity{}, schema.Restrict, "", ""},
		{mapping.Entity{}, mapping.Entity{Where: "true"}, schema.Cascade, "", "leaves the filter"},
		{mapping.Entity{}, mapping.Entity{Deletes: mapping.SoftDeletes}, schema.SetNull, "", "keep rows"},
		{mapping.Entity{Deletes: mapping.SoftDeletes}, mapping.Entity{}, schema.Cascade, "", "would be without it"},
		{mapping.Entity{Where: "customer != 5"}, mapping.Entity{}, schema.SetNull, "", "make others of"},
		{mapping.Entity{Columns: map[string]string{"x": "customer + 1"}}, mapping.Entity{}, "", schema.Cascade, "make others of"},
		{mapping.Entity{Columns: map[string]string{"x": "customer + 1"}}, mapping.Entity{}, schema.Cascade, "", ""},
	} {
		source := orders()
		source.ForeignKeys[0].OnDelete, source.ForeignKeys[0].OnUpdate = c.onDelete, c.onUpdate
		r := rules(t, mapping.Options{Entities: map[string]mapping.Entity{"a.orders": c.orders, "a.customers": c.customers}})
		_, err := mapping.NewHandler(r, nil).Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: source})
		if (rowferry.CodeOf(err) == rowferry.CodeCascades) != (c.refused != "") || c.refused != "" && !strings.Contains(err.Error(), c.refused) {
			t.Errorf("%+v: %v, want %q", c, err, c.refused)
		}
		if _, err := mapping.NewHandler(r, func(string) {}).Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: source}); err != nil {
			t.Errorf("%+v, as events: %v", c, err)
		}
	}
}

// TestEntitiesRefused are rules that are wrong whatever the table is.
func TestEntitiesRefused(t *testing.T) {
	for _, c := range []struct {
		e    mapping.Entity
		code rowferry.Code
	}{
		{mapping.Entity{Where: "id ="}, rowferry.CodeBadExpression},
		{mapping.Entity{Columns: map[string]string{"x": "now()"}}, rowferry.CodeBadExpression},
		{mapping.Entity{DeletedAt: "gone"}, rowferry.CodeRuleRefused},
		{mapping.Entity{Where: "true", Deletes: mapping.SkipDeletes}, rowferry.CodeRuleRefused},
		{mapping.Entity{Drop: []string{"a"}, Rename: map[string]string{"a": "b"}}, rowferry.CodeRuleRefused},
		{mapping.Entity{Source: "x", Key: "x"}, rowferry.CodeRuleRefused},
		{mapping.Entity{Columns: map[string]string{"deleted_at": "1"}, Deletes: mapping.SoftDeletes}, rowferry.CodeRuleRefused},
	} {
		if _, err := mapping.New(mapping.Options{Entities: map[string]mapping.Entity{"a.orders": c.e}}); rowferry.CodeOf(err) != c.code {
			t.Errorf("%+v: %v, want %s", c.e, err, c.code)
		}
	}
}

// TestEntityHash: rules that say nothing leave a pipeline's hash as it was.
func TestEntityHash(t *testing.T) {
	hash := func(e mapping.Entity) string {
		return rules(t, mapping.Options{Tables: []string{"a.*"}, Pipeline: "x", Entities: map[string]mapping.Entity{"a.orders": e}}).Hash()
	}
	none := rules(t, mapping.Options{Tables: []string{"a.*"}}).Hash()
	if got := hash(mapping.Entity{}); got != none {
		t.Errorf("rules that say nothing: %s, want %s", got, none)
	}
	if a, b := hash(mapping.Entity{Drop: []string{"a", "b"}}), hash(mapping.Entity{Drop: []string{"b", "a"}}); a != b {
		t.Error("the order of what is dropped counts")
	}
	seen := map[string]bool{none: true}
	for _, e := range []mapping.Entity{
		{Where: "id > 1"}, {Where: "id > 2"}, {Columns: map[string]string{"x": "1"}}, {Columns: map[string]string{"x": "2"}}, {Columns: map[string]string{"y": "1"}},
		{Drop: []string{"x"}}, {Rename: map[string]string{"x": "y"}}, {Rename: map[string]string{"x": "z"}}, {Source: "x"}, {Key: "x"}, {Time: "x"},
		{Deletes: mapping.SkipDeletes}, {Deletes: mapping.SoftDeletes}, {Deletes: mapping.SoftDeletes, DeletedAt: "x"},
	} {
		if h := hash(e); seen[h] {
			t.Errorf("%+v has the hash of other rules", e)
		} else {
			seen[h] = true
		}
	}
}

// TestPlainRowsAreShared: a table without rules costs no memory.
func TestPlainRowsAreShared(t *testing.T) {
	h := mapping.NewHandler(rules(t, mapping.Options{Entities: map[string]mapping.Entity{"a.other": {Where: "true"}}}), nil)
	c := &rowferry.Change{Op: rowferry.Insert, Table: orders(), After: row(1, "A", "DE", nil, 7)}
	ms := make([]rowferry.Mutation, 0, 4)
	allocations := testing.AllocsPerRun(100, func() {
		out, err := h.Handle(ms, c)
		if err != nil || &out[0].After[0] != &c.After[0] {
			t.Fatal(out, err)
		}
	})
	if allocations != 0 {
		t.Errorf("%g allocations", allocations)
	}
}
