package cli

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// labels is a handler of item that marks labels, and leaves out one of them.
type labels struct {
	version string
	// more appends to what a row came to, or changes it.
	more func(ms []rowferry.Mutation) []rowferry.Mutation
}

func (labels) Target(schema.Name) schema.Name { return schema.Name{Table: "item"} }

func (h labels) Version() string { return h.version }

func (h labels) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	for _, r := range []rowferry.Row{c.Before, c.After} {
		if r != nil && r[1].Str() == "row 1" {
			return dst, nil
		}
		if r != nil && r[1].Str() == "row 99" {
			return dst, fmt.Errorf("there are no 99 rows")
		}
		if r != nil {
			r[1] = rowferry.TextValue("marked " + r[1].Str())
		}
	}
	ms := []rowferry.Mutation{{Op: c.Op, Table: c.Table.WithName(schema.Name{Table: "item"}), Before: c.Before, After: c.After}}
	if h.more != nil {
		ms = h.more(ms)
	}
	return append(dst, ms...), nil
}

// twice has every row in a second table too.
func twice(ms []rowferry.Mutation) []rowferry.Mutation {
	second := ms[0]
	second.Table = second.Table.WithName(schema.Name{Table: "second"})
	return append(ms, second)
}

// elsewhere gives rows another key.
func elsewhere(ms []rowferry.Mutation) []rowferry.Mutation {
	if r := ms[0].After; r != nil {
		r[0] = rowferry.IntValue(r[0].Int() + 1000)
	}
	return ms
}

// updates makes updates of inserts.
func updates(ms []rowferry.Mutation) []rowferry.Mutation {
	if ms[0].Op == rowferry.Insert {
		ms[0].Op, ms[0].Before = rowferry.Update, make(rowferry.Row, len(ms[0].After))
		ms[0].Before[0] = ms[0].After[0]
	}
	return ms
}

// TestHandler copies and follows by a custom handler.
func TestHandler(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 4)
	with := func(h labels) Option { return WithHandler(o.name+".item", h) }
	once := []string{"run", "-c", "shop.yaml", "--once"}
	if got := run(t, once, with(labels{})); got.code != 0 {
		t.Fatal(got.err)
	}
	o.exec(t, "INSERT INTO item (label) VALUES ('late')", "UPDATE item SET label = 'row 1' WHERE label = 'row 2'", "DELETE FROM item WHERE label = 'row 3'")
	if got := run(t, once, with(labels{version: "2"})); got.code != 2 || !strings.Contains(got.err, "RF-1010") {
		t.Errorf("another version goes on: %+v", got)
	}
	if got := run(t, once); got.code != 2 || !strings.Contains(got.err, "RF-1010") {
		t.Errorf("without its handler it goes on: %+v", got)
	}
	if got := run(t, once, with(labels{})); got.code != 0 {
		t.Fatal(got.err)
	}
	for query, want := range map[string]string{
		"item": "3", "item WHERE label IN ('marked row 0', 'marked row 2', 'marked late')": "3",
	} {
		if got := rows(t, "shop.db", query); got != want {
			t.Errorf("%s: %s rows, want %s", query, got, want)
		}
	}
	o.exec(t, "INSERT INTO item (label) VALUES ('row 99')")
	got := run(t, once, with(labels{}))
	for _, part := range []string{"RF-5050", "there are no 99 rows", o.name + ".item", "id=6", "transaction"} {
		if got.code != 1 || !strings.Contains(got.err, part) {
			t.Errorf("a handler's error lacks %q: %s", part, got.err)
		}
	}
}

