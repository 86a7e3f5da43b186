package postgres

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// replica is what changes make of tables with a primary key in their first
// column: rows by table and key.
type replica map[string]map[int64]rowferry.Row

func (m replica) apply(t testing.TB, txs []sourcetest.Transaction) {
	t.Helper()
	for _, tx := range txs {
		for _, c := range tx.Changes {
			m.change(t, tx.ID, &c)
		}
	}
}

func (m replica) change(t testing.TB, id string, c *rowferry.Change) {
	t.Helper()
	name := c.Table.Name.Table
	if m[name] == nil {
		m[name] = map[int64]rowferry.Row{}
	}
	var was rowferry.Row
	if c.Before != nil {
		key := c.Before[0].Int()
		if was = m[name][key]; was == nil {
			t.Fatalf("%s: %s of row %d of %s, which is not there", id, c.Op, key, name)
		}
		delete(m[name], key)
	}
	if c.After != nil {
		row := slices.Clone(c.After)
		for i := range row {
			if row[i].IsAbsent() {
				row[i] = was[i]
			}
		}
		if m[name][row[0].Int()] != nil {
			t.Fatalf("%s: %s of row %d of %s, which is there", id, c.Op, row[0].Int(), name)
		}
		m[name][row[0].Int()] = row
	}
	if c.Op == rowferry.Truncate {
		m[name] = map[int64]rowferry.Row{}
	}
}

// compare compares a table with what the server says of it.
func (m replica) compare(t testing.TB, db *sql.DB, table string) {
	t.Helper()
	rows, err := db.QueryContext(t.Context(), "SELECT * FROM "+table)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	left := maps.Clone(m[table])
	for rows.Next() {
		var id int64
		var v string
		if err := rows.Scan(&id, &v); err != nil {
			t.Fatal(err)
		}
		if got := left[id]; got == nil || got[1].Str() != v {
			t.Fatalf("%s: row %d is %.40q, and by the log %.40v", table, id, v, got)
		}
		delete(left, id)
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	if len(left) > 0 {
		t.Errorf("%s: by the log there are %d rows that are not there", table, len(left))
	}
}

// randomSession is a session with a transaction, in keys of its own.
type randomSession struct {
	conn   *sql.Conn
	from   int
	saved  []string
	open   bool
	number int
}

func (s *randomSession) exec(t testing.TB, format string, args ...any) {
	t.Helper()
	if _, err := s.conn.ExecContext(context.Background(), fmt.Sprintf(format, args...)); err != nil {
		t.Fatal(err)
	}
}

// step does one thing at random. Each savepoint's name is used once.
func (s *randomSession) step(t testing.TB, r *rand.Rand, db string) {
	t.Helper()
	if !s.open {
		s.exec(t, "BEGIN")
		s.open, s.saved = true, nil
	}
	s.number++
	at := s.from + r.IntN(900)
	switch n := r.IntN(20); {
	case n < 8:
		s.exec(t, "INSERT INTO t SELECT g, repeat(md5(g::text || '%d'), %d) FROM generate_series(%d, %d) g ON CONFLICT (id) DO UPDATE SET v = t.v || 'again%d'",
			s.number, 1+r.IntN(20), at, at+r.IntN(200), s.number)
	case n < 11:
		s.exec(t, "UPDATE t SET v = md5(v) || '%d' WHERE id BETWEEN %d AND %d", s.number, at, at+r.IntN(200))
	case n < 13:
		s.exec(t, "DELETE FROM t WHERE id BETWEEN %d AND %d", at, at+r.IntN(100))
	case n < 16:
		s.saved = append(s.saved, fmt.Sprintf("s%d", s.number))
		s.exec(t, "SAVEPOINT s%d", s.number)
	case n < 18 && len(s.saved) > 0:
		k := r.IntN(len(s.saved))
		s.exec(t, "ROLLBACK TO %s", s.saved[k])
		s.saved = s.saved[:k+1]
	case n == 18 && len(s.saved) > 0:
		k := r.IntN(len(s.saved))
		s.exec(t, "RELEASE %s", s.saved[k])
		s.saved = s.saved[:k]
	case n == 19:
		s.end(t, r.IntN(8), db)
	}
}

func (s *randomSession) end(t testing.TB, how int, db string) {
	t.Helper()
	if !s.open {
		return
	}
	s.open = false
	name := fmt.Sprintf("'%s %d %d'", db, s.from, s.number)
	switch how {
	case 0:
		s.exec(t, "ROLLBACK")
	case 1:
		s.exec(t, "PREPARE TRANSACTION %s", name)
		s.exec(t, "COMMIT PREPARED %s", name)
	case 2:
		s.exec(t, "PREPARE TRANSACTION %s", name)
		s.exec(t, "ROLLBACK PREPARED %s", name)
	default:
		s.exec(t, "COMMIT")
	}
}

// Several transactions at a time, with savepoints and rollbacks to them,
// prepared and rolled back, are what the server says they are, though each is
// sent in parts before it is committed and put aside in memory and in files
// (P16, P17, P18, P19).
func TestRandomStreams(t *testing.T) {
	seeds := uint64(2)
	if testdb.Soak() {
		seeds = 30
	}
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		for seed := range seeds {
			p := newPlace(t, k, streaming)
			p.exec("CREATE TABLE t (id int PRIMARY KEY, v text)")
			begin := p.begun(p.pipe())
			r := rand.New(rand.NewPCG(seed, 5))
			var sessions []*randomSession
			for i := range 4 {
				conn, err := p.db.Conn(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer conn.Close()
				sessions = append(sessions, &randomSession{conn: conn, from: 2000 * i})
			}
			for range 400 {
				sessions[r.IntN(len(sessions))].step(t, r, p.name)
			}
			for _, s := range sessions {
				s.end(t, 3, p.name)
			}
			for _, streams := range []bool{true, false} {
				compareStreams(t, p, begin, streams)
			}
		}
	})
}

