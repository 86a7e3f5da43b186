package postgres

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// What a publication leaves out is left out of the copy.
func TestCopyReadsWhatIsPublished(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run(`
CREATE TABLE f (id int PRIMARY KEY, b text, c int)
CREATE TABLE l (id int PRIMARY KEY, b text, c int, "d e" int)
CREATE TABLE g (id int PRIMARY KEY, n int, twice int GENERATED ALWAYS AS (n * 2) STORED)
CREATE TABLE base (id int PRIMARY KEY); CREATE TABLE heir (extra int, PRIMARY KEY (id)) INHERITS (base)`)
		p.exec(fmt.Sprintf("CREATE PUBLICATION %s FOR TABLE f WHERE (id > 2 AND id <= 6), l (id, \"d e\"), g, ONLY base, heir", NameOf(p.name)))
		c := p.copies()
		p.run(`
INSERT INTO f SELECT g, 'x', g FROM generate_series(1, 9) g
INSERT INTO l SELECT g, 'x', g, -g FROM generate_series(1, 9) g
INSERT INTO g SELECT g, g FROM generate_series(1, 9) g
INSERT INTO base VALUES (1), (2); INSERT INTO heir VALUES (3, 3)`)
		logged := inserted(c.log())
		for name, n := range map[string]int{"f": 4, "l": 9, "g": 9, "base": 2, "heir": 1} {
			table := c.table(name)
			rows := c.read(table, nil, nil)
			if len(rows) != n {
				t.Errorf("%s has %d rows, not %d", name, len(rows), n)
			}
			wantSame(t, name, rows, logged[name])
			wantSame(t, "chunks of "+name, c.whole(table, 3), logged[name])
		}
		var fetched []rowferry.Row
		keys := [][]rowferry.Value{{rowferry.IntValue(1)}, {rowferry.IntValue(3)}, {rowferry.IntValue(7)}}
		err := c.reader.Fetch(t.Context(), c.table("f"), keys, func(rows []rowferry.Row) error {
			fetched = append(fetched, rows...)
			return nil
		})
		if err != nil || len(fetched) != 1 || fetched[0][0].Int() != 3 {
			t.Errorf("fetched %v, %v", fetched, err)
		}
	})
}

// Rows of partitioned tables are read under the names under which they are
// logged.
func TestCopyOfPartitions(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		for _, partitions := range []string{PartitionsRoot, PartitionsLeaf} {
			t.Run(partitions, func(t *testing.T) {
				t.Parallel()
				p := newPlace(t, k)
				p.run(`
CREATE TABLE e (id int PRIMARY KEY, v text) PARTITION BY RANGE (id)
CREATE TABLE e1 PARTITION OF e FOR VALUES FROM (0) TO (10)
CREATE TABLE e2 (v text, gone int, id int NOT NULL); ALTER TABLE e2 DROP gone; ALTER TABLE e ATTACH PARTITION e2 FOR VALUES FROM (10) TO (20)
CREATE TABLE e3 PARTITION OF e FOR VALUES FROM (20) TO (40) PARTITION BY LIST (id); CREATE TABLE e3a PARTITION OF e3 DEFAULT`)
				c := p.copies(func(o *Options) { o.Partitions = partitions })
				p.run("INSERT INTO e SELECT g, 'row ' || g FROM generate_series(0, 39) g\nANALYZE e")
				logged, total, want := inserted(c.log()), 0, map[string]int{PartitionsRoot: 1, PartitionsLeaf: 3}[partitions]
				if tables := c.copy.Tables(); len(tables) != want || len(logged) != want {
					t.Errorf("%d tables are copied and %d logged, not %d", len(tables), len(logged), want)
				}
				for _, table := range c.copy.Tables() {
					rows := c.whole(&table, 7)
					wantSame(t, table.Shape.Name.Table, rows, logged[table.Shape.Name.Table])
					total += len(rows)
				}
				if total != 40 {
					t.Errorf("%d rows were read", total)
				}
				again, err := c.source.Copy(t.Context(), position(c))
				if err != nil {
					t.Fatal(err)
				}
				rows, bytes := int64(0), int64(0)
				for _, table := range again.Tables() {
					rows, bytes = rows+table.Rows, bytes+table.Bytes
				}
				if rows != 40 || bytes < 3*8192 {
					t.Errorf("estimated are %d rows in %d bytes", rows, bytes)
				}
			})
		}
	})
}

func position(c *copied) rowferry.Position {
	p, _ := c.copy.From()
	return p
}

