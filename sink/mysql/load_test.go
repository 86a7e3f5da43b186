package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// merge applies one batch, merged.
func (p *pipeline) merge(ms ...rowferry.Mutation) error {
	p.t.Helper()
	return p.apply(ms, func(tx rowferry.SinkTx, ctx context.Context, ms []rowferry.Mutation) error {
		return tx.(rowferry.MergeTx).Merge(ctx, ms)
	})
}

// loads prepares tables to be loaded.
func (p *pipeline) loads(tables ...*schema.Table) {
	p.t.Helper()
	if err := p.sink.PrepareLoad(p.t.Context(), shapesOf(tables)); err != nil {
		p.t.Fatal(err)
	}
}

func (p *pipeline) completes(tables ...*schema.Table) {
	p.t.Helper()
	if err := p.sink.Complete(p.t.Context(), shapesOf(tables), rowferry.Completion{Each: func(string) {}}); err != nil {
		p.t.Fatal(err)
	}
}

func shapesOf(tables []*schema.Table) []rowferry.Mutation {
	var ms []rowferry.Mutation
	for _, t := range tables {
		ms = append(ms, shaped(t))
	}
	return ms
}

// TestLoadWaitsForTakeOver: a chunk commits neither beside an engine that is about
// to take over, nor after it.
func TestLoadWaitsForTakeOver(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		table := keyed("t", col("id", integer))
		p.loads(table)
		l, err := sink.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		m := shaped(table)
		c, err := claim(t.Context(), l, p.cp, table)
		if err != nil {
			t.Fatal(err)
		}
		if err := l.Begin(t.Context(), &m, false); err != nil {
			t.Fatal(err)
		}
		if err := l.Write(t.Context(), []rowferry.Mutation{inserted(table, i(1))}); err != nil {
			t.Fatal(err)
		}
		other := transaction(t, db, "UPDATE rowferry_checkpoint SET fence = 2")
		committed := make(chan error, 1)
		go func() { committed <- l.Commit(t.Context(), p.cp, c) }()
		for one(t, db, "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'") == "0" {
			select {
			case err := <-committed:
				t.Fatalf("a chunk did not wait for who changes the checkpoint: %v", err)
			case <-time.After(150 * time.Millisecond): // InnoDB looks again only where nobody asked for a tenth of a second
			}
		}
		if err := other.Commit(); err != nil {
			t.Fatal(err)
		}
		code(t, <-committed, rowferry.CodeFenced)
		if n := one(t, db, "SELECT COUNT(*) FROM t"); n != "0" {
			t.Errorf("%s rows are committed", n)
		}
	})
}

// TestCompletedAsMade: a table that was completed is the very same as one that was
// made with its keys.
func TestCompletedAsMade(t *testing.T) {
	tables := func() []*schema.Table {
		parent := keyed("parent", col("id", integer), col("s", text), col("n", integer))
		parent.Columns[2].AutoIncrement, parent.Columns[2].Nullable = true, false
		parent.Uniques = []schema.Index{{Name: "by_s", Columns: []int{1}, Prefix: []int{5}}, {Name: "by_n", Columns: []int{2}}, {Columns: []int{1, 0}}}
		kid := child("kid", "parent", schema.Cascade)
		kid.ForeignKeys = append(kid.ForeignKeys, schema.ForeignKey{Columns: []int{0}, Parent: schema.Name{Table: "kid"}, Referenced: []string{"id"}})
		float := keyed("f", schema.Column{Name: "d", Type: schema.Type{Kind: schema.Float64}}, schema.Column{Name: "k", Type: integer})
		float.Uniques = []schema.Index{{Name: "k", Columns: []int{1}}}
		loose := keyed("loose", col("a", integer), col("b", text))
		loose.PrimaryKey = nil
		counts := keyed("counts", col("id", text), schema.Column{Name: "n", Type: integer, AutoIncrement: true})
		return []*schema.Table{kid, parent, float, loose, counts}
	}
	onEach(t, func(t *testing.T, server *testdb.Server) {
		var seen [2][]string
		for n := range seen {
			name, db := testdb.NewDatabase(t, server)
			sink := open(t, server, name, nil)
			defer sink.Close()
			p := begin(t, sink)
			if n == 0 {
				p.loads(tables()...)
				p.completes(tables()...)
			} else {
				p.must(shapesOf(tables())...)
			}
			for _, table := range tables() {
				var at, sql string
				if err := db.QueryRow("SHOW CREATE TABLE "+table.Name.Table).Scan(&at, &sql); err != nil {
					t.Fatal(err)
				}
				sql = regexp.MustCompile("fk_[0-9a-f]{16}").ReplaceAllString(sql, "fk") // which has the database's name
				lines := strings.Split(strings.ReplaceAll(sql, ",\n", "\n"), "\n")
				slices.Sort(lines)
				seen[n] = append(seen[n], strings.Join(lines, "\n"))
			}
		}
		for i := range seen[0] {
			if seen[0][i] != seen[1][i] {
				t.Errorf("completed:\n%s\nmade:\n%s", seen[0][i], seen[1][i])
			}
		}
	})
}

