package mapping

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// exprTable has a column of each family.
var exprTable = &schema.Table{
	Name: schema.Name{Schema: "shop", Table: "t"},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}},
		{Name: "n", Type: schema.Type{Kind: schema.Int, Bits: 32}, Nullable: true},
		{Name: "price", Type: schema.Type{Kind: schema.Decimal, Precision: 20, Scale: 4}},
		{Name: "any_price", Type: schema.Type{Kind: schema.Decimal}},
		{Name: "f", Type: schema.Type{Kind: schema.Float64}},
		{Name: "name", Type: schema.Type{Kind: schema.VarChar, Length: 10}},
		{Name: "note", Type: schema.Type{Kind: schema.Text}, Nullable: true},
		{Name: "day", Type: schema.Type{Kind: schema.Date}},
		{Name: "at", Type: schema.Type{Kind: schema.DateTime, Fsp: 3}},
		{Name: "ts", Type: schema.Type{Kind: schema.Timestamp}},
		{Name: "raw", Type: schema.Type{Kind: schema.Blob}},
		{Name: "j", Type: schema.Type{Kind: schema.JSON}},
		{Name: "ok", Type: schema.Type{Kind: schema.Bool}},
		{Name: "a b", Type: schema.Type{Kind: schema.Int, Bits: 8}},
	},
	PrimaryKey: []int{0},
}

func exprRow() rowferry.Row {
	return rowferry.Row{
		rowferry.UintValue(7), rowferry.NullValue(), rowferry.TextValue("9007199254740993.0001"), rowferry.TextValue("1.50"), rowferry.FloatValue(0.5),
		rowferry.TextValue("Ärger"), rowferry.NullValue(), rowferry.TextValue("2026-01-31"), rowferry.TextValue("2026-01-31 00:00:00.000"),
		rowferry.TextValue("2026-01-31 12:00:00+00"), rowferry.BytesValue("\x01"), rowferry.TextValue(`{"a":1}`), rowferry.IntValue(1), rowferry.IntValue(3),
	}
}

