package mysql

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

func inDatabase(name string) func(schema.Name) bool {
	return func(n schema.Name) bool { return n.Schema == name }
}

// scribble changes rows of t until ctx is done.
func scribble(ctx context.Context, db *sql.DB, seed uint64) error {
	rng := rand.New(rand.NewPCG(seed, 0))
	for n := 0; ctx.Err() == nil; n++ {
		tx, err := db.Begin()
		if err != nil {
			return err
		}
		for range 1 + rng.IntN(3) {
			id := rng.IntN(1200)
			switch rng.IntN(8) {
			case 0:
				_, err = tx.Exec("DELETE FROM t WHERE id = ?", id)
			case 1, 2, 3:
				_, err = tx.Exec("INSERT IGNORE INTO t VALUES (?, ?, ?)", id, seed, n)
			default:
				_, err = tx.Exec("UPDATE t SET who = ?, n = ? WHERE id = ?", seed, n, id)
			}
			if err != nil {
				break
			}
		}
		if err == nil {
			err = tx.Commit()
		} else {
			err = errors.Join(tx.Rollback(), unlessDeadlock(err))
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func unlessDeadlock(err error) error {
	if strings.Contains(err.Error(), "1213") || strings.Contains(err.Error(), "1205") {
		return nil
	}
	return err
}

// table is what a copy has made of t: rows by key.
type table map[int64]string

func keyOf(r rowferry.Row) int64 { return r[0].Int() }

// merge makes the change so, whatever was there.
func (m table) merge(c rowferry.Change) {
	switch c.Op {
	case rowferry.Insert:
		m[keyOf(c.After)] = rowKey(c.After)
	case rowferry.Update:
		if _, there := m[keyOf(c.After)]; there {
			m[keyOf(c.After)] = rowKey(c.After)
		}
	case rowferry.Delete:
		delete(m, keyOf(c.Before))
	}
}

// strict is merge where everything has to be as the log says.
func (m table) strict(t *testing.T, c rowferry.Change) {
	t.Helper()
	if c.Before != nil {
		if was := m[keyOf(c.Before)]; was != rowKey(c.Before) {
			t.Errorf("behind the end: %s of %s, where there is %q", c.Op, rowKey(c.Before), was)
		}
		delete(m, keyOf(c.Before))
	}
	if c.After != nil {
		if was, there := m[keyOf(c.After)]; there {
			t.Errorf("behind the end: %s to %s, where there is %q", c.Op, rowKey(c.After), was)
		}
		m[keyOf(c.After)] = rowKey(c.After)
	}
}

// TestCopyUnderWriters copies in chunks while 16 writers change the rows, merges
// the log from the copy's beginning to its end, and follows it strictly from
// there on: every row is always what the log says it was.
func TestCopyUnderWriters(t *testing.T) {
	for _, c := range []struct {
		name string
		kind testdb.Kind
		opts []testdb.Option
	}{
		{"mysql, any order", testdb.MySQL97, []testdb.Option{testdb.Arg("binlog_order_commits=OFF"), testdb.Arg("sync_binlog=1"), testdb.Arg("innodb_flush_log_at_trx_commit=1")}},
		{"mysql", testdb.MySQL97, nil},
		{"mariadb", testdb.MariaDB1011, []testdb.Option{testdb.MaxBinlogSize(100 << 10)}},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := testdb.Start(t, c.kind, append(c.opts, testdb.Private(), testdb.RowMetadata("FULL"))...)
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, who INT, n INT)", "INSERT INTO t "+series(900))
			writing, stop := context.WithCancel(t.Context())
			var writers sync.WaitGroup
			for i := range 16 {
				writers.Go(func() {
					if err := scribble(writing, db, uint64(i+1)); err != nil {
						t.Error(err)
					}
				})
			}
			for range 3 {
				copyOnce(t, s, name, nil)
			}
			copyOnce(t, s, name, func() {
				stop()
				writers.Wait()
				run(t, db, fmt.Sprint("INSERT INTO t VALUES (", lastKey, ", 0, 0)"))
			})
		})
	}
}

// series selects rows with the ids from 1 to n, of at most 1000.
func series(n int) string {
	return fmt.Sprintf("WITH RECURSIVE s AS (SELECT 1 n UNION ALL SELECT n+1 FROM s WHERE n < %d) SELECT n, 0, 0 FROM s", n)
}

