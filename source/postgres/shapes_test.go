package postgres

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// shapes are the names of the tables that transactions tell shapes of, and where.
func shapes(txs []sourcetest.Transaction) string {
	var told []string
	for _, tx := range txs {
		for _, c := range tx.Changes {
			switch c.Op {
			case rowferry.Shape:
				told = append(told, c.Table.Name.Table+columnsOf(c.Table))
			case rowferry.Drop:
				told = append(told, "drop "+c.Table.Name.Table)
			default:
				if n := len(told); n == 0 || told[n-1] != "rows" {
					told = append(told, "rows")
				}
			}
		}
	}
	return strings.Join(told, ", ")
}

// Changes of a table that change no row's shape are not told (P23), and one of
// two tables that changes does so alone (P24), where it did.
func TestShapesAreToldWhereTheyChange(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY, v text)\nCREATE TABLE b (id int PRIMARY KEY, v text)")
		p.begun(p.pipe())
		r := p.following(rowferry.Start{})
		p.run(`
INSERT INTO a VALUES (1, 'a')
ALTER TABLE a OWNER TO CURRENT_USER
ALTER TABLE b SET (fillfactor = 50)
INSERT INTO a VALUES (2, 'a')
ANALYZE a
CREATE INDEX ON a (v)
BEGIN; INSERT INTO a VALUES (3, 'a'); INSERT INTO b VALUES (3, 'b'); COMMIT`)
		early := take(t, r, 3)
		p.run(`
ALTER TABLE a ADD w int
BEGIN; INSERT INTO b VALUES (4, 'b'); INSERT INTO a VALUES (4, 'a', 4); INSERT INTO b VALUES (5, 'b'); COMMIT`)
		late := take(t, r, 1)
		p.run("ALTER TABLE a ADD UNIQUE (w)\nINSERT INTO a VALUES (5, 'a', 5)")
		late = append(late, take(t, r, 1)...)
		if got, want := shapes(sourcetest.Join(early, nil)), "a(id integer, v text), b(id integer, v text), rows"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		if got, want := shapes(sourcetest.Join(late, nil)), "rows, a(id integer, v text, w integer), rows, a(id integer, v text, w integer), rows"; got != want {
			t.Errorf("told %s, want %s", got, want)
		}
		if last := late[1].Changes[0].Table; len(last.Uniques) != 1 || !last.ConstraintsKnown {
			t.Errorf("the unique key was not told: %+v", last)
		}
	})
}

// take reads so many transactions.
func take(t testing.TB, r rowferry.Reader, n int) (chunks []*rowferry.Tx) {
	t.Helper()
	for n > 0 {
		tx, err := r.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, tx)
		if tx.Last {
			n--
		}
	}
	return chunks
}

// A log that is read after its tables changed has its rows in the shapes that
// they had, where these are recorded, and stops nowhere else.
func TestShapesOfThePast(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TYPE mood AS ENUM ('sad', 'glad')\nCREATE TABLE a (id int PRIMARY KEY, n numeric(5,2), m mood)")
		begin := p.begun(p.pipe())
		p.run("INSERT INTO a VALUES (0, 1.5, 'sad')")
		first := sourcetest.Join(all(t, p.open(rowferry.Start{})), nil)
		p.run(`
INSERT INTO a VALUES (1, 1.5, 'glad')
ALTER TYPE mood ADD VALUE 'mad'
ALTER TABLE a ADD w int, ALTER n TYPE numeric(8,3)
INSERT INTO a VALUES (2, 2.25, 'mad', 2)
ALTER TABLE a DROP w
INSERT INTO a VALUES (3, 3, 'sad')
ALTER TABLE a RENAME n TO nn
INSERT INTO a VALUES (4, 4, 'sad')`)
		start := rowferry.Start{Position: first[0].Position, Lineage: begin.Lineage, Tables: first[0].Tables}
		got := sourcetest.Join(all(t, p.open(start)), start.Tables)
		if s := strings.TrimSpace(rows(got)); s != strings.TrimSpace(`
insert a [1 1.50 glad]
shape a (id integer, n numeric(8,3), m public.mood, w integer)
insert a [2 2.250 mad 2] checks late
shape a (id integer, n numeric(8,3), m public.mood)
insert a [3 3.000 sad] checks late
shape a (id integer, nn numeric(8,3), m public.mood)
insert a [4 4.000 sad]`) {
			t.Errorf("read\n%s", s)
		}
		for i, c := range []bool{true, false, false, true} {
			if x := got[i].Changes[len(got[i].Changes)-1].Table; x.ConstraintsKnown != c || len(x.PrimaryKey) != 1 {
				t.Errorf("transaction %d has the shape %+v", i, x)
			}
		}
	})
}

