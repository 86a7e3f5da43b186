package mysql_test

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// reserved sets keys aside, whoever is in the way, and returns them as text.
func reserved(ctx context.Context, sink *mysql.Sink, table string, n int) (string, error) {
	for {
		ranges, err := sink.Reserve(ctx, schema.Name{Table: table}, "id", n)
		if !rowferry.CodeOf(err).Transient() || ctx.Err() != nil {
			return fmt.Sprint(ranges), err
		}
	}
}

// TestReserve: columns of every kind, also beside writers who leave keys out.
func TestReserve(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		mustExec(t, db, "CREATE TABLE `o``wn` (id TINYINT UNSIGNED AUTO_INCREMENT PRIMARY KEY, s TEXT)",
			"CREATE TABLE big (s TEXT, id BIGINT UNSIGNED NOT NULL AUTO_INCREMENT UNIQUE)", "INSERT INTO big (id) VALUES (9223372036854775800)",
			"CREATE TABLE tiny (id TINYINT AUTO_INCREMENT PRIMARY KEY)", "INSERT INTO tiny VALUES (-7), (117)",
			"CREATE TABLE small (id SMALLINT AUTO_INCREMENT PRIMARY KEY)",
			"CREATE TABLE leaps (id INT AUTO_INCREMENT PRIMARY KEY, s TEXT)",
			"CREATE TABLE child (id INT AUTO_INCREMENT PRIMARY KEY, p INT, FOREIGN KEY (p) REFERENCES leaps (id) ON DELETE CASCADE)",
			"CREATE TABLE old (id INT AUTO_INCREMENT PRIMARY KEY) ENGINE = MyISAM", "CREATE VIEW seen AS SELECT 1 AS id")
		leaper, err := db.Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer leaper.Close()
		for _, q := range []string{"SET SESSION auto_increment_increment = 10, auto_increment_offset = 3", "INSERT INTO leaps (s) VALUES ('a'), ('b')"} {
			if _, err := leaper.ExecContext(t.Context(), q); err != nil {
				t.Fatal(err)
			}
		}
		for _, c := range []struct {
			table string
			n     int
			want  string
			code  rowferry.Code
		}{
			{"o`wn", 100, "[{1 100}]", ""}, {"o`wn", 154, "[{101 254}]", ""}, {"o`wn", 1, "[]", rowferry.CodeKeyReserve},
			{"big", 6, "[{9223372036854775801 9223372036854775806}]", ""}, {"big", 1, "[]", rowferry.CodeKeyReserve},
			{"tiny", 10, "[{118 126}]", ""}, {"tiny", 1, "[]", rowferry.CodeKeyReserve},
			{"small", 40_000, "[{1 8191}]", ""}, {"small", 40_000, "[{8192 14334}]", ""}, // a quarter of what is left
			{"child", 2, "[{1 2}]", ""}, {"old", 1, "[]", rowferry.CodeKeyReserve}, {"seen", 1, "[]", rowferry.CodeKeyReserve},
		} {
			if got, err := reserved(t.Context(), sink, c.table, c.n); got != c.want || rowferry.CodeOf(err) != c.code {
				t.Errorf("%d of %s: %s, %v, want %s", c.n, c.table, got, err, c.want)
			}
		}
		ranges, err := sink.Reserve(t.Context(), schema.Name{Table: "leaps"}, "id", 12)
		if err != nil || len(ranges) != 1 || ranges[0].First <= 13 {
			t.Fatalf("%v, %v", ranges, err)
		}
		if _, err := leaper.ExecContext(t.Context(), "INSERT INTO leaps (s) VALUES ('c')"); err != nil {
			t.Fatal(err)
		}
		if got := one(t, db, fmt.Sprintf("SELECT id > %d FROM leaps WHERE s = 'c'", ranges[0].Last)); got != "1" {
			t.Errorf("others were given a key of %v", ranges)
		}
	})
}

// TestReserveBehindOthers: a table that others have in use is not waited for
// long, and is left as it was.
func TestReserveBehindOthers(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		mustExec(t, db, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)")
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			t.Fatal(err)
		}
		mustExec(t, tx, "INSERT INTO t VALUES (NULL)")
		_, err = sink.Reserve(t.Context(), schema.Name{Table: "t"}, "id", 5)
		if rowferry.CodeOf(err) != rowferry.CodeTargetConflict {
			t.Errorf("got %v, want %s", err, rowferry.CodeTargetConflict)
		}
		mustExec(t, db, "INSERT INTO t VALUES (NULL)") // nobody waits any more
		if err := tx.Rollback(); err != nil {
			t.Fatal(err)
		}
		if got, err := reserved(t.Context(), sink, "t", 5); got != "[{3 7}]" || err != nil {
			t.Errorf("%s, %v", got, err)
		}
		mustExec(t, db, "INSERT INTO t VALUES (NULL)")
		if got := one(t, db, "SELECT MAX(id) FROM t"); got != "8" {
			t.Errorf("the next key is %s, want 8", got)
		}
	})
}

// TestReserveDenied: what the user lacks is named, and is enough.
func TestReserveDenied(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)")
		account := testdb.Account{User: "reserver", Password: "pw", Plugin: server.Kind.Plugins()[0], Grants: []string{"SELECT ON " + server.Quote(name) + ".*"}}
		if err := server.CreateAccount(t.Context(), account); err != nil {
			t.Fatal(err)
		}
		e, err := connect.Parse(server.AccountURL(account, "127.0.0.1", name))
		if err != nil {
			t.Fatal(err)
		}
		sink := open(t, server, name, func(o *mysql.Options) { o.Endpoint = e })
		defer sink.Close()
		_, err = sink.Reserve(t.Context(), schema.Name{Table: "t"}, "id", 1)
		var refused *rowferry.Error
		if !errors.As(err, &refused) || refused.Code != rowferry.CodeTargetDenied || len(refused.Remedies) != 2 {
			t.Fatalf("got %v, want %s with two remedies", err, rowferry.CodeTargetDenied)
		}
		for _, r := range refused.Remedies {
			mustExec(t, db, r.Do)
		}
		if got, err := reserved(t.Context(), sink, "t", 1); got != "[{1 1}]" || err != nil {
			t.Errorf("%s, %v", got, err)
		}
	})
}

// TestReserveCrash: what was set aside stays so over crashes and restarts.
func TestReserveCrash(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, server)
			sink := open(t, server, name, nil)
			defer sink.Close()
			mustExec(t, db, "CREATE TABLE t (id INT AUTO_INCREMENT PRIMARY KEY)")
			for n, end := range []func() error{nil, server.Kill, server.Stop} {
				if end != nil {
					if err := errors.Join(end(), server.Restart(t.Context())); err != nil {
						t.Fatal(err)
					}
				}
				want := fmt.Sprintf("[{%d %d}]", 4*n+1, 4*n+4)
				if got, err := reserved(t.Context(), sink, "t", 4); got != want || err != nil {
					t.Errorf("after %d restarts: %s, %v, want %s", n, got, err, want)
				}
			}
		})
	}
}