// TestMergeMeetsOthers: an insert overwrites a row of the same key as the source
// compares it, and no other.
func TestMergeMeetsOthers(t *testing.T) {
	exact := schema.Type{Kind: schema.VarChar, Length: 20, Charset: "utf8mb4", Collation: "utf8mb4_bin"}
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		same := keyed("same", col("id", text), col("v", integer))
		p.loads(same)
		coarse := keyed("coarse", col("id", exact), col("v", integer))
		wider := keyed("wider", col("id", text), col("v", integer))
		mustExec(t, db, "CREATE TABLE coarse (id VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL PRIMARY KEY, v INT)",
			"CREATE TABLE wider (own BIGINT AUTO_INCREMENT PRIMARY KEY, id VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci NOT NULL UNIQUE, v INT)")
		p.loads(coarse, wider)
		for _, table := range []*schema.Table{same, coarse, wider} {
			if err := p.merge(inserted(table, s("a"), i(1)), inserted(table, s("b"), i(1))); err != nil {
				t.Fatal(err)
			}
			if err := p.merge(inserted(table, s("a"), i(2)), inserted(table, s("c"), i(2))); err != nil {
				t.Fatal(err)
			}
			err := p.merge(inserted(table, s("A"), i(3)))
			want := "A3 b1 c2"
			if table == coarse {
				wants(t, err, rowferry.CodeForeignRow, "coarse")
				want = "a2 b1 c2"
			} else if err != nil {
				t.Fatal(err)
			}
			if got := one(t, db, "SELECT GROUP_CONCAT(CONCAT(id, v) ORDER BY id SEPARATOR ' ') FROM "+table.Name.Table); got != want {
				t.Errorf("%s has %q, want %q", table.Name, got, want)
			}
		}
	})
}

// TestPrepareLoadFindsTables: tables that Rowferry made with their keys lose them
// while they are empty, and are what a cut off Complete left where they are not.
func TestPrepareLoadFindsTables(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		parent, kid := keyed("parent", col("id", integer), col("n", integer)), child("kid", "parent", schema.Cascade)
		parent.Columns[1].Nullable, parent.Columns[1].AutoIncrement = false, true
		parent.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		kid.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		kid.ForeignKeys[0].Referenced = []string{"n"}
		p.must(shaped(parent), shaped(kid))
		p.loads(kid, parent)
		if err := p.merge(inserted(kid, i(1), i(1)), inserted(kid, i(2), i(1)), inserted(parent, i(1), i(1)), inserted(parent, i(2), i(1))); err != nil {
			t.Fatal(err)
		}
		if err := p.merge(deleted(kid, i(2), null), deleted(parent, i(2), null)); err != nil {
			t.Fatal(err)
		}
		p.completes(kid, parent)
		p.loads(kid, parent)
		wants(t, p.merge(inserted(kid, i(3), i(1))), rowferry.CodeForeignRow, "kid")
		wants(t, p.merge(inserted(kid, i(3), i(9))), rowferry.CodeRowRefused, "kid")
		if err := p.merge(inserted(kid, i(1), i(1)), inserted(parent, i(3), i(4)), deleted(kid, i(7), null), updated(parent, rowferry.Row{i(1), gone}, rowferry.Row{gone, i(1)})); err != nil {
			t.Fatal(err)
		}
		p.completes(kid, parent)
		p.must(deleted(parent, i(1), i(1)))
		if n := one(t, db, "SELECT COUNT(*) FROM kid"); n != "0" {
			t.Errorf("%s children are left", n)
		}
		mustExec(t, db, "CREATE TABLE theirs (id INT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES parent (n))")
		wants(t, sink.PrepareLoad(t.Context(), shapesOf([]*schema.Table{parent, kid})), rowferry.CodeCopyRefused, "theirs")
		mustExec(t, db, "DROP TABLE theirs", "ALTER TABLE kid ADD UNIQUE theirs (id, p)")
		wants(t, sink.PrepareLoad(t.Context(), shapesOf([]*schema.Table{parent, kid})), rowferry.CodeCopyRefused, "theirs")
		mustExec(t, db, "CREATE TABLE keyless (id INT NOT NULL)")
		wants(t, sink.PrepareLoad(t.Context(), shapesOf([]*schema.Table{keyed("keyless", col("id", integer))})), rowferry.CodeTableDiffers, "keyless")
		unique := keyed("keyless", col("id", integer))
		unique.PrimaryKey, unique.Uniques = nil, []schema.Index{{Name: "id", Columns: []int{0}}}
		wants(t, sink.PrepareLoad(t.Context(), shapesOf([]*schema.Table{unique})), rowferry.CodeCopyRefused, "keyless")
	})
}