// A table that takes another one's name, or gives up its own, is told: what is
// in the target under that name is not its rows.
func TestRenamedAndReplaced(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY)\nCREATE TABLE b (id int PRIMARY KEY)\nCREATE TABLE z (id int PRIMARY KEY)")
		p.exec("CREATE PUBLICATION every FOR ALL TABLES")
		o := func(o *Options) { o.Publication, o.Scope = "every", only("a", "b", "c", "new") }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		r := p.following(rowferry.Start{}, o)
		p.run(`
INSERT INTO a VALUES (1)
ALTER TABLE a RENAME TO c
INSERT INTO c VALUES (2)
ALTER TABLE c RENAME TO outside
INSERT INTO outside VALUES (3)
INSERT INTO b VALUES (1)
DROP TABLE b
CREATE TABLE b (id int PRIMARY KEY)
INSERT INTO b VALUES (1)
INSERT INTO z VALUES (1)
CREATE TABLE new (id int PRIMARY KEY)
INSERT INTO new VALUES (1)`)
		got := sourcetest.Join(take(t, r, 7), nil)
		want := "a(id integer), b(id integer), rows, drop a, c(id integer), rows, drop c, rows, drop b, b(id integer), rows, new(id integer), rows"
		if s := shapes(got); s != want {
			t.Errorf("told %s\nwant %s", s, want)
		}
	})
}

// Tables that the publication tells of and the scope does not want are passed
// over, whatever happens to them (P37).
func TestOutOfScope(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE a (id int PRIMARY KEY, v text)")
		p.exec("CREATE PUBLICATION every FOR ALL TABLES")
		o := func(o *Options) { o.Publication, o.Scope = "every", only("a") }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		p.run(`
CREATE TABLE later (a int, b text)
INSERT INTO later VALUES (1, 'x')
BEGIN; INSERT INTO later SELECT g, repeat('x', 500) FROM generate_series(1, 500) g; INSERT INTO a VALUES (1, 'a'); INSERT INTO later VALUES (2); COMMIT
ALTER TABLE later DROP b
BEGIN; INSERT INTO later VALUES (3); INSERT INTO a VALUES (2, 'a'); TRUNCATE later, a; COMMIT
DROP TABLE later`)
		txs := p.log(o)
		wantRows(t, txs, `
insert a [1 a]
insert a [2 a]
truncate a`)
		if len(txs) != 3 {
			t.Errorf("read %d transactions, want those without a change in scope too", len(txs))
		}
	})
}

// Rows of partitions arrive as those of their table, or as their own.
func TestPartitions(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		for _, tc := range []struct{ how, want string }{
			{PartitionsRoot, "insert a [1 x]\ninsert a [11 y]\ndelete a [1 (absent)]\ninsert a [12 x]\ninsert a [21 late]\ntruncate a"},
			{PartitionsLeaf, "insert low [1 x]\ninsert high [11 y]\ndelete low [1 (absent)]\ninsert high [12 x]\ntruncate high\ntruncate low"},
		} {
			p := newPlace(t, k)
			p.run(`
CREATE TABLE a (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)
CREATE TABLE low PARTITION OF a FOR VALUES FROM (0) TO (10)
CREATE TABLE high (v text, id int NOT NULL, gone int); ALTER TABLE high DROP gone; ALTER TABLE a ATTACH PARTITION high FOR VALUES FROM (10) TO (20)`)
			o := func(o *Options) { o.Partitions, o.Scope = tc.how, only("a", "low", "high") }
			pipe := p.pipe()
			o(&pipe)
			p.begun(pipe)
			p.run("INSERT INTO a VALUES (1, 'x'), (11, 'y')\nUPDATE a SET id = 12 WHERE id = 1")
			if tc.how == PartitionsRoot {
				p.run("CREATE TABLE late PARTITION OF a FOR VALUES FROM (20) TO (30)\nINSERT INTO a VALUES (21, 'late')")
			}
			p.run("TRUNCATE a")
			want := tc.want
			if tc.how == PartitionsLeaf { // its columns are in another order
				want = strings.NewReplacer("[11 y]", "[y 11]", "[12 x]", "[x 12]").Replace(want)
			}
			wantRows(t, p.log(o), want)
		}
	})
}

