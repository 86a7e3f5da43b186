package mysql

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// holding starts a server that can be made to hold commits between its log and
// their visibility: each waits for a replica's word, and there is none.
func holding(t *testing.T, k testdb.Kind) (s *testdb.Server, hold, release func()) {
	t.Helper()
	set := []string{"rpl_semi_sync_master_timeout=3600000", "rpl_semi_sync_master_wait_point='AFTER_SYNC'", "rpl_semi_sync_master_wait_no_slave=ON", "rpl_semi_sync_master_enabled=ON"}
	s = testdb.Start(t, k, testdb.Private())
	if k.Flavor() == testdb.MySQL {
		must(t, s.Exec(t.Context(), "INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'"))
		for i := range set {
			set[i] = strings.NewReplacer("master", "source", "slave", "replica").Replace(set[i])
		}
	}
	enabled := set[len(set)-1]
	hold = func() {
		t.Helper()
		for _, v := range set {
			must(t, s.Exec(t.Context(), "SET GLOBAL "+v))
		}
	}
	release = func() {
		t.Helper()
		must(t, s.Exec(context.WithoutCancel(t.Context()), "SET GLOBAL "+strings.Replace(enabled, "=ON", "=OFF", 1)))
	}
	return s, hold, release
}

// logEnd is where a server's log ends.
func logEnd(t testing.TB, s *testdb.Server) string {
	t.Helper()
	status := "SHOW BINARY LOG STATUS"
	if s.Kind.Flavor() == testdb.MariaDB {
		status = "SHOW MASTER STATUS"
	}
	rows, err := s.DB().QueryContext(t.Context(), status)
	must(t, err)
	defer rows.Close()
	columns, err := rows.Columns()
	must(t, err)
	if !rows.Next() {
		t.Fatal("no log")
	}
	var file, offset string
	into := []any{&file, &offset}
	for range columns[2:] {
		into = append(into, new(sql.RawBytes))
	}
	must(t, rows.Scan(into...))
	return file + ":" + offset
}

// held runs a statement that is logged and not visible yet when held returns. wait
// waits until it is done.
func held(t *testing.T, s *testdb.Server, c *sql.Conn, statement string) (wait func()) {
	t.Helper()
	before := logEnd(t, s)
	done := make(chan error, 1)
	go func() {
		_, err := c.ExecContext(context.WithoutCancel(t.Context()), statement)
		done <- err
	}()
	for logEnd(t, s) == before {
		select {
		case err := <-done:
			t.Fatalf("%s is not held: %v", statement, err)
		default:
		}
	}
	return func() {
		t.Helper()
		must(t, <-done)
	}
}

// session opens a session of its own.
func session(t *testing.T, db *sql.DB, statements ...string) *sql.Conn {
	t.Helper()
	c, err := db.Conn(t.Context())
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	for _, q := range statements {
		_, err := c.ExecContext(t.Context(), q)
		must(t, err)
	}
	return c
}

// TestCopyBeginsBeforeWhatIsNotVisible: of a transaction that is in the log and
// that no chunk sees, the log tells from where the copy began; and where the copy
// ends is not before it.
func TestCopyBeginsBeforeWhatIsNotVisible(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s, hold, release := holding(t, k)
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
			hold()
			wait := held(t, s, session(t, db), "INSERT INTO t VALUES (2)")
			src, copied, r := copying(t, s, "", name)
			from, lineage := copied.From()
			table := copied.Tables()[0]
			if rows := rowsOf(t, r, &table, nil, nil); len(rows) != 1 {
				t.Fatalf("nothing is held: %v", rows)
			}
			end, err := copied.End(t.Context())
			must(t, err)
			release()
			wait()
			if rows := rowsOf(t, r, &table, nil, nil); len(rows) != 2 {
				t.Errorf("a later snapshot has %v", rows)
			}
			if lineage == "" {
				t.Error("no lineage")
			}
			if passed, err := src.Passed(from, "", end); passed || err != nil {
				t.Errorf("the end is not behind the beginning: %v %v", from, end)
			}
			opt := src.opt
			opt.Once = true
			res := readFrom(Live(opt), rowferry.Start{Position: from, Lineage: lineage})
			must(t, res.err)
			rows := ""
			for _, tx := range sourcetest.Join(res.txs, nil) {
				passed, err := src.Passed(tx.Position, tx.Log, end)
				must(t, err)
				for _, c := range tx.Changes {
					if c.Op == rowferry.Insert {
						rows += fmt.Sprint(c.After, " ", passed)
					}
				}
			}
			if rows != "[2] true" {
				t.Errorf("from %s to %s the log has %s", from, end, rows)
			}
		})
	}
}