// A copy that would never become right is refused, and nothing is left behind.
func TestCopyRefused(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY)\nCREATE TABLE r (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE UNLOGGED TABLE r1 PARTITION OF r DEFAULT; CREATE TABLE r2 PARTITION OF r FOR VALUES IN (2)")
		part := NameOf(p.name) + "_part"
		p.exec("CREATE PUBLICATION " + part + " FOR TABLE a WITH (publish = 'insert, truncate')")
		for name, tt := range map[string]struct {
			change func(*Options)
			code   rowferry.Code
			part   string
		}{
			"part":      {func(o *Options) { o.Scope, o.Publication = only("a"), part }, rowferry.CodeCopyRefused, "update, delete"},
			"unlogged":  {func(o *Options) { o.Scope = only("r") }, rowferry.CodeCopyRefused, "public.r1"},
			"temporary": {func(o *Options) { o.Temporary = true }, rowferry.CodeCopyRefused, "slot"},
			"origin":    {func(o *Options) { o.Origin = OriginNone }, rowferry.CodeCopyRefused, "replication"},
		} {
			o := p.pipe()
			tt.change(&o)
			_, err := Live(o).Copy(t.Context(), "")
			if rowferry.CodeOf(err) != tt.code || !strings.Contains(err.Error(), tt.part) {
				t.Errorf("%s: %v", name, err)
			}
			if n := p.ask("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()"); n != "0" {
				t.Errorf("%s leaves %s slots", name, n)
			}
		}
	})
}

// A copy that was begun is gone on with where its slot is.
func TestCopyGoesOn(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY)")
		c := p.copies()
		from, lineage := c.copy.From()
		p.run("INSERT INTO a VALUES (1)")
		again, err := Live(c.source.options).Copy(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		if f, l := again.From(); f != from || l != lineage {
			t.Errorf("it goes on from %s of %s, not %s of %s", f, l, from, lineage)
		}
		// A server that has failed over may lack what was read from the one before.
		moved := *again.(*copying)
		moved.lineage.timeline++
		if _, err := moved.Open(t.Context()); rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
			t.Errorf("opened on another timeline: %v", err)
		}
		if _, err := moved.End(t.Context()); rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
			t.Errorf("the end of another timeline: %v", err)
		}
		if _, err := c.source.Copy(t.Context(), "0/1"); rowferry.CodeOf(err) != rowferry.CodeSlotAhead {
			t.Errorf("from before the slot: %v", err)
		}
		if _, err := c.source.Copy(t.Context(), "FFFF/1"); rowferry.CodeOf(err) != rowferry.CodeLineageBroken {
			t.Errorf("from behind the log: %v", err)
		}
		if p.ask("SELECT count(*) FROM pg_replication_slots WHERE database = current_database()") != "1" {
			t.Error("the slot is gone")
		}
		p.exec("SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots WHERE database = current_database()")
		if _, err := c.source.Copy(t.Context(), from); rowferry.CodeOf(err) != rowferry.CodeSlotMissing {
			t.Errorf("without its slot: %v", err)
		}
	})
}

// A table that changes while it is copied is refused by those who read it.
func TestCopyOfChangedTable(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		for _, change := range []string{
			"ALTER TABLE a DROP v", "ALTER TABLE a RENAME v TO w", "ALTER TABLE a ALTER v TYPE varchar(20)", "DROP TABLE a", "ALTER TABLE a SET SCHEMA other",
			"ALTER TABLE a RENAME TO b; CREATE TABLE a (id int PRIMARY KEY, v varchar(10))", "ALTER TABLE a RENAME v TO x; ALTER TABLE a RENAME u TO v; ALTER TABLE a RENAME x TO u",
			"ALTER TABLE a ALTER d TYPE numeric(10,3)",
		} {
			p := newPlace(t, k)
			p.run("CREATE SCHEMA other\nCREATE DOMAIN price AS numeric(10,2)\nCREATE TABLE a (id int PRIMARY KEY, v varchar(10), u varchar(10), d price)\nINSERT INTO a VALUES (1, 'x', 'y')")
			c := p.copies()
			table := c.table("a")
			c.read(table, nil, nil)
			p.run(change)
			_, err := c.reader.Read(t.Context(), table, nil, nil, func([]rowferry.Row) error { return nil })
			if rowferry.CodeOf(err) != rowferry.CodeCopyRefused || !strings.Contains(err.Error(), "public.a") {
				t.Errorf("%s: %v", change, err)
			}
		}
	})
}

// A table that is written anew while a chunk waits for it has its rows: to a
// snapshot from before it would be empty.
func TestCopyOfRewrittenTable(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		p.run("CREATE TABLE a (id int PRIMARY KEY, v int)\nINSERT INTO a SELECT g, g FROM generate_series(1, 100) g")
		c := p.copies()
		tx, err := p.db.Begin()
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tx.Exec("ALTER TABLE a ALTER v TYPE int USING v + 0"); err != nil {
			t.Fatal(err)
		}
		done := make(chan int, 1)
		go func() { done <- len(c.read(c.table("a"), nil, nil)) }()
		p.await("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")
		if err := tx.Commit(); err != nil {
			t.Fatal(err)
		}
		if n := <-done; n != 100 {
			t.Errorf("a chunk has %d rows", n)
		}
	})
}