// lastKey is that of the row that is written when nobody writes any more.
const lastKey = 9999

// copyOnce copies t and follows the log for some time beyond the copy's end. Where
// silence is not nil, it ends the writers there and writes the last row, up to
// which the log is followed: then all has to be as it is there.
func copyOnce(t *testing.T, s *testdb.Server, name string, silence func()) {
	t.Helper()
	src, k, r := copying(t, s, "", name)
	shape := k.Tables()[0]
	rows := table{}
	var after []rowferry.Value
	for again := true; again; {
		upto, err := r.Split(t.Context(), &shape, after, 50)
		must(t, err)
		rows.add(rowsOf(t, r, &shape, after, upto))
		after, again = upto, upto != nil
	}
	end, err := k.End(t.Context())
	must(t, err)
	if silence != nil {
		silence()
	}
	from, lineage := k.From()
	f, err := src.Open(t.Context(), rowferry.Start{Position: from, Lineage: lineage})
	must(t, err)
	defer func() { must(t, f.Close()) }()
	passed, over, merged, followed := false, false, 0, 0
	for !over {
		tx, err := f.Next(t.Context())
		must(t, err)
		for _, c := range tx.Changes {
			switch {
			case c.Op == rowferry.Shape:
				if !sameShape(c.Table, shape.Shape) {
					t.Errorf("the log tells %+v, the copy has %+v", c.Table, shape.Shape)
				}
			case passed:
				rows.strict(t, c)
				followed++
			default:
				rows.merge(c)
				merged++
			}
			over = over || c.Op == rowferry.Insert && keyOf(c.After) == lastKey
		}
		if !passed && tx.Last {
			passed, err = src.Passed(tx.Position, tx.Log, end)
			must(t, err)
		}
		over = over || silence == nil && followed > 100
	}
	t.Logf("%d changes merged, %d followed", merged, followed)
	if !passed || merged == 0 {
		t.Errorf("from %s to %s: %d changes merged, passed %v", from, end, merged, passed)
	}
	if silence == nil {
		return
	}
	now := table{}
	now.add(rowsOf(t, r, &shape, nil, nil))
	if !maps.Equal(rows, now) {
		t.Errorf("the copy has %d rows and differs from the table, which has %d", len(rows), len(now))
	}
}

func (m table) add(rows []rowferry.Row) {
	for _, row := range rows {
		m[keyOf(row)] = rowKey(row)
	}
}

// TestCopyWalksTheIndex: a chunk costs what it has, wherever it is in the table,
// with keys of several columns of which the first are all the same.
func TestCopyWalksTheIndex(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, s)
			for table, key := range map[string]string{
				"numbers": "1, n", "labels": "1 + (n > 5000), n", "texts": "CONCAT('ä', n DIV 9990), n", "bytes": "CONCAT('a', n DIV 9990), n", "days": "'2024-00-00', n",
			} {
				types := map[string]string{
					"numbers": "BIGINT UNSIGNED", "labels": "ENUM('x','y','z')", "texts": "VARCHAR(20) CHARACTER SET latin1", "bytes": "VARBINARY(20)", "days": "DATETIME(3)",
				}
				run(t, db, "CREATE TABLE "+table+" (v TEXT, a "+types[table]+" NOT NULL, b INT NOT NULL, small TINYINT, "+
					map[bool]string{true: "PRIMARY KEY", false: "UNIQUE KEY k"}[table < "f"]+" (a, b), KEY tempting (small))",
					"SET SESSION "+map[testdb.Flavor]string{testdb.MySQL: "cte_max_recursion_depth", testdb.MariaDB: "max_recursive_iterations"}[k.Flavor()]+"=20000",
					"INSERT INTO "+table+" WITH RECURSIVE s AS (SELECT 1 n UNION ALL SELECT n+1 FROM s WHERE n < 10000) SELECT 'text', "+key+", 1 FROM s",
					"ANALYZE TABLE "+table)
			}
			_, copied, r := copying(t, s, "", name)
			for _, table := range copied.Tables() {
				var after []rowferry.Value
				for range 9 {
					was := walked(t, r)
					end, err := r.Split(t.Context(), &table, after, 1000)
					must(t, err)
					is := walked(t, r)
					rows := rowsOf(t, r, &table, after, end)
					if split, read := is-was, walked(t, r)-is; len(rows) != 1000 || split > 1010 || read > 1010 {
						t.Errorf("%s behind %v: %d rows, %d looked at to divide, %d to read", table.Shape.Name, after, len(rows), split, read)
					}
					after = end
				}
				if rows := rowsOf(t, r, &table, after, nil); len(rows) != 1000 {
					t.Errorf("%s: the last chunk has %d rows", table.Shape.Name, len(rows))
				}
				was := walked(t, r)
				n := 0
				must(t, r.Fetch(t.Context(), &table, [][]rowferry.Value{after, {after[0], rowferry.IntValue(-1)}, after}, func(rows []rowferry.Row) error {
					n += len(rows)
					return nil
				}))
				if looked := walked(t, r) - was; n != 1 || looked > 10 {
					t.Errorf("%s: %d rows fetched, %d looked at", table.Shape.Name, n, looked)
				}
			}
		})
	}
}