// toldUnseen makes a change to a table of two rows, which waits to be seen, and returns
// the transaction as a source that does not wait long has told it. release lets the
// change be seen.
func toldUnseen(t *testing.T, k testdb.Kind, change string) (s *testdb.Server, name string, impatient rowferry.Source, last *rowferry.Tx, release func()) {
	t.Helper()
	s, hold, let := holding(t, k)
	name, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, n INT)", "INSERT INTO t VALUES (1, 0), (2, 0)")
	src, copied, _ := copying(t, s, "", name)
	from, lineage := copied.From()
	hold()
	wait := held(t, s, session(t, db), change)
	opt := src.opt
	opt.Once, opt.Endpoint.Timeout = true, time.Second
	impatient = Live(opt)
	res := readFrom(impatient, rowferry.Start{Position: from, Lineage: lineage})
	must(t, res.err)
	return s, name, impatient, res.txs[len(res.txs)-1], func() { let(); wait() }
}

// TestCopyWaitsForWhatWasTold: a copy that begins where the log was followed to waits
// until its chunks see what the log has told.
func TestCopyWaitsForWhatWasTold(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s, name, impatient, last, release := toldUnseen(t, k, "INSERT INTO t VALUES (3, 0)")
			if _, err := impatient.(rowferry.Copier).Copy(t.Context(), last.Position); rowferry.CodeOf(err) != rowferry.CodeSourceAway {
				t.Errorf("what cannot be seen was not waited for: %v", err)
			}
			release()
			_, again, r := copying(t, s, last.Position, name)
			if rows := rowsOf(t, r, &again.Tables()[0], nil, nil); len(rows) != 3 {
				t.Errorf("read %v", rows)
			}
		})
	}
}

// TestCopyBesideNewFile: a new file of MariaDB's log moves the place of snapshots
// beyond commits that wait to be seen. A copy does not begin there, and begins when
// they are seen, in a new file as in any.
func TestCopyBesideNewFile(t *testing.T) {
	s, hold, release := holding(t, testdb.MariaDB1011)
	_, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY, pad TEXT)", "INSERT INTO t VALUES (1, NULL)")
	must(t, s.Exec(t.Context(), "SET GLOBAL max_binlog_size = 4096"))
	src := Live(LiveOptions{Endpoint: endpoint(t, s, "root")}).(*liveSource)
	hold()
	wait := held(t, s, session(t, db), "INSERT INTO t VALUES (2, REPEAT('x', 10000))") // which begins a new file
	if c, err := src.Copy(t.Context(), ""); rowferry.CodeOf(err) != rowferry.CodeSourceAway {
		t.Errorf("a copy begins at %v where a commit is not seen: %v", c, err)
	}
	release()
	wait()
	run(t, db, "FLUSH BINARY LOGS")
	c, err := src.Copy(t.Context(), "")
	must(t, err)
	must(t, c.Close())
}

// TestCopyBesideXA: a copy does not begin beside an XA transaction of which it
// cannot be told whether snapshots see it, and begins when it has ended.
func TestCopyBesideXA(t *testing.T) {
	s, hold, release := holding(t, testdb.MariaDB1011)
	_, db := testdb.NewDatabase(t, s)
	run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
	src := Live(LiveOptions{Endpoint: endpoint(t, s, "root")}).(*liveSource)
	refused := func(what string) {
		t.Helper()
		if _, err := src.Copy(t.Context(), ""); rowferry.CodeOf(err) != rowferry.CodeXA || !strings.Contains(err.Error(), "branch") {
			t.Errorf("beside an XA transaction that is %s: %v", what, err)
		}
	}
	branch := session(t, db, "XA START 'branch'", "INSERT INTO t VALUES (2)", "XA END 'branch'", "XA PREPARE 'branch'")
	refused("prepared")
	hold()
	wait := held(t, s, branch, "XA COMMIT 'branch'")
	refused("in the log and not visible")
	release()
	wait()
	copied, err := src.Copy(t.Context(), "")
	must(t, err)
	must(t, copied.Close())
}

