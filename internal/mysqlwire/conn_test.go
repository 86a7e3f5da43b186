package mysqlwire_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/mysqlwire"
	"github.com/rowferry/rowferry/internal/testdb"
)

func TestMain(m *testing.M) { testdb.Main(m) }

func onEach(t *testing.T, test func(t *testing.T, server *testdb.Server, name string)) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k)
			name, _ := testdb.NewDatabase(t, server)
			test(t, server, name)
		})
	}
}

func dial(t *testing.T, server *testdb.Server) *mysqlwire.Conn {
	t.Helper()
	e, err := connect.Parse(server.URL(""))
	must(t, err)
	c, err := mysqlwire.Dial(t.Context(), e)
	must(t, err)
	t.Cleanup(c.Close)
	exec(t, c, "SET NAMES utf8mb4")
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t *testing.T, c *mysqlwire.Conn, statements ...string) {
	t.Helper()
	for _, s := range statements {
		if _, err := c.Exec(t.Context(), s); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
}

func prepare(t *testing.T, c *mysqlwire.Conn, sql string) *mysqlwire.Stmt {
	t.Helper()
	st, err := c.Prepare(t.Context(), sql)
	must(t, err)
	return st
}

// one returns the only value of a query, or "NULL".
func one(t *testing.T, c *mysqlwire.Conn, query string, args ...any) string {
	t.Helper()
	var v sql.NullString
	must(t, c.Query(t.Context(), query, func(scan func(...any) error) error { return scan(&v) }, args...))
	if !v.Valid {
		return "NULL"
	}
	return v.String
}

// TestQueue: what fails in the middle is told in its place, what comes after it
// is answered too, and the connection is as good as before.
func TestQueue(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		c := dial(t, server)
		exec(t, c, "CREATE TABLE "+name+".t (id BIGINT PRIMARY KEY, s VARCHAR(20))")
		insert := prepare(t, c, "INSERT INTO "+name+".t VALUES (?, ?)")
		search := prepare(t, c, "SELECT s FROM "+name+".t WHERE id >= ? FOR UPDATE")
		must(t, c.QueueText(t.Context(), "START TRANSACTION"))
		for _, id := range []int64{1, 2, 1, 3} {
			c.Begin(insert)
			c.Int(id)
			c.Text("a")
			must(t, c.Queue(t.Context()))
		}
		c.Begin(search)
		c.Int(2)
		must(t, c.Queue(t.Context()))
		insert.Close() // what is queued is before it
		must(t, c.QueueText(t.Context(), "UPDATE "+name+".t SET s = 'a'"))
		for i, want := range []int64{0, 1, 1, -1, 1, 2, 3} {
			n, err := c.Answer(t.Context())
			var refused *mysqlwire.ServerError
			if want < 0 {
				if !errors.As(err, &refused) || refused.Number != 1062 || refused.State != "23000" {
					t.Errorf("answer %d: %v", i, err)
				}
			} else if n != want || err != nil {
				t.Errorf("answer %d: %d rows, %v; want %d", i, n, err, want)
			}
		}
		if _, err := c.Answer(t.Context()); err == nil || c.Broken() || c.Unanswered() != 0 {
			t.Errorf("one answer too many: %v", err)
		}
		exec(t, c, "COMMIT")
		if n := one(t, c, "SELECT COUNT(*) FROM "+name+".t"); n != "3" {
			t.Errorf("%s rows", n)
		}
		c.Begin(insert)
		if err := c.Queue(t.Context()); err == nil {
			t.Error("a closed statement was executed")
		}
	})
}

