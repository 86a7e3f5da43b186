package mapping_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// eased is a mutation as said, with what it made up and left out.
func eased(ms []rowferry.Mutation) string {
	text := said(ms)
	for _, m := range ms {
		if m.Defaulted {
			text += " defaulted"
		}
		if m.LeftOut {
			text += " left out"
		}
	}
	return text
}

// TestDefaults: a default stands for NULL and for a column that the source does not
// have, in old images too, and is counted where it comes to be.
func TestDefaults(t *testing.T) {
	null, note := row(1, "A", "DE", nil, 7), row(1, "A", "DE", "x", 7)
	constant := mapping.Entity{Defaults: map[string]string{"note": `"none"`}}
	computed := mapping.Entity{Rename: map[string]string{"note": "remark"}, Defaults: map[string]string{"remark": `country + "!"`}}
	added := mapping.Entity{Defaults: map[string]string{"color": `"red"`}}
	for _, c := range []struct {
		of            string
		e             mapping.Entity
		op            rowferry.Op
		before, after rowferry.Row
		want          string
	}{
		{"insert of NULL", constant, rowferry.Insert, nil, null, "insert - [1 A DE none 7] defaulted"},
		{"insert of a value", constant, rowferry.Insert, nil, note, "insert - [1 A DE x 7]"},
		{"comes to be NULL", constant, rowferry.Update, note, null, "update [1 A DE x 7] [1 A DE none 7] defaulted"},
		{"ceases to be NULL", constant, rowferry.Update, null, note, "update [1 A DE none 7] [1 A DE x 7]"},
		{"stays NULL", constant, rowferry.Update, null, row(1, "B", "DE", nil, 7), "update [1 A DE none 7] [1 B DE none 7]"},
		{"from NULL to the default", constant, rowferry.Update, null, row(1, "A", "DE", "none", 7), ""},
		{"was NULL", constant, rowferry.Delete, null, nil, "delete [1 A DE none 7] -"},
		{"a minimal image without it", constant, rowferry.Update, row(1, absent{}, absent{}, absent{}, absent{}), row(absent{}, "B", absent{}, absent{}, absent{}), "update [1 ? ? ? ?] [? B ? ? ?]"},
		{"a minimal image with it", constant, rowferry.Update, row(1, absent{}, absent{}, absent{}, absent{}), row(absent{}, absent{}, absent{}, nil, absent{}), "update [1 ? ? ? ?] [? ? ? none ?] defaulted"},
		{"computed of another column", computed, rowferry.Update, null, row(1, "A", "FR", nil, 7), "update [1 A DE DE! 7] [1 A FR FR! 7]"},
		{"a column more", added, rowferry.Insert, nil, note, "insert - [1 A DE x 7 red] defaulted"},
		{"a column more stays", added, rowferry.Update, note, null, "update [1 A DE x 7 red] [1 A DE NULL 7 red]"},
		{"enters the filter", mapping.Entity{Where: `country == "DE"`, Defaults: constant.Defaults}, rowferry.Update, row(1, "A", "FR", nil, 7), null, "insert - [1 A DE none 7] defaulted"},
	} {
		ms, err := handled(t, c.e, &rowferry.Change{Op: c.op, Before: c.before, After: c.after})
		if got := eased(ms); err != nil || got != c.want {
			t.Errorf("%s: %s, %v\nwant %s", c.of, got, err, c.want)
		}
	}
}

// TestDefaultTypes: a default has the type of its column, as the column carries it.
func TestDefaultTypes(t *testing.T) {
	of := func(x schema.Type, text string) (string, error) {
		source := &schema.Table{Name: name("orders"), PrimaryKey: []int{0}, Columns: []schema.Column{
			{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 32}}, {Name: "c", Type: x, Nullable: true}, {Name: "other", Type: x}}}
		ms, err := handled(t, mapping.Entity{Defaults: map[string]string{"c": text}}, &rowferry.Change{Op: rowferry.Insert, Table: source, After: row(1, nil, 5)})
		if err != nil {
			return "", err
		}
		if c := ms[0].Table.Columns[1]; c.Nullable || c.Type.Kind != x.Kind {
			t.Errorf("%s: the column is %+v", text, c)
		}
		v := ms[0].After[1]
		return map[rowferry.ValueKind]string{rowferry.Int: "i ", rowferry.Uint: "u ", rowferry.Float: "f ", rowferry.Text: "t "}[v.Kind()] + v.String(), nil
	}
	number, date := schema.Type{Kind: schema.Int, Bits: 32}, schema.Type{Kind: schema.Date}
	unsigned := schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}
	money := schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2}
	for _, c := range []struct {
		of         schema.Type
		text, want string
		code       rowferry.Code
	}{
		{number, "1 + 2", "i 3", ""},
		{number, "other", "i 5", ""},
		{number, `"3"`, "", rowferry.CodeBadExpression},
		{number, "nil", "", rowferry.CodeBadExpression},
		{unsigned, "3", "u 3", ""},
		{unsigned, "-3", "", rowferry.CodeNotComputed},
		{money, "0", "t 0.00", ""},
		{money, "1.5", "t 1.50", ""},
		{money, "1.234", "", rowferry.CodeBadExpression},
		{schema.Type{Kind: schema.Float64}, "2", "f 2", ""},
		{date, `"2026-01-31"`, "t 2026-01-31", ""},
		{date, `"2026-01-31 12:00:00"`, "", rowferry.CodeBadExpression},
		{date, `"soon"`, "", rowferry.CodeBadExpression},
		{schema.Type{Kind: schema.DateTime}, `"2026-01-31 12:00:00"`, "t 2026-01-31 12:00:00", ""},
		{schema.Type{Kind: schema.JSON}, `"{}"`, "", rowferry.CodeBadExpression},
	} {
		if got, err := of(c.of, c.text); got != c.want || rowferry.CodeOf(err) != c.code {
			t.Errorf("%s with the default %s: %q, %v, want %q, %s", c.of, c.text, got, err, c.want, c.code)
		}
	}
}