// TestCopyEndsWhereNothingFollows: the end of a copy is passed where nothing was
// logged since it began, also where the log goes on in another file, and not
// before what was.
func TestCopyEndsWhereNothingFollows(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE t (id INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
			src, copied, _ := copying(t, s, "", name)
			from, _ := copied.From()
			check := func(want bool, what string) {
				t.Helper()
				end, err := copied.End(t.Context())
				must(t, err)
				if passed, err := src.Passed(from, "", end); passed != want || err != nil {
					t.Errorf("%s: %v %v, %s to %s", what, passed, err, from, end)
				}
			}
			check(true, "nothing since")
			must(t, s.Rotate(t.Context()))
			check(true, "a new file")
			run(t, db, "INSERT INTO t VALUES (2)")
			check(false, "a row")
			end, err := copied.End(t.Context())
			must(t, err)
			parts := strings.SplitN(string(end), " ", 3)
			file, offset, _ := strings.Cut(parts[2], ":")
			_, number, _ := splitName(file)
			next := fmt.Sprintf("%s%06d", strings.TrimRight(file, "0123456789"), number+1)
			for log, want := range map[string]bool{
				parts[2]: true, file + ":" + offset + "0": true, file + ":4": false, next + ":4": true, "other.999999:4": false,
				fmt.Sprintf("%s%06d:99999999", strings.TrimRight(file, "0123456789"), number-1): false, strings.TrimRight(file, "0123456789") + "1000000:4": true,
			} {
				if passed, err := src.Passed(from, log, end); passed != want || err != nil {
					t.Errorf("%s at the end %s: %v %v", log, end, passed, err)
				}
			}
			if passed, err := src.Passed(from, parts[2], rowferry.Mark("another - "+parts[2])); passed || err != nil {
				t.Errorf("the mark of another server: %v %v", passed, err)
			}
			if _, err := src.Passed(from, parts[2], "nonsense"); rowferry.CodeOf(err) != rowferry.CodeBadPosition {
				t.Errorf("no mark: %v", err)
			}
		})
	}
}

// TestCopyRefuses names what it cannot copy.
func TestCopyRefuses(t *testing.T) {
	for _, c := range []struct {
		kind testdb.Kind
		opts []testdb.Option
		make string
		code rowferry.Code
	}{
		{testdb.MySQL97, []testdb.Option{testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF")}, "", rowferry.CodeCopyRefused},
		{testdb.MySQL97, nil, "CREATE TABLE bad (id INT PRIMARY KEY) ENGINE=MyISAM", rowferry.CodeCopyRefused},
		{testdb.MariaDB1011, nil, "CREATE TABLE bad (id INT PRIMARY KEY) ENGINE=Aria", rowferry.CodeCopyRefused},
		{testdb.MariaDB1011, nil, "CREATE TABLE bad (id INT PRIMARY KEY, g POINT)", rowferry.CodeTypeRefused},
		{testdb.MariaDB1011, nil, "CREATE TABLE bad (id INT PRIMARY KEY) WITH SYSTEM VERSIONING", rowferry.CodeTypeRefused},
	} {
		t.Run(string(c.kind)+"/"+c.make, func(t *testing.T) {
			s := testdb.Start(t, c.kind, c.opts...)
			name, db := testdb.NewDatabase(t, s)
			run(t, db, "CREATE TABLE good (id INT PRIMARY KEY)", "CREATE VIEW seen AS SELECT * FROM good")
			if c.make != "" {
				run(t, db, c.make)
			}
			_, err := Live(LiveOptions{Endpoint: endpoint(t, s, "root"), Scope: inDatabase(name)}).(rowferry.Copier).Copy(t.Context(), "")
			if rowferry.CodeOf(err) != c.code || c.make != "" && !strings.Contains(err.Error(), "bad") {
				t.Errorf("%v, want %s", err, c.code)
			}
		})
	}
}