// TestRefusedAmongMany: of rows that travelled together, the one that the server
// refused is named.
func TestRefusedAmongMany(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, _ := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		table := keyed("t", col("id", integer), col("s", text))
		p.loads(table)
		rows := func(bad int64) (ms []rowferry.Mutation) {
			for id := range int64(600) {
				text := "fits"
				if id == bad {
					text = strings.Repeat("x", 21)
				}
				ms = append(ms, inserted(table, i(id), s(text)))
			}
			return ms
		}
		l, err := sink.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		for _, bad := range []int64{0, 200, 599} {
			key := fmt.Sprintf("key: id=%d)", bad)
			wants(t, p.merge(rows(bad)...), rowferry.CodeOutOfRange, key)
			m := shaped(table)
			if err := l.Begin(t.Context(), &m, false); err != nil {
				t.Fatal(err)
			}
			wants(t, l.Write(t.Context(), rows(bad)), rowferry.CodeOutOfRange, key)
			if err := l.Rollback(); err != nil {
				t.Fatal(err)
			}
		}
		if err := p.merge(rows(-1)...); err != nil {
			t.Fatal(err)
		}
	})
}

// TestLoadPrivileges: copying needs no more privileges than following.
func TestLoadPrivileges(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		grants := "SELECT, INSERT, UPDATE, DELETE, CREATE, ALTER"
		if server.Kind != testdb.MariaDB1011 {
			grants += ", TRIGGER, REFERENCES"
		}
		makeUser(t, db, "copier", "pw", grants+" ON `"+name+"`.*")
		sink := open(t, server, name, func(o *mysql.Options) { o.Endpoint.User, o.Endpoint.Password = "copier", connect.NewSecret("pw") })
		defer sink.Close()
		p := begin(t, sink)
		parent, kid := keyed("parent", col("id", integer)), child("kid", "parent", schema.SetNull)
		kid.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		p.loads(parent, kid)
		if err := p.merge(inserted(parent, i(1)), inserted(kid, i(1), i(1))); err != nil {
			t.Fatal(err)
		}
		p.completes(parent, kid)
		wants(t, p.try(inserted(kid, i(2), i(1))), rowferry.CodeForeignRow, "kid")
	})
}

// TestLoadAfterComplete: a connection that knew a table without its other keys
// does not overwrite the row of another by them.
func TestLoadAfterComplete(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		table := keyed("t", col("id", integer), col("u", integer), col("v", integer))
		table.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		p.loads(table)
		l, err := sink.Load(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer l.Close()
		load := func(rows ...rowferry.Mutation) error {
			m := shaped(table)
			c, err := claim(t.Context(), l, p.cp, table)
			if err == nil {
				err = l.Begin(t.Context(), &m, true)
			}
			if err == nil {
				err = l.Write(t.Context(), rows)
			}
			if err == nil {
				err = l.Commit(t.Context(), p.cp, c)
			}
			return errors.Join(err, l.Rollback())
		}
		if err := load(inserted(table, i(1), i(1), i(1))); err != nil {
			t.Fatal(err)
		}
		p.completes(table)
		wants(t, load(inserted(table, i(2), i(1), i(2))), rowferry.CodeForeignRow, "t")
		if err := load(inserted(table, i(1), i(1), i(3)), inserted(table, i(2), i(2), i(2))); err != nil {
			t.Fatal(err)
		}
		if got := one(t, db, "SELECT GROUP_CONCAT(CONCAT(id, u, v) ORDER BY id SEPARATOR ' ') FROM t"); got != "113 222" {
			t.Errorf("the table has %q", got)
		}
	})
}

var claims atomic.Int64

// claim claims a chunk of the table that nobody else has.
func claim(ctx context.Context, l rowferry.Load, cp rowferry.Checkpoint, t *schema.Table) (rowferry.Chunk, error) {
	c := rowferry.Chunk{Table: t.Name, Number: int(claims.Add(1))}
	return c, l.Claim(ctx, cp, c)
}