// Who takes the rows can end it, and the reader can be used again.
func TestCopyReaderAfterErrors(t *testing.T) {
	p := newPlace(t, testdb.Postgres15)
	p.run("CREATE TABLE a (id int PRIMARY KEY, v text)\nINSERT INTO a SELECT g, repeat('x', 1000) FROM generate_series(1, 30000) g")
	c := p.copies()
	table, mine := c.table("a"), errors.New("mine")
	most, calls := 0, 0
	_, err := c.reader.Read(t.Context(), table, nil, nil, func(rows []rowferry.Row) error {
		most, calls = max(most, len(rows)), calls+1
		if calls == 3 {
			return mine
		}
		return nil
	})
	if err != mine || calls != 3 || most > 2*callBytes/1000 {
		t.Errorf("%v after %d calls of up to %d rows", err, calls, most)
	}
	ctx, cancel := context.WithCancel(t.Context())
	_, err = c.reader.Read(ctx, table, nil, nil, func([]rowferry.Row) error { cancel(); return nil })
	if !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
	p.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rowferry' AND datname = current_database()")
	if rows := c.read(table, nil, nil); len(rows) != 30000 {
		t.Errorf("%d rows", len(rows))
	}
	p.exec("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'rowferry' AND datname = current_database()")
	_, err = c.reader.Split(t.Context(), table, nil, 10)
	if rowferry.CodeOf(err) != rowferry.CodeSourceAway {
		t.Errorf("terminated: %v", err)
	}
	if n := len(c.whole(table, 10000)); n != 30000 {
		t.Errorf("%d rows", n)
	}
}

// A role needs to read the log and the tables, and takes no lock but that of a
// SELECT.
func TestCopyPrivileges(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k)
		user := fmt.Sprintf("u%d", time.Now().UnixNano())
		p.run("CREATE SCHEMA s; CREATE TABLE s.a (id int PRIMARY KEY); INSERT INTO s.a VALUES (1), (2)")
		p.exec("CREATE ROLE "+user+" LOGIN REPLICATION PASSWORD 'secret'", "CREATE PUBLICATION "+NameOf(p.name)+" FOR TABLE s.a")
		t.Cleanup(func() {
			_, _ = p.db.ExecContext(context.Background(), "DROP OWNED BY "+user+"; DROP ROLE "+user)
		})
		p.user = user
		c := p.copies()
		table := c.table("a")
		read := func() error {
			_, err := c.reader.Read(t.Context(), table, nil, nil, func(rows []rowferry.Row) error {
				if locks := p.ask("SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE relnamespace = 's'::regnamespace"); locks != "NULL" && locks != "AccessShareLock" {
					t.Errorf("the locks are %s", locks)
				}
				if len(rows) != 2 {
					t.Errorf("read %v", rows)
				}
				return nil
			})
			return err
		}
		for _, grant := range []string{"USAGE ON SCHEMA s", "SELECT ON s.a"} {
			if err := read(); rowferry.CodeOf(err) != rowferry.CodeSourceDenied {
				t.Errorf("without %s: %v", grant, err)
			}
			p.exec("GRANT " + grant + " TO " + user)
		}
		if err := read(); err != nil {
			t.Error(err)
		}
		if _, err := c.copy.End(t.Context()); err != nil {
			t.Error(err)
		}
		// Rows that a policy hides are not left out without a word.
		p.exec("ALTER TABLE s.a ENABLE ROW LEVEL SECURITY")
		if err := read(); rowferry.CodeOf(err) != rowferry.CodeSourceDenied {
			t.Errorf("with a policy: %v", err)
		}
	})
}

// A table that is none of the copy's, and a key of another table, are refused.
func TestCopyMisused(t *testing.T) {
	p := newPlace(t, testdb.Postgres15)
	p.run("CREATE TABLE a (id int PRIMARY KEY, v text)\nCREATE TABLE f (v text); ALTER TABLE f REPLICA IDENTITY FULL")
	c := p.copies()
	other := &rowferry.CopyTable{Shape: &schema.Table{Name: schema.Name{Schema: "public", Table: "b"}}}
	never := func([]rowferry.Row) error { return nil }
	_, split := c.reader.Split(t.Context(), c.table("f"), nil, 1)
	_, none := c.reader.Split(t.Context(), c.table("a"), nil, 0)
	_, others := c.reader.Read(t.Context(), other, nil, nil, never)
	_, long := c.reader.Read(t.Context(), c.table("a"), []rowferry.Value{rowferry.IntValue(1), rowferry.IntValue(2)}, nil, never)
	for what, err := range map[string]error{
		"other":      others,
		"long":       long,
		"null":       c.reader.Fetch(t.Context(), c.table("a"), [][]rowferry.Value{{rowferry.NullValue()}}, never),
		"without":    split,
		"of nothing": none,
	} {
		if rowferry.CodeOf(err) != rowferry.CodeInternal {
			t.Errorf("%s: %v", what, err)
		}
	}
	if rows := c.read(c.table("f"), nil, nil); len(rows) != 0 {
		t.Errorf("a table without a key has %v", rows)
	}
}
