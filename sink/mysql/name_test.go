package mysql_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

func named(db, table string) *schema.Table {
	t := keyed(table, col("id", integer))
	t.Name.Schema = db
	return t
}

// TestNames: what no MySQL table can be called, and what is called the same.
func TestNames(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, _ := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		for what, table := range map[string]*schema.Table{
			"long":     named("", strings.Repeat("é", 65)),
			"emoji":    named("", "t😀"),
			"space":    named("", "t "),
			"nul":      named("", "t\x00"),
			"database": named(strings.Repeat("d", 65), "t"),
			"column":   keyed("t", schema.Column{Name: "id\n", Type: integer}),
		} {
			err := p.try(shaped(table))
			if rowferry.CodeOf(err) != rowferry.CodeNameRefused {
				t.Errorf("%s: got %v, want %s", what, err, rowferry.CodeNameRefused)
			}
		}
		p.must(shaped(named("", "Users")))
		p.must(shaped(named("", "users")))
		wants(t, p.try(shaped(keyed("two", col("id", integer), col("ID", integer)))), rowferry.CodeNameCollision, "id, ID")
		wants(t, p.try(shaped(named("", "rowferry_checkpoint"))), rowferry.CodeNameCollision)
		wants(t, p.try(shaped(named(name, "users"))), rowferry.CodeNameCollision)
	})
}

// TestFoldedNames: on a server that ignores case two tables may become one.
func TestFoldedNames(t *testing.T) {
	for _, k := range testdb.Kinds() {
		if k.Flavor() == testdb.MySQL { // takes the setting only with a new data directory
			continue
		}
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k, testdb.Arg("lower_case_table_names=1"))
			name, _ := testdb.NewDatabase(t, server)
			sink := open(t, server, name, nil)
			defer sink.Close()
			p := begin(t, sink)
			users, family := named("", "Users"), child("Child", "Users", schema.Cascade)
			p.must(shaped(users), shaped(family), inserted(users, i(1)), inserted(family, i(1), i(1)))
			p.must(shaped(users), shaped(family), deleted(users, i(1)))
			wants(t, p.try(shaped(named("", "users"))), rowferry.CodeNameCollision, "Users")
		})
	}
}

// TestNoDatabase: without a database in the URL tables go where their names
// say, databases are made, and the checkpoint has one of its own.
func TestNoDatabase(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		_, db := testdb.NewDatabase(t, server)
		for _, database := range []string{"rowferry", "ho`st\"ile db", "other"} {
			mustExec(t, db, "DROP DATABASE IF EXISTS "+quote(database))
			t.Cleanup(func() { mustExec(t, db, "DROP DATABASE IF EXISTS "+quote(database)) })
		}
		sink := open(t, server, "", nil)
		defer sink.Close()
		if cp, err := sink.ReadCheckpoint(t.Context(), "p"); cp != nil || err != nil {
			t.Fatalf("%v, %v", cp, err)
		}
		p := begin(t, sink)
		parent := named("ho`st\"ile db", "par`ent")
		family := child("c", "", schema.Cascade)
		family.Name.Schema, family.ForeignKeys[0].Parent = "other", parent.Name
		p.must(shaped(parent), shaped(family), inserted(parent, i(1)), inserted(family, i(1), i(1)))
		p.must(deleted(parent, i(1)))
		if n := one(t, db, "SELECT COUNT(*) FROM other.c"); n != "0" {
			t.Error("a foreign key between databases does not act")
		}
		if n := one(t, db, "SELECT COUNT(*) FROM rowferry.rowferry_checkpoint"); n != "1" {
			t.Errorf("%s checkpoints", n)
		}
		wants(t, p.try(shaped(named("", "t"))), rowferry.CodeNameRefused, "no database")
		tables, err := sink.Tables(t.Context())
		found := 0
		for _, x := range tables {
			if x.Name == parent.Name || x.Name == family.Name && x.ForeignKeys[0].Parent == parent.Name {
				found++
			}
		}
		if err != nil || found != 2 {
			t.Errorf("%d of the tables are told, %v", found, err)
		}
		p.sink = open(t, server, "", func(o *mysql.Options) { o.CreateTables = false })
		defer p.sink.Close()
		wants(t, p.try(shaped(named("other", "missing"))), rowferry.CodeTableDiffers, "are not to be made")
	})
}

// TestSequences: the counters of the tables, past their rows.
func TestSequences(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		counts := keyed("t", schema.Column{Name: "id", Type: integer, AutoIncrement: true}, col("s", text))
		tail := keyed("tail", col("id", integer), schema.Column{Name: "n", Type: integer, AutoIncrement: true})
		p := begin(t, sink)
		p.must(shaped(counts), shaped(tail), inserted(counts, i(0), null), inserted(counts, i(5), null),
			updated(counts, rowferry.Row{i(5), null}, rowferry.Row{i(90), null}))
		names := []schema.Name{counts.Name, tail.Name, {Table: "missing"}}
		for _, advance := range []bool{false, true, false} {
			got, err := sink.Sequences(t.Context(), names, advance)
			if err != nil || len(got) != 2 || got[0].Table != counts.Name || got[0].Column != "id" || got[0].Last != 90 || got[1].Column != "n" || got[1].Last != 0 {
				t.Fatalf("%+v, %v", got, err)
			}
			if got[0].Next != 91 || got[1].Next != 1 {
				t.Errorf("the next are %d and %d, want 91 and 1", got[0].Next, got[1].Next)
			}
		}
		mustExec(t, db, "INSERT INTO t (s) VALUES ('ours')")
		if got := one(t, db, "SELECT id FROM t WHERE s = 'ours'"); got != "91" {
			t.Errorf("the next key was %s, want 91", got)
		}
	})
}

// TestMariaDBJSON: a document of MariaDB, which is text, arrives as it is.
func TestMariaDBJSON(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		table := keyed("t", col("id", integer), col("j", schema.Type{Kind: schema.JSON, Charset: "utf8mb4", Collation: "utf8mb4_bin"}))
		const doc = `{ "b":1,"a" : 1.50 , "b":2}`
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(1), s(doc)))
		p.must(shaped(table))
		if got := one(t, db, "SELECT j FROM t"); got != doc {
			t.Errorf("got %s", got)
		}
		wants(t, p.try(inserted(table, i(2), s("{"))), rowferry.CodeRowRefused)
	})
}