// TestExpressions computes one row.
func TestExpressions(t *testing.T) {
	for _, c := range []struct{ text, kind, want string }{
		{`id == 7 and id in [1, 7]`, "bool", "1"},
		{`id * 3 - 1`, "bigint", "20"},
		{`-id % 4`, "bigint", "-3"},
		{`n == nil && n != 5 && not (n in [1, 2])`, "bool", "1"},
		{`(n ?? 4) > 3`, "bool", "1"},
		{`n ?? 4`, "bigint", "4"},
		{`price > 9007199254740993`, "bool", "1"}, // which are equal as doubles
		{`price == 9007199254740993.0001 || price == decimal("9007199254740993.0001")`, "", "a number of so many digits"},
		{`price == decimal("9007199254740993.00010")`, "bool", "1"},
		{`price + 0.5`, "decimal(21,4)", "9007199254740993.5001"},
		{`price * 2`, "decimal(39,4)", "18014398509481986.0002"},
		{`id > 6.5`, "bool", "1"},
		{`any_price == 1.5`, "bool", "1"},
		{`ok ? price : 0`, "decimal(23,4)", "9007199254740993.0001"},
		{`id > 7 ? price : 0`, "decimal(23,4)", "0.0000"},
		{`f * 2 == 1`, "bool", "1"},
		{`float(id) / 2`, "double", "3.5"},
		{`name + "!"`, "text", "Ärger!"},
		{`lower(name) startsWith "är" and len(name) == 5 and name contains "ger" and name endsWith "r" and name matches "^Ä.*r$"`, "bool", "1"},
		{`note == nil ? "none" : "some"`, "text", "none"},
		{`upper(note)`, "text", "NULL"},
		{`trim(" x ") + replace(name, "Ä", "Ae")`, "text", "xAerger"},
		{`name | lower()`, "text", "ärger"},
		{`name in ["x", "Ärger"] && note not in ["y"]`, "bool", "1"},
		{`day >= "2026-01-31" && day < "2026-02-01"`, "bool", "1"},
		{`at == "2026-01-31" && at <= "2026-01-31 00:00:00"`, "bool", "1"},
		{`ts > "2026-01-31 11:59:59.999999"`, "bool", "1"},
		{`day in ["2026-01-30", "2026-01-31"]`, "bool", "1"},
		{`text(id) + text(day) + text(price) + text(j)`, "text", `72026-01-319007199254740993.0001{"a":1}`},
		{`$env["a b"] + 1`, "bigint", "4"},
		{`!ok || raw == nil`, "bool", "0"},
		{`"DE"`, "text", "DE"},
		{`id * 9223372036854775807`, "", "beyond 64 bits"},
		{`id % (id - 7)`, "", "division by zero"},
	} {
		x, err := parseExpression(c.text)
		var p *program
		if err == nil {
			p, err = x.compile(exprTable)
		}
		got := ""
		if err == nil {
			v, failed := p.value(exprRow())
			got, err = v.String(), failed
		}
		switch {
		case err != nil && (c.kind != "" || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v", c.text, err)
		case err == nil && c.kind == "":
			t.Errorf("%s is %s, and should not be", c.text, got)
		case err == nil && (got != c.want || p.declared().String() != c.kind):
			t.Errorf("%s is %s, %s, want %s, %s", c.text, got, p.declared(), c.want, c.kind)
		}
	}
}

// TestRefusedExpressions are told at the place where they are wrong.
func TestRefusedExpressions(t *testing.T) {
	for _, c := range []struct{ text, want string }{
		{`id = 5`, "id = 5\n   ^ this is no expression"},
		{`now() > ts`, "now() > ts\n^ now is not taken here"},
		{`uuid()`, "uuid()\n^ there is no function uuid"},
		{`lower(name, 1)`, "lower(name, 1)\n^ lower takes 1 arguments"},
		{`name + 1`, "name + 1\n     ^ + is not defined for text and a whole number"},
		{`Name == "x"`, "Name == \"x\"\n^ table shop.t has no column Name"},
		{`n > 5`, "n > 5\n  ^ > is not defined for NULL"},
		{`note + "x"`, "note + \"x\"\n     ^ + is not defined for NULL"},
		{`id / 2`, "id / 2\n   ^ a division of exact numbers would round"},
		{`price > f`, "price > f\n      ^ an exact number and a floating-point one"},
		{`price + f`, "price + f\n      ^ an exact number and a floating-point one"},
		{`any_price + 1`, "any_price + 1\n          ^ how many digits"},
		{`name == 5`, "name == 5\n     ^ text cannot be compared with a whole number"},
		{`day == "31.1.2026"`, "day == \"31.1.2026\"\n    ^ \"31.1.2026\" is not written as a date is"},
		{`day == "2026-01-31 12:00:00"`, "day == \"2026-01-31 12:00:00\"\n    ^ \"2026-01-31 12:00:00\" is not written as a date is"},
		{`at > ts`, "at > ts\n   ^ a datetime(3) cannot be compared with a timestamp"},
		{`raw == "x"`, "raw == \"x\"\n    ^ a blob cannot be compared with text"},
		{`[1, 2]`, "[1, 2]\n^ this part of the expression language"},
		{`let x = 1; x`, "let x = 1; x\n    ^ this part of the expression language"},
		{`filter([1], # > 0)`, "filter([1], # > 0)\n^ there is no function filter"},
		{`id in 1..5`, "id in 1..5\n   ^ in takes a list"},
		{`ok ? 1 : "x"`, "ok ? 1 : \"x\"\n           ^ one side is a whole number and the other text"},
		{`ok > false`, "ok > false\n   ^ true and false have no order"},
		{`name matches "("`, "name matches \"(\"\n             ^ error parsing regexp"},
	} {
		x, err := parseExpression(c.text)
		if err == nil {
			_, err = x.compile(exprTable)
		}
		m, ok := err.(*mistake)
		if !ok {
			t.Errorf("%s: %v", c.text, err)
			continue
		}
		if got := m.pointed() + " " + m.what; !strings.HasPrefix(got, c.want) {
			t.Errorf("%s:\n%s\nwant\n%s", c.text, got, c.want)
		}
	}
	x, err := parseExpression(`name + "x"`)
	if err != nil {
		t.Fatal(err)
	}
	if _, err = x.compileWhere(exprTable); err == nil || !strings.Contains(err.Error(), "a filter is true or false, and this is text") {
		t.Error(err)
	}
}

// TestUnsignedBeyond: what expressions cannot count to is said, not wrapped; a copy
// of a column has it all the same.
func TestUnsignedBeyond(t *testing.T) {
	row := exprRow()
	row[0] = rowferry.UintValue(1 << 63)
	for text, fails := range map[string]bool{`id > 5`: true, `id`: false} {
		x, err := parseExpression(text)
		if err != nil {
			t.Fatal(err)
		}
		p, err := x.compile(exprTable)
		if err != nil {
			t.Fatal(err)
		}
		if v, err := p.value(row); (err != nil) != fails || !fails && v != row[0] {
			t.Errorf("%s: %s, %v", text, v, err)
		}
	}
}