// TestHandlerCopies: where a row does not become one row under its key, nothing is
// copied, and following is another matter.
func TestHandlerCopies(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.insert(t, 3)
	for i, c := range []struct {
		h    labels
		code string
	}{{labels{more: twice}, "RF-2034"}, {labels{more: elsewhere}, "RF-5051"}, {labels{more: updates}, "RF-5051"}} {
		handler := WithHandler(o.name+".item", c.h)
		args := []string{"-c", "shop.yaml", "--target", fmt.Sprintf("sqlite:%d.db", i), "--state", fmt.Sprintf("state%d", i)}
		if got := run(t, append([]string{"run", "--once"}, args...), handler); got.code == 0 || !strings.Contains(got.err, c.code) {
			t.Errorf("%d is copied: %+v", i, got)
		}
		if got := run(t, append([]string{"plan"}, args...), handler); (got.code == 0) != (i > 0) {
			t.Errorf("the plan of %d: %+v", i, got)
		}
	}
	split := WithHandler(o.name+".item", labels{more: twice})
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once", "--from", "earliest"}, split); got.code != 0 {
		t.Fatal(got.err)
	}
	for _, table := range []string{"item", "second"} {
		if got := rows(t, "shop.db", table); got != "2" {
			t.Errorf("%s has %s rows", table, got)
		}
	}
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once", "--from", "earliest", "--target", "jsonl:shop.jsonl", "--state", "lines"}, split); got.code != 0 {
		t.Fatal(got.err)
	}
	text, err := os.ReadFile("shop.jsonl")
	if err != nil {
		t.Fatal(err)
	}
	ids := map[string]bool{}
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n") {
		id, _, _ := strings.Cut(line, `,"op"`)
		if ids[id] {
			t.Errorf("two events are %s", id)
		}
		ids[id] = true
	}
	if len(ids) != 4 {
		t.Errorf("there are %d events", len(ids))
	}
}

// TestHandlerKeys: rows that a custom handler makes get keys of the target's own.
func TestHandlerKeys(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	o.file += fmt.Sprintf("entities: {%[1]s.item: {key: {offset: 500}}, %[1]s.part: {references: {item_id: %[1]s.item.id}}}\n", o.name)
	if err := os.WriteFile("shop.yaml", []byte(o.file), 0o600); err != nil {
		t.Fatal(err)
	}
	o.exec(t, "CREATE TABLE part (id BIGINT PRIMARY KEY, item_id BIGINT NOT NULL)")
	o.insert(t, 3)
	o.exec(t, "INSERT INTO part VALUES (1, 3)")
	handler := WithHandler(o.name+".item", labels{})
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}, handler); got.code != 0 {
		t.Fatal(got.err)
	}
	o.exec(t, "UPDATE item SET label = 'new' WHERE id = 1", "INSERT INTO item VALUES (9, 'late')", "INSERT INTO part VALUES (2, 9)")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}, handler); got.code != 0 {
		t.Fatal(got.err)
	}
	for query, want := range map[string]string{
		"item WHERE id = 501 AND label = 'marked new' OR id = 503 AND label = 'marked row 2' OR id = 509": "3",
		"part WHERE item_id IN (503, 509)": "2",
	} {
		if got := rows(t, "shop.db", query); got != want {
			t.Errorf("%s: %s rows, want %s", query, got, want)
		}
	}
	found := run(t, []string{"map", "lookup", "-c", "shop.yaml", o.name + ".item", "9"}, handler)
	if found.code != 0 || !strings.Contains(found.out, "509") {
		t.Errorf("%+v", found)
	}
	split := WithHandler(o.name+".item", labels{more: twice})
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once", "--target", "sqlite:split.db", "--state", "split"}, split); got.code != 2 || !strings.Contains(got.err, "RF-5052") {
		t.Errorf("several tables beside given keys: %+v", got)
	}
}

// notes is a handler of item and part: a part is the note of its item.
type notes struct{}

func (notes) Target(schema.Name) schema.Name { return schema.Name{Table: "item"} }

var noted = &schema.Table{
	Name: schema.Name{Table: "item"},
	Columns: []schema.Column{
		{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}},
		{Name: "label", Type: schema.Type{Kind: schema.Text, Charset: "utf8mb4"}},
		{Name: "note", Type: schema.Type{Kind: schema.Text, Charset: "utf8mb4"}, Nullable: true},
	},
	PrimaryKey: []int{0}, ConstraintsKnown: true,
}