func compareStreams(t *testing.T, p *place, begin rowferry.Start, streams bool) {
	t.Helper()
	o := p.pipe()
	o.From, o.Once, o.ChunkBytes = string(begin.Position), true, 100<<10
	start := rowferry.Start{}
	spool, files := spools(t), atomic.Int64{}
	if streams {
		start.Spool = func() (rowferry.Spool, error) {
			files.Add(1)
			return spool()
		}
	}
	r, err := Live(o).Open(t.Context(), start)
	if err != nil {
		t.Fatal(err)
	}
	chunks := all(t, r)
	if (files.Load() > 0) != streams {
		t.Errorf("streaming is %v, and there were %d files", streams, files.Load())
	}
	m := replica{}
	m.apply(t, sourcetest.Join(chunks, nil))
	m.compare(t, p.db, "t")
	if len(m["t"]) == 0 {
		t.Error("the log leads to no rows")
	}
	for _, c := range chunks {
		size := 0
		for i := range c.Changes {
			size += c.Changes[i].Size()
		}
		if size > o.ChunkBytes+(16<<10) {
			t.Errorf("%s has a chunk of %d bytes", c.ID, size)
		}
	}
}

// A subtransaction's changes go with it and nothing else does, whatever was
// sent of it already (P16); rows of a table that only it described first are
// still read (its Relation message goes with it).
func TestSubtransactions(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)\nCREATE TABLE u (id int PRIMARY KEY, v text)")
		p.begun(p.pipe())
		const rows = "INSERT INTO %[1]s SELECT g, repeat('x', 500) FROM generate_series(%[2]d, %[2]d + 499) g"
		p.run(strings.Join([]string{"BEGIN",
			"SAVEPOINT a", fmt.Sprintf(rows, "t", 0), "SAVEPOINT b", fmt.Sprintf(rows, "u", 0), "ROLLBACK TO b",
			fmt.Sprintf(rows, "u", 1000), "ROLLBACK TO a",
			fmt.Sprintf(rows, "t", 2000), fmt.Sprintf(rows, "u", 2000),
			"SAVEPOINT c", "DELETE FROM t", "SAVEPOINT d", fmt.Sprintf(rows, "t", 3000), "RELEASE d", "ROLLBACK TO c",
			"SAVEPOINT e", fmt.Sprintf(rows, "t", 4000), "RELEASE e", "COMMIT"}, ";"))
		txs := p.log()
		if len(txs) != 1 {
			t.Fatalf("read %d transactions", len(txs))
		}
		m := replica{}
		m.apply(t, txs)
		m.compare(t, p.db, "t")
		m.compare(t, p.db, "u")
		if len(m["t"]) != 1000 || len(m["u"]) != 500 {
			t.Errorf("read %d and %d rows", len(m["t"]), len(m["u"]))
		}
	})
}

