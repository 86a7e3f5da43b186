package mysql_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestWaitsWhileKeysAct: a child leaves its parent for one that is still to
// come, while the source's checks are off. Until it comes, the child still points
// to the old parent in the target, whose end or new key changes it there and did
// not at the source. That is no work of another.
func TestWaitsWhileKeysAct(t *testing.T) {
	off := func(m rowferry.Mutation) rowferry.Mutation {
		m.ChecksOff = true
		return m
	}
	parent, orphan := keyed("p", col("id", integer)), keyed("c", col("id", integer), col("p", integer), col("v", integer))
	orphan.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{"id"}, OnDelete: schema.SetNull, OnUpdate: schema.Cascade}}
	of := func(p, v int64) rowferry.Row { return rowferry.Row{i(1), i(p), i(v)} }
	leaves := off(updated(orphan, of(1, 0), of(10, 0)))
	for _, c := range []struct {
		name string
		ms   []rowferry.Mutation
		want string
	}{
		{"parent deleted", []rowferry.Mutation{leaves, deleted(parent, i(1)), inserted(parent, i(10))}, "10 0"},
		{"parent renamed", []rowferry.Mutation{leaves, updated(parent, rowferry.Row{i(1)}, rowferry.Row{i(2)}), inserted(parent, i(10))}, "10 0"},
		{"changed before and after", []rowferry.Mutation{leaves, updated(orphan, of(10, 0), of(10, 7)), deleted(parent, i(1)), updated(orphan, of(10, 7), of(10, 8)), inserted(parent, i(10))}, "10 8"},
		{"deleted in the end", []rowferry.Mutation{leaves, deleted(parent, i(1)), inserted(parent, i(10)), deleted(orphan, of(10, 0)...)}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			onEach(t, func(t *testing.T, server *testdb.Server) {
				name, db := testdb.NewDatabase(t, server)
				sink := open(t, server, name, nil)
				defer sink.Close()
				p := begin(t, sink)
				p.must(shaped(parent), shaped(orphan), inserted(parent, i(1)), inserted(orphan, of(1, 0)...))
				p.must(c.ms...)
				if got := one(t, db, "SELECT COALESCE(GROUP_CONCAT(p, ' ', v), '') FROM c"); got != c.want {
					t.Errorf("the child is %q, want %q", got, c.want)
				}
				// The row of another is still told from it.
				mustExec(t, db, "INSERT INTO c VALUES (2, NULL, 7)", "INSERT INTO p VALUES (3)")
				wants(t, p.try(off(updated(orphan, rowferry.Row{i(2), i(3), i(0)}, rowferry.Row{i(2), i(11), i(1)})), inserted(parent, i(11))), rowferry.CodeRowDiffers, "differs in: p, v")
			})
		})
	}
}

// TestKeysOfTextWait: a parent gets another key, and waits for its children, who wait
// for it, while rows of other keys come in between. They are told apart where the
// target compares bytes, and so do not wait for each other.
func TestKeysOfTextWait(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		exact := schema.MySQLServer{MariaDB: server.Kind.Flavor() == testdb.MariaDB}.Exact()
		key := schema.Type{Kind: schema.VarChar, Length: 20, Charset: "utf8mb4", Collation: exact}
		parent, child := keyed("p", col("id", key)), keyed("c", col("p", key), col("n", integer))
		child.PrimaryKey = []int{0, 1}
		child.Columns[0].Nullable, child.Columns[1].Nullable = false, false
		child.ForeignKeys = []schema.ForeignKey{{Columns: []int{0}, Parent: parent.Name, Referenced: []string{"id"}}}
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		p.must(shaped(parent), shaped(child), inserted(parent, s("a")), inserted(child, s("a"), i(1)))
		renamed := updated(parent, rowferry.Row{s("a")}, rowferry.Row{s("b")})
		renamed.ChecksOff = true
		p.must(renamed, inserted(parent, s("x")), inserted(child, s("x"), i(1)), updated(child, rowferry.Row{s("a"), i(1)}, rowferry.Row{s("b"), i(1)}))
		if got := one(t, db, "SELECT GROUP_CONCAT(p.id, ' ', c.n ORDER BY p.id) FROM p LEFT JOIN c ON c.p = p.id"); got != "b 1,x 1" {
			t.Errorf("the parents and their children are %q", got)
		}
	})
}

// TestOldTextWithSpaces: a text that might be cut off when it is written is
// compared all the same.
func TestOldTextWithSpaces(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		text := strings.Repeat("x", 200) + " "
		mustExec(t, db, "CREATE TABLE t (id INT PRIMARY KEY, c TINYTEXT CHARACTER SET latin2, n INT)", "INSERT INTO t VALUES (1, '"+text+"', 1)")
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("c", schema.Type{Kind: schema.Text, Charset: "latin2", Collation: "latin2_general_ci"}), col("n", integer))
		p := begin(t, sink)
		p.must(shaped(table), updated(table, rowferry.Row{i(1), s(text), i(1)}, rowferry.Row{i(1), s(text), i(2)}))
		wants(t, p.try(deleted(table, i(1), s(text+" "), i(2))), rowferry.CodeRowDiffers, "differs in: c")
		p.must(deleted(table, i(1), s(text), i(2)))
	})
}