// Of a table whose publication lists columns, the rest is not there.
func TestColumnLists(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (hidden text, v text, id int PRIMARY KEY, other int UNIQUE, g int GENERATED ALWAYS AS (id + 1) STORED)")
		p.exec("CREATE PUBLICATION parts FOR TABLE a (id, v) WHERE (id < 100)")
		o := func(o *Options) { o.Publication = "parts" }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		r := p.following(rowferry.Start{}, o)
		p.run("INSERT INTO a VALUES ('h', 'v', 1, 2), ('h', 'v', 100, 3)\nALTER TABLE a SET (fillfactor = 50)\nUPDATE a SET v = 'w', hidden = NULL WHERE id = 1")
		got := sourcetest.Join(take(t, r, 2), nil)
		wantRows(t, got, "insert a [v 1]\nupdate a [(absent) 1] [w 1]")
		if x := got[1].Tables[0]; len(x.Columns) != 2 || !x.ConstraintsKnown || len(x.Uniques) != 0 || x.PrimaryKey[0] != 1 || len(got[1].Changes) != 1 {
			t.Errorf("the table is %+v", x)
		}
	})
}

// What a session has received by replication itself is read, or left out where
// that is asked for (P38).
func TestOrigins(t *testing.T) {
	for _, origin := range []string{OriginAny, OriginNone} {
		p := newPlace(t, testdb.PostgresNew, streaming)
		p.run("CREATE TABLE a (id int PRIMARY KEY, v text)")
		o := func(o *Options) { o.Origin = origin }
		pipe := p.pipe()
		o(&pipe)
		p.begun(pipe)
		p.run(`
INSERT INTO a VALUES (1, 'ours')
SELECT pg_replication_origin_create('DB'); SELECT pg_replication_origin_session_setup('DB'); INSERT INTO a VALUES (2, 'theirs'); BEGIN; INSERT INTO a SELECT g, repeat('x', 500) FROM generate_series(100, 400) g; COMMIT; SELECT pg_replication_origin_session_reset()
INSERT INTO a VALUES (3, 'ours')`)
		want := map[string]int{OriginAny: 304, OriginNone: 2}[origin]
		if got := strings.Count(rows(p.log(o)), "insert a"); got != want {
			t.Errorf("origin %s: read %d rows, want %d", origin, got, want)
		}
		p.exec("SELECT pg_replication_origin_drop('" + p.name + "')")
	}
}

// A replica identity that is changed to one that does not tell the key stops by
// name, with the statement that mends it.
func TestIdentityChanged(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY, u int NOT NULL UNIQUE)")
		p.begun(p.pipe())
		r := p.following(rowferry.Start{})
		p.run("INSERT INTO a VALUES (1, 1)\nALTER TABLE a REPLICA IDENTITY USING INDEX a_u_key\nUPDATE a SET u = 2")
		take(t, r, 1)
		_, err := r.Next(t.Context())
		if rowferry.CodeOf(err) != rowferry.CodeReplicaIdentity || !strings.Contains(err.Error(), "a") {
			t.Errorf("an update that does not tell the key: %v", err)
		}
	})
}

func TestChildrenFirst(t *testing.T) {
	of := func(name string, parents ...string) *table {
		s := &schema.Table{Name: schema.Name{Table: name}}
		for _, p := range parents {
			s.ForeignKeys = append(s.ForeignKeys, schema.ForeignKey{Parent: schema.Name{Table: p}})
		}
		return &table{name: s.Name, shape: s}
	}
	for _, tc := range []struct {
		all  []*table
		want string
	}{
		{nil, ""},
		{[]*table{of("a"), of("b", "a"), of("c", "b", "b", "elsewhere")}, "c b a"},
		{[]*table{of("a", "a"), of("b", "a", "c"), of("c")}, "b a c"},
		{[]*table{of("a", "b"), of("b", "a"), of("z", "a")}, "z a b"},
	} {
		var got []string
		for _, x := range childrenFirst(tc.all) {
			got = append(got, x.name.Table)
		}
		if s := strings.Join(got, " "); s != tc.want {
			t.Errorf("got %s, want %s", s, tc.want)
		}
	}
}