func (notes) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	if c.Op == rowferry.Shape {
		return append(dst, rowferry.Mutation{Op: rowferry.Shape, Table: noted}), nil
	}
	if c.Op == rowferry.Truncate {
		return dst, fmt.Errorf("%s was truncated", c.Table.Name)
	}
	if c.Table.Name.Table == "item" {
		wide := func(r rowferry.Row) rowferry.Row {
			if r == nil {
				return nil
			}
			return rowferry.Row{r[0], r[1], {}}
		}
		if c.Op == rowferry.Insert {
			return append(dst, rowferry.Mutation{Op: c.Op, Table: noted, After: rowferry.Row{c.After[0], c.After[1], rowferry.NullValue()}}), nil
		}
		return append(dst, rowferry.Mutation{Op: c.Op, Table: noted, Before: wide(c.Before), After: wide(c.After)}), nil
	}
	if r := c.Before; r != nil {
		dst = append(dst, rowferry.Mutation{Op: rowferry.Update, Table: noted, Before: rowferry.Row{r[1], {}, r[2]}, After: rowferry.Row{{}, {}, rowferry.NullValue()}})
	}
	if r := c.After; r != nil {
		dst = append(dst, rowferry.Mutation{Op: rowferry.Update, Table: noted, Before: rowferry.Row{r[1], {}, {}}, After: rowferry.Row{{}, {}, r[2]}})
	}
	return dst, nil
}

// TestHandlerFolds: rows of a child become columns of its parent's row, which a copy
// can bring only where rows come by one, parents first.
func TestHandlerFolds(t *testing.T) {
	o := newOrigin(t, testdb.MariaDB1011, "sqlite:shop.db")
	fold := WithHandler(o.name+".item,"+o.name+".a_part", notes{})
	o.exec(t, "CREATE TABLE a_part (id BIGINT PRIMARY KEY, item_id BIGINT NOT NULL, note VARCHAR(20), FOREIGN KEY (item_id) REFERENCES item (id) ON DELETE CASCADE)")
	o.insert(t, 4)
	o.exec(t, "INSERT INTO a_part VALUES (1, 1, 'one'), (2, 2, 'two'), (3, 3, 'three')")
	if got := run(t, []string{"run", "-c", "shop.yaml", "--once"}, fold); got.code == 0 || !strings.Contains(got.err, "RF-2034") {
		t.Errorf("it is copied: %+v", got)
	}
	keys := o.file + fmt.Sprintf("entities: {%s.item: {key: {offset: 500}}}\n", o.name)
	if err := os.WriteFile("keys.yaml", []byte(strings.NewReplacer("shop.db", "keys.db").Replace(keys)+"state: keys\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"run", "-c", "shop.yaml", "--once", "--from", "earliest"}, {"run", "-c", "keys.yaml", "--once"}} {
		if got := run(t, args, fold); got.code != 0 {
			t.Fatal(got.err)
		}
	}
	o.exec(t, "UPDATE a_part SET item_id = 4, note = 'moved' WHERE id = 1", "UPDATE item SET label = 'new' WHERE id = 4", "DELETE FROM a_part WHERE id = 2", "DELETE FROM item WHERE id = 3",
		"INSERT INTO item VALUES (9, 'nine')", "INSERT INTO a_part VALUES (9, 9, 'late')")
	for _, args := range [][]string{{"run", "-c", "shop.yaml", "--once"}, {"run", "-c", "keys.yaml", "--once"}} {
		if got := run(t, args, fold); got.code != 0 {
			t.Fatal(got.err)
		}
	}
	for file, by := range map[string]int{"shop.db": 0, "keys.db": 500} {
		for where, want := range map[string]string{
			"1": "4", fmt.Sprintf("id = %d AND label = 'new' AND note = 'moved'", by+4): "1", fmt.Sprintf("id = %d AND note = 'late'", by+9): "1",
			fmt.Sprintf("id IN (%d, %d) AND note IS NULL", by+1, by+2): "2",
		} {
			if got := rows(t, file, "item WHERE "+where); got != want {
				t.Errorf("%s has %s rows of %s, want %s", file, got, where, want)
			}
		}
	}
}