// A subtransaction that is rolled back goes although PostgreSQL never says so:
// it had to write more than 4,096 changes of it to files while a large value was
// only half there, sends them once the value is whole, and forgets that it did.
func TestUntoldRollback(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, testdb.Arg("logical_decoding_work_mem=4MB"))
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)\nALTER TABLE t ALTER v SET STORAGE EXTERNAL")
		begin := p.begun(p.pipe())
		const rows = "INSERT INTO t SELECT g, 'x' FROM generate_series(%[1]d, %[1]d + 2999) g;" +
			"INSERT INTO t SELECT g, repeat('y', 4096) FROM generate_series(%[1]d + 3000, %[1]d + 4499) g"
		// Nothing but what was rolled back describes the table in the first one.
		p.run(strings.Join([]string{"BEGIN", "SAVEPOINT a", fmt.Sprintf(rows, 50000), "ROLLBACK TO a", "INSERT INTO t VALUES (60000, 'kept')", "COMMIT"}, ";"))
		p.run(strings.Join([]string{"BEGIN", fmt.Sprintf(rows, 0),
			"SAVEPOINT a", fmt.Sprintf(rows, 10000), "ROLLBACK TO a",
			"SAVEPOINT b", fmt.Sprintf(rows, 20000), "SAVEPOINT c", fmt.Sprintf(rows, 30000), "RELEASE c", "ROLLBACK TO b",
			"SAVEPOINT d", fmt.Sprintf(rows, 40000), "RELEASE d", "COMMIT"}, ";"))
		compareStreams(t, p, begin, true)
	})
}

// A transaction whose commit is in the log, and waits for a standby, has
// subtransactions that are in progress, beyond all that has ended.
func TestHeldSubtransactions(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		p := newPlace(t, k, testdb.Private(), streaming)
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
		begin := p.begun(p.pipe())
		_, _, release := p.held("BEGIN", "SAVEPOINT a", "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(0, 499) g", "RELEASE a", "COMMIT")
		o := p.pipe()
		o.From, o.Once = string(begin.Position), true
		r, err := Live(o).Open(t.Context(), rowferry.Start{Spool: spools(t)})
		if err != nil {
			t.Fatal(err)
		}
		m := replica{}
		m.apply(t, sourcetest.Join(all(t, r), nil))
		release()
		m.compare(t, p.db, "t")
		if len(m["t"]) != 500 {
			t.Errorf("read %d rows", len(m["t"]))
		}
	})
}

// What a transaction changes of a table, and rolls back, is not in the rows of
// the same transaction that follow, nor in those of others.
func TestShapeRolledBack(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run("CREATE TABLE t (id int PRIMARY KEY, v text)")
		p.begun(p.pipe())
		const rows = "INSERT INTO t SELECT g, repeat('x', 500) FROM generate_series(%[1]d, %[1]d + 499) g"
		p.run(strings.Join([]string{"BEGIN", fmt.Sprintf(rows, 0),
			"SAVEPOINT a", "ALTER TABLE t ADD w int", fmt.Sprintf(rows, 1000), "ROLLBACK TO a", fmt.Sprintf(rows, 2000), "COMMIT"}, ";"))
		p.run("BEGIN; ALTER TABLE t ADD w int; INSERT INTO t SELECT g, repeat('x', 500), 1 FROM generate_series(5000, 5499) g; ROLLBACK\nINSERT INTO t VALUES (9999, 'nine')")
		txs := p.log()
		m := replica{}
		m.apply(t, txs)
		m.compare(t, p.db, "t")
		for i, tx := range txs {
			for _, c := range tx.Changes {
				if c.Op == rowferry.Shape && (i > 0 || len(c.Table.Columns) != 2) {
					t.Errorf("%s tells the shape %s", tx.ID, columnsOf(c.Table))
				}
			}
		}
	})
}