// TestDiscard: what is taken back is not executed, and statements that were
// closed meanwhile are closed.
func TestDiscard(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		c := dial(t, server)
		exec(t, c, "CREATE TABLE "+name+".t (id BIGINT PRIMARY KEY)")
		insert := prepare(t, c, "INSERT INTO "+name+".t VALUES (?)")
		put := func(id int64) {
			c.Begin(insert)
			c.Int(id)
			must(t, c.Queue(t.Context()))
		}
		put(1)
		put(2)
		if n, err := c.Answer(t.Context()); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		put(3)
		before := one(t, c, "SELECT VARIABLE_VALUE FROM "+statusTable(server)+" WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'")
		put(4)
		insert.Close()
		c.Discard()
		if n := c.Unanswered(); n != 2 {
			t.Errorf("%d are unanswered", n)
		}
		for range 2 {
			if n, err := c.Answer(t.Context()); n != 1 || err != nil {
				t.Error(n, err)
			}
		}
		if got := one(t, c, "SELECT GROUP_CONCAT(id ORDER BY id) FROM "+name+".t"); got != "1,2,3" {
			t.Errorf("rows %s", got)
		}
		after := one(t, c, "SELECT VARIABLE_VALUE FROM "+statusTable(server)+" WHERE VARIABLE_NAME = 'PREPARED_STMT_COUNT'")
		if before == after {
			t.Errorf("%s statements before, %s after", before, after)
		}
	})
}

func statusTable(server *testdb.Server) string {
	if server.Kind.Flavor() == testdb.MariaDB {
		return "information_schema.GLOBAL_STATUS"
	}
	return "performance_schema.global_status"
}

// TestEarlier: what would have to wait for others of which one has failed is not
// sent.
func TestEarlier(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		c := dial(t, server)
		exec(t, c, "CREATE TABLE "+name+".t (id INT PRIMARY KEY)")
		var err error
		queued := 0
		for ; err == nil && queued < 1000; queued++ {
			err = c.QueueText(t.Context(), fmt.Sprintf("INSERT INTO %s.t VALUES (%d)", name, queued%5))
		}
		if !errors.Is(err, mysqlwire.ErrEarlier) || c.Broken() || queued > 65 {
			t.Fatalf("after %d statements: %v", queued, err)
		}
		if _, err := c.Exec(t.Context(), "DELETE FROM "+name+".t"); !errors.Is(err, mysqlwire.ErrEarlier) {
			t.Errorf("a statement by itself: %v", err)
		}
		c.Discard()
		for i := 0; c.Unanswered() > 0; i++ {
			if _, err := c.Answer(t.Context()); (err == nil) != (i < 5) {
				t.Errorf("answer %d: %v", i, err)
			}
		}
		if n := one(t, c, "SELECT COUNT(*) FROM "+name+".t"); n != "5" {
			t.Errorf("%s rows", n)
		}
	})
}

// TestManyQueued: more than may be unanswered, of texts that are large together.
func TestManyQueued(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		c := dial(t, server)
		exec(t, c, "CREATE TABLE "+name+".t (id BIGINT PRIMARY KEY, s LONGTEXT)")
		insert := prepare(t, c, "INSERT INTO "+name+".t VALUES (?, ?)")
		exec(t, c, "START TRANSACTION")
		const all = 1000
		size := 0
		for i := range all {
			s := strings.Repeat("x", i*17%40000)
			size += len(s)
			c.Begin(insert)
			c.Int(int64(i))
			c.Text(s)
			must(t, c.Queue(t.Context()))
		}
		if c.Ready() < all-64 {
			t.Errorf("%d of %d are answered", c.Ready(), all)
		}
		for i := range all {
			if n, err := c.Answer(t.Context()); n != 1 || err != nil {
				t.Fatalf("answer %d: %d, %v", i, n, err)
			}
		}
		if got, want := one(t, c, "SELECT CONCAT(COUNT(*), ' ', SUM(LENGTH(s))) FROM "+name+".t"), fmt.Sprint(all, size); strings.ReplaceAll(got, " ", "") != strings.ReplaceAll(want, " ", "") {
			t.Errorf("%s, want %s", got, want)
		}
	})
}