// walked is how many rows and index entries the reader's session has looked at.
func walked(t *testing.T, r rowferry.ChunkReader) (n int) {
	t.Helper()
	must(t, r.(*chunkReader).conn.Query(t.Context(), "SHOW SESSION STATUS LIKE 'Handler_read%'", func(scan func(...any) error) error {
		var name string
		var count int
		err := scan(&name, &count)
		n += count
		return err
	}))
	return n
}

// TestCopyFetch reads rows by key, many of them, in bounded statements.
func TestCopyFetch(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k)
			name, db := testdb.NewDatabase(t, s)
			run(t, db, keys(k.Flavor())...)
			run(t, db, "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, who INT, n INT)", "INSERT INTO t "+series(900))
			_, copied, r := copying(t, s, "", name)
			for _, table := range copied.Tables() {
				id := table.Shape.Identity()
				if id == nil {
					continue
				}
				whole := rowsOf(t, r, &table, nil, nil)
				var keys [][]rowferry.Value
				for _, row := range whole {
					key := make([]rowferry.Value, len(id))
					for i, o := range id {
						key[i] = row[o]
					}
					keys = append(keys, key)
				}
				var got []rowferry.Row
				must(t, r.Fetch(t.Context(), &table, keys, func(rows []rowferry.Row) error {
					for _, row := range rows {
						got = append(got, slices.Clone(row))
					}
					return nil
				}))
				if table.Shape.Name.Table == "empties" {
					continue // two rows have the same key, as far as it can be told
				}
				if !maps.Equal(counted(got), counted(whole)) {
					t.Errorf("%s: fetched %v of %v", table.Shape.Name, got, whole)
				}
			}
		})
	}
}

// TestCopyEach: what each says is what Read and Fetch say, and the reader goes on.
func TestCopyEach(t *testing.T) {
	s := testdb.Start(t, testdb.MySQL97)
	name, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT NOT NULL PRIMARY KEY, v LONGTEXT)", "INSERT INTO t "+strings.Replace(series(60), "SELECT n, 0, 0", "SELECT n, REPEAT('x', 100000)", 1))
	_, copied, r := copying(t, s, "", name)
	table := copied.Tables()[0]
	if table.Rows < 30 || table.Rows > 120 || table.Bytes <= 0 {
		t.Errorf("estimated %d rows of %d bytes", table.Rows, table.Bytes)
	}
	enough := errors.New("enough")
	if _, err := r.Read(t.Context(), &table, nil, nil, func([]rowferry.Row) error { return enough }); !errors.Is(err, enough) || rowferry.CodeOf(err) != "" {
		t.Errorf("%v", err)
	}
	most := 0
	_, err := r.Read(t.Context(), &table, nil, nil, func(rows []rowferry.Row) error {
		size := 0
		for _, row := range rows {
			size += row.Size()
		}
		most = max(most, size)
		return nil
	})
	must(t, err)
	if most > copyBatchBytes+200_000 {
		t.Errorf("%d bytes at once", most)
	}
	ended, cancel := context.WithCancel(t.Context())
	_, err = r.Read(ended, &table, nil, nil, func([]rowferry.Row) error {
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}