// TestMissingColumns: what the target lacks is left out, with the keys over it, and
// told and counted; the target's columns are a part of the rules.
func TestMissingColumns(t *testing.T) {
	var told []string
	facing := func(e mapping.Entity, columns ...int) (*mapping.Rules, error) {
		target := orders()
		target.Columns = nil
		for _, o := range columns {
			target.Columns = append(target.Columns, orders().Columns[o])
		}
		r := rules(t, mapping.Options{Entities: map[string]mapping.Entity{"a.orders": e}})
		target.Name = r.Target(target.Name)
		return r.Facing([]*schema.Table{target}, func(_ schema.Name, text string) { told = append(told, text) })
	}
	drop := mapping.Entity{MissingColumns: mapping.DropMissing}
	r, err := facing(drop, 0, 2, 4)
	if err != nil {
		t.Fatal(err)
	}
	h := mapping.NewHandler(r, nil)
	source := orders()
	for _, c := range []struct {
		op            rowferry.Op
		before, after rowferry.Row
		want          string
	}{
		{rowferry.Shape, nil, nil, "shape - -"},
		{rowferry.Insert, nil, row(1, "A", "DE", nil, 7), "insert - [1 DE 7] left out"},
		{rowferry.Update, row(1, "A", "DE", nil, 7), row(1, "A", "FR", nil, 7), "update [1 DE 7] [1 FR 7]"},
		{rowferry.Update, row(1, "A", "DE", nil, 7), row(1, "A", "FR", "x", 7), "update [1 DE 7] [1 FR 7] left out"},
		{rowferry.Update, row(1, "A", "DE", nil, 7), row(1, "B", "DE", nil, 7), ""},
		{rowferry.Delete, row(1, "A", "DE", nil, 7), nil, "delete [1 DE 7] -"},
	} {
		ms, err := h.Handle(nil, &rowferry.Change{Op: c.op, Table: source, Before: c.before, After: c.after})
		if got := eased(ms); err != nil || got != c.want {
			t.Errorf("%s %s %s: %s, %v\nwant %s", c.op, image(c.before), image(c.after), got, err, c.want)
		}
		if c.op == rowferry.Shape && (len(ms[0].Table.Uniques) > 0 || len(ms[0].Table.ForeignKeys) != 1) {
			t.Errorf("the target has %+v", ms[0].Table)
		}
	}
	if want := []string{"the target's orders has no column no: its values are left out", "the target's orders has no column note: its values are left out"}; strings.Join(told, "\n") != strings.Join(want, "\n") {
		t.Errorf("told %q, want %q", told, want)
	}
	more, err := facing(drop, 0, 2, 3, 4)
	if err != nil || more.Hash() == r.Hash() {
		t.Errorf("a column more is the same rules, or %v", err)
	}
	plain := rules(t, mapping.Options{Entities: map[string]mapping.Entity{"a.orders": drop}})
	if got := plain.Recalling(r.Canonical()); got.Canonical() != r.Canonical() {
		t.Errorf("recalled %s\nwant %s", got.Canonical(), r.Canonical())
	}
	if _, err := plain.Facing(nil, nil); rowferry.CodeOf(err) != rowferry.CodeRuleRefused {
		t.Errorf("without the table: %v", err)
	}
	keyless, err := facing(drop, 1, 2)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := mapping.NewHandler(keyless, nil).Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: orders()}); rowferry.CodeOf(err) != rowferry.CodeRuleRefused {
		t.Errorf("without the key: %v", err)
	}
	for _, e := range []mapping.Entity{
		{Defaults: map[string]string{"id": "1"}},
		{Defaults: map[string]string{"x": "1"}, Columns: map[string]string{"x": "2"}},
	} {
		_, wrong := mapping.New(mapping.Options{Entities: map[string]mapping.Entity{"a.orders": e}})
		if wrong == nil {
			_, wrong = handled(t, e, &rowferry.Change{Op: rowferry.Shape})
		}
		if rowferry.CodeOf(wrong) != rowferry.CodeRuleRefused {
			t.Errorf("%+v: %v", e, wrong)
		}
	}
}