// TestValues: parameters come back as they were given, those that are sent by
// themselves too.
func TestValues(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		c := dial(t, server)
		largest := 0
		must(t, c.Query(t.Context(), "SELECT @@max_allowed_packet", func(scan func(...any) error) error { return scan(&largest) }))
		c.SetMaxPacket(largest)
		for _, v := range []any{
			nil, "", "a", "\x00", "ä\x00日本😀'\"\\", strings.Repeat("x", 250), strings.Repeat("x", 251), strings.Repeat("y", 1<<16), strings.Repeat("z", 3<<20),
			int64(0), int64(-1), int64(math.MinInt64), int64(math.MaxInt64), uint64(0), uint64(math.MaxUint64), 0.0, -0.5, 0.1, math.MaxFloat64, math.SmallestNonzeroFloat64,
		} {
			want := fmt.Sprint(v)
			if v == nil {
				want = "NULL"
			}
			if f, ok := v.(float64); ok {
				want = fmt.Sprintf("%g", f)
			}
			if got := one(t, c, "SELECT ?", v); got != want {
				t.Errorf("%T %.40q came back as %.40q", v, want, got)
			}
			if got := one(t, c, "SELECT HEX(?)", v); v == nil != (got == "NULL") {
				t.Errorf("%T %.40q is %.40q in hexadecimals", v, want, got)
			}
		}
		if err := c.Query(t.Context(), "SELECT ?", nil, struct{}{}); err == nil || c.Broken() {
			t.Error("a value of no known type was taken")
		}
	})
}

// TestLargeValues: packets beyond 16 MiB, and values that are sent in pieces.
func TestLargeValues(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k, testdb.Arg("max_allowed_packet=64M"))
			name, _ := testdb.NewDatabase(t, server)
			c := dial(t, server)
			exec(t, c, "CREATE TABLE "+name+".t (id INT PRIMARY KEY, a LONGBLOB, b LONGBLOB)")
			insert := prepare(t, c, "INSERT INTO "+name+".t VALUES (?, ?, ?)")
			large := strings.Repeat("0123456789abcdef", 20<<20/16)
			for i, largest := range []int{64 << 20, 1 << 20} { // in one packet of several parts; in pieces
				c.SetMaxPacket(largest)
				for j, text := range []string{large[:16<<20-100], large, large[:1<<24-31], large[:1<<24-35+i]} {
					c.Begin(insert)
					c.Int(int64(10*i + j))
					c.Text(text[:len(text)/2])
					c.Text(text[len(text)/2:])
					must(t, c.Queue(t.Context()))
					if n, err := c.Answer(t.Context()); n != 1 || err != nil {
						t.Fatalf("%d bytes: %d, %v", len(text), n, err)
					}
					var back []byte
					must(t, c.Query(t.Context(), fmt.Sprintf("SELECT CONCAT(a, b) FROM %s.t WHERE id = %d", name, 10*i+j), func(scan func(...any) error) error { return scan(&back) }))
					if string(back) != text {
						t.Errorf("%d bytes came back as %d", len(text), len(back))
					}
				}
			}
			for size := 1<<24 - 12; size < 1<<24+4; size++ { // around the end of a packet
				if n := one(t, c, "SELECT '"+large[:size-len("SELECT ''")]+"' = ''"); n != "0" {
					t.Errorf("a statement of %d bytes: %s", size, n)
				}
			}
		})
	}
}

