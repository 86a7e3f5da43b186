package sqlite

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func childOf(parent, referenced string, onDelete schema.Action) *schema.Table {
	t := keyed("child", col("id", integer, false), col("p", integer, true))
	t.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: schema.Name{Table: parent}, Referenced: []string{referenced}, OnDelete: onDelete}}
	return t
}

// TestParentThatNeverCame: SQLite would refuse every row of the child, even
// one that points to no parent.
func TestParentThatNeverCame(t *testing.T) {
	o := DefaultOptions()
	var notices []string
	o.Notice = func(n string) { notices = append(notices, n) }
	sink, _ := openTraced(t, o)
	child := childOf("parent", "id", schema.NoAction)
	if err := apply(sink, 1, shaped(child)); err != nil {
		t.Fatal(err)
	}
	if err := apply(sink, 2, inserted(child, i(1), null), inserted(child, i(2), i(5))); err != nil {
		t.Fatal(err)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "without the foreign key (p) to parent (id): parent did not exist when the first row came") {
		t.Errorf("notices %v", notices)
	}
	if err := apply(sink, 3, shaped(child), inserted(child, i(3), null)); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT count(*) FROM child"); got != "3" {
		t.Errorf("%s rows, want 3", got)
	}
}

// TestActingParentThatNeverCame: its action would be lost, so nothing is
// written.
func TestActingParentThatNeverCame(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	child := childOf("parent", "id", schema.Cascade)
	if err := apply(sink, 1, shaped(child)); err != nil {
		t.Fatal(err)
	}
	err := apply(sink, 2, inserted(child, i(1), null))
	wants(t, err, rowferry.CodeCascades, "child")
	if !isRefusal(err) {
		t.Errorf("%v names no mutation", err)
	}
	parent := keyed("parent", col("id", integer, false))
	if err := apply(sink, 2, shaped(parent), inserted(parent, i(1)), inserted(child, i(1), i(1)),
		rowferry.Mutation{Op: rowferry.Delete, Table: parent, Before: rowferry.Row{i(1)}}); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT count(*) FROM child"); got != "0" {
		t.Errorf("%s rows, want none", got)
	}
}

// TestParentWithoutTheKey comes after its child and turns out to have no
// unique key over what the child refers to.
func TestParentWithoutTheKey(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	child := childOf("parent", "plain", schema.NoAction)
	var notices []string
	sink.options.Notice = func(n string) { notices = append(notices, n) }
	parent := keyed("parent", col("id", integer, false), col("plain", integer, true))
	if err := apply(sink, 1, shaped(child), shaped(parent), inserted(parent, i(1), i(5)),
		rowferry.Mutation{Op: rowferry.Delete, Table: parent, Before: rowferry.Row{i(1), i(5)}}, inserted(child, i(1), i(9))); err != nil {
		t.Fatal(err)
	}
	if got := one(t, sink, "SELECT count(*) FROM pragma_foreign_key_list('child')"); got != "0" {
		t.Errorf("%s foreign keys, want none", got)
	}
	if len(notices) != 1 || !strings.Contains(notices[0], "has no primary or unique key") {
		t.Errorf("notices %v", notices)
	}
}

// TestForeignUnsoundTable is of somebody else's making, so it is not made anew.
func TestForeignUnsoundTable(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	sql(t, sink, "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER REFERENCES parent (id), extra TEXT)")
	child := childOf("parent", "id", schema.NoAction)
	wants(t, apply(sink, 1, shaped(child), inserted(child, i(1), null)), rowferry.CodeTableDiffers, "parent")
	sql(t, sink, "CREATE TABLE parent (id INTEGER, plain TEXT)")
	parent := &schema.Table{Name: schema.Name{Table: "parent"}, Columns: []schema.Column{col("id", integer, true), col("plain", text, true)}}
	wants(t, apply(sink, 1, inserted(parent, i(1), null)), rowferry.CodeTableDiffers, "child")
}

// TestActionsMustAgree compares an existing table's foreign keys with the
// source's.
func TestActionsMustAgree(t *testing.T) {
	parent := keyed("parent", col("id", integer, false))
	for _, c := range []struct {
		name, sql string
		source    schema.Action
		known     bool
		code      rowferry.Code
	}{
		{"same", "REFERENCES parent (id) ON DELETE CASCADE", schema.Cascade, true, ""},
		{"implied key", "REFERENCES Parent ON DELETE CASCADE", schema.Cascade, true, ""},
		{"refused alike", "REFERENCES parent (id) ON DELETE CASCADE ON UPDATE RESTRICT", schema.Cascade, true, ""},
		{"none here", "", schema.Cascade, true, rowferry.CodeCascades},
		{"another here", "REFERENCES parent (id) ON DELETE SET NULL", schema.Cascade, true, rowferry.CodeCascades},
		{"only here", "REFERENCES parent (id) ON DELETE CASCADE", schema.NoAction, true, rowferry.CodeCascades},
		{"unknown there", "REFERENCES parent (id) ON DELETE CASCADE", schema.NoAction, false, ""},
		{"no action", "", schema.NoAction, true, ""},
	} {
		sink, _ := openTraced(t, DefaultOptions())
		sql(t, sink, "CREATE TABLE parent (id INTEGER PRIMARY KEY)", "CREATE TABLE child (id INTEGER PRIMARY KEY, p INTEGER "+c.sql+")")
		child := childOf("parent", "id", c.source)
		child.ConstraintsKnown = c.known
		err := apply(sink, 1, shaped(parent), shaped(child))
		if rowferry.CodeOf(err) != c.code {
			t.Errorf("%s: got %v, want %q", c.name, err, c.code)
		}
	}
}

// TestOrphansAreNamed: a commit that is refused says which rows have no
// parent.
func TestOrphansAreNamed(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	parent, child := keyed("parent", col("id", integer, false)), childOf("parent", "id", schema.NoAction)
	if err := apply(sink, 1, shaped(parent), shaped(child), inserted(parent, i(1)), inserted(child, i(10), i(1))); err != nil {
		t.Fatal(err)
	}
	origin := &rowferry.Origin{Tx: "0-1-77"}
	del := rowferry.Mutation{Op: rowferry.Delete, Table: parent, Before: rowferry.Row{i(1)}, Origin: origin}
	err := apply(sink, 2, del)
	wants(t, err, rowferry.CodeRowRefused, "child id=10 p=1 has no parent in parent")
	if !isRefusal(err) {
		t.Errorf("%v names no mutation", err)
	}
	if got := one(t, sink, "SELECT count(*) FROM parent"); got != "1" {
		t.Errorf("%s parents, want 1", got)
	}
}