// TestScan: what columns are read into, and what they are not.
func TestScan(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, _ string) {
		c := dial(t, server)
		for _, args := range [][]any{nil, {"x"}} {
			query := "SELECT 'text', -5, 18446744073709551615, 1, NULL, 7, CAST('2001-02-03 04:05:06.5' AS DATETIME(6)), CAST('2001-02-03' AS DATE), 1.50"
			if args != nil {
				query += " FROM (SELECT ? AS y) x"
			}
			var s, at, day, decimal string
			var i int
			var u uint64
			var b bool
			var none, some sql.NullInt64
			err := c.Query(t.Context(), query, func(scan func(...any) error) error {
				return scan(&s, &i, &u, &b, &none, &some, &at, &day, &decimal)
			}, args...)
			got := fmt.Sprint(s, i, u, b, none, some, at, day, decimal)
			at = strings.TrimRight(at, "0")
			want := fmt.Sprint("text", -5, uint64(math.MaxUint64), true, sql.NullInt64{}, sql.NullInt64{Int64: 7, Valid: true}, "2001-02-03 04:05:06.5", "2001-02-03", "1.50")
			if err != nil || strings.ReplaceAll(got, ".500000", ".5") != want {
				t.Errorf("%v: %s, %v", args, got, err)
			}
			for _, bad := range []any{new(float32), new(int), 5, nil} {
				if err := c.Query(t.Context(), query, func(scan func(...any) error) error {
					return scan(bad, &i, &u, &b, &none, &some, &at, &day, &decimal)
				}, args...); err == nil || c.Broken() {
					t.Errorf("a text was read into a %T: %v", bad, err)
				}
			}
			if err := c.Query(t.Context(), "SELECT NULL", func(scan func(...any) error) error { return scan(&s) }); err == nil {
				t.Error("NULL was read into a string")
			}
		}
	})
}

// TestInterrupted: a context that ends while a lock is waited for ends the wait,
// and the connection.
func TestInterrupted(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server, name string) {
		other, c := dial(t, server), dial(t, server)
		exec(t, other, "CREATE TABLE "+name+".t (id INT PRIMARY KEY) ENGINE = InnoDB", "INSERT INTO "+name+".t VALUES (1)", "START TRANSACTION", "DELETE FROM "+name+".t")
		ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
		defer cancel()
		for range 3 {
			must(t, c.QueueText(ctx, "DELETE FROM "+name+".t"))
		}
		start := time.Now()
		_, err := c.Answer(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || !c.Broken() || time.Since(start) > 10*time.Second {
			t.Errorf("after %v: %v", time.Since(start), err)
		}
		if _, err := c.Exec(t.Context(), "SELECT 1"); !errors.Is(err, mysqlwire.ErrBroken) {
			t.Errorf("a broken connection: %v", err)
		}
		ended, end := context.WithCancel(t.Context())
		end()
		if _, err := dial(t, server).Exec(ended, "DO 1"); !errors.Is(err, context.Canceled) {
			t.Errorf("a context that has ended: %v", err)
		}
	})
}

// TestKilled: a server that goes in the middle is told, and looking first finds
// out without asking it.
func TestKilled(t *testing.T) {
	for _, k := range testdb.Kinds() {
		t.Run(string(k), func(t *testing.T) {
			server := testdb.Start(t, k, testdb.Private())
			c, idle, killed := dial(t, server), dial(t, server), dial(t, server)
			exec(t, c, "KILL "+one(t, killed, "SELECT CONNECTION_ID()"))
			for range 200 {
				if !killed.Alive() {
					break
				}
				time.Sleep(10 * time.Millisecond)
			}
			if killed.Alive() || !idle.Alive() || !c.Alive() {
				t.Errorf("alive: killed %v, idle %v, in use %v", killed.Alive(), idle.Alive(), c.Alive())
			}
			for range 60 {
				must(t, c.QueueText(t.Context(), "DO SLEEP(0.01)"))
			}
			if _, err := c.Answer(t.Context()); err != nil {
				t.Fatal(err)
			}
			must(t, server.Kill())
			var err error
			for err == nil {
				_, err = c.Answer(t.Context())
			}
			var refused *mysqlwire.ServerError
			if errors.As(err, &refused) || !c.Broken() || idle.Alive() {
				t.Errorf("after the server was killed: %v, idle %v", err, idle.Alive())
			}
		})
	}
}
