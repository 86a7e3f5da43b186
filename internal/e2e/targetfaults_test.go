package e2e

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// targetFault is what can befall a target in the middle of a batch.
type targetFault struct {
	name  string
	signs []string // what the engine says of it, one of them
	few   few      // at which statements in make test
	size  int      // bytes in the batch's large value
	hides bool     // the engine says first that it lost its session
	// strike makes it happen, and returns what ends it.
	strike func(s *stepper) (mend func())
}

// few names the statements of a batch that a fault is at in make test.
type few int

const (
	after  few = iota // one among the rows, and the checkpoint, which is after them
	among             // one among the rows
	before            // the first row
)

func targetFaults(f testdb.Flavor) []targetFault {
	return []targetFault{
		{"deadlock", []string{"40P01", "Error 1213"}, after, 10, false, (*stepper).deadlock},
		{"lock timeout", []string{"55P03", "Error 1205"}, after, 10, false, (*stepper).lock},
		{"read-only", []string{"25006", "Error 1290", "Error 1836"}, after, 10, f == testdb.Postgres, map[testdb.Flavor]func(*stepper) func(){
			testdb.MySQL: (*stepper).superReadOnly, testdb.MariaDB: (*stepper).readOnly, testdb.Postgres: (*stepper).standby,
		}[f]},
		{"connection limit", []string{"53300", "Error 1040"}, among, 10, true, (*stepper).connectionLimit},
		{"restart", []string{"RF-3014"}, among, 10, false, (*stepper).restart},
		{"disk full", []string{"RF-3008", "RF-3014"}, before, 6 << 20, false, (*stepper).diskFull},
	}
}

// exec runs statements as the target's superuser.
func (s *stepper) exec(statements ...string) {
	s.t.Helper()
	if err := s.goal.server.Exec(s.t.Context(), statements...); err != nil {
		s.t.Fatal(err)
	}
}

// rival is another session of the target that takes locks.
type rival struct {
	conn *sql.Conn
	s    *stepper
	has  bool // a lock that the batch will want
}

// rival begins a transaction that the target rather keeps than the batch's, and
// locks the last row that the batch writes, or else the checkpoint. A batch
// that has both cannot be hindered any more.
func (s *stepper) rival() *rival {
	s.t.Helper()
	ctx := context.Background()
	conn, err := s.goal.db.Conn(ctx)
	if err != nil {
		s.t.Fatal(err)
	}
	v := &rival{conn: conn, s: s}
	if s.pair.target.Flavor() == testdb.Postgres {
		v.must("BEGIN", "SET LOCAL deadlock_timeout = '1h'")
	} else {
		v.must("START TRANSACTION", manyRows)
	}
	for _, q := range []string{"SELECT n FROM " + s.goal.ns + "counter WHERE id = 2", s.goal.sequenceQuery()} {
		v.must("SAVEPOINT a")
		if _, err := conn.ExecContext(ctx, q+" FOR UPDATE NOWAIT"); err == nil {
			v.has = true
			break
		}
		v.must("ROLLBACK TO SAVEPOINT a")
	}
	return v
}

// manyRows gives the rival's transaction more weight in InnoDB than a batch's.
const manyRows = "INSERT INTO _test_scratch SELECT 1 FROM information_schema.COLUMNS LIMIT 500"

func (v *rival) must(statements ...string) {
	v.s.t.Helper()
	for _, q := range statements {
		if _, err := v.conn.ExecContext(context.Background(), q); err != nil {
			v.s.t.Fatalf("%s: %v", q, err)
		}
	}
}

// leave ends the rival.
func (v *rival) leave() {
	v.s.t.Helper()
	v.must("ROLLBACK")
	if err := v.conn.Close(); err != nil {
		v.s.t.Fatal(err)
	}
}

// lock holds a row that the batch wants for longer than it waits.
func (s *stepper) lock() func() { return s.rival().leave }

// deadlock holds a row that the batch wants and waits for one that the batch
// has.
func (s *stepper) deadlock() func() {
	s.t.Helper()
	v := s.rival()
	if !v.has {
		v.leave()
		return func() {}
	}
	done := make(chan error, 1)
	go func() { // "rival"
		_, err := v.conn.ExecContext(context.Background(), "SELECT n FROM "+s.goal.ns+"counter WHERE id = 1 FOR UPDATE")
		done <- err
	}()
	waits := "SELECT COUNT(*) FROM information_schema.INNODB_TRX WHERE trx_state = 'LOCK WAIT'"
	if s.pair.target.Flavor() == testdb.Postgres {
		waits = "SELECT COUNT(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
	}
	s.until("the rival waits", func() bool {
		time.Sleep(150 * time.Millisecond) // InnoDB looks again only where nobody asked for a tenth of a second
		return len(done) > 0 || s.goal.intOf(s.t, waits) > 0
	})
	return func() {
		if err := <-done; err != nil {
			s.t.Fatalf("the rival was chosen: %v", err)
		}
		v.leave()
	}
}

func (s *stepper) superReadOnly() func() {
	s.exec("SET GLOBAL super_read_only = ON")
	return func() { s.exec("SET GLOBAL super_read_only = OFF", "SET GLOBAL read_only = OFF") }
}

func (s *stepper) readOnly() func() {
	s.exec("SET GLOBAL read_only = ON")
	return func() { s.exec("SET GLOBAL read_only = OFF") }
}

// standby makes PostgreSQL take no writes from new sessions and ends the
// engine's, as a failover to a standby does.
func (s *stepper) standby() func() {
	s.t.Helper()
	s.exec("ALTER SYSTEM SET default_transaction_read_only = on", "SELECT pg_reload_conf()")
	s.until("new sessions take no writes", func() bool { return s.setting("default_transaction_read_only") == "on" })
	s.endSessions()
	return func() { s.exec("ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()") }
}

// setting is what a new session has.
func (s *stepper) setting(name string) (value string) {
	s.t.Helper()
	db, err := s.goal.server.Open(s.goal.name)
	if err == nil {
		err = db.QueryRow("SHOW " + name).Scan(&value)
		db.Close()
	}
	if err != nil {
		s.t.Fatal(err)
	}
	return value
}

// endSessions ends the engine's sessions.
func (s *stepper) endSessions() {
	s.t.Helper()
	kill, list := "SELECT pg_terminate_backend(%d)", "SELECT pid FROM pg_stat_activity WHERE usename = 'ferry' ORDER BY pid LIMIT 1"
	if s.pair.target.Flavor() != testdb.Postgres {
		kill, list = "KILL CONNECTION %d", "SELECT ID FROM information_schema.PROCESSLIST WHERE USER = 'ferry' ORDER BY ID LIMIT 1"
	}
	for last := int64(-1); ; {
		n, err := s.goal.number(list)
		if err == sql.ErrNoRows {
			return
		}
		if err != nil {
			s.t.Fatal(err)
		}
		if n != last {
			// It may have ended by itself.
			_, _ = s.goal.db.Exec(fmt.Sprintf(kill, n))
		}
		last = n
	}
}

// connectionLimit ends the engine's session and takes all that are left.
func (s *stepper) connectionLimit() func() {
	s.t.Helper()
	refuse := func(on bool) {
		if err := s.down.Refuse(on); err != nil {
			s.t.Fatal(err)
		}
	}
	refuse(true)
	s.endSessions()
	db, err := s.goal.server.OpenAs(s.account, s.goal.name)
	if err != nil {
		s.t.Fatal(err)
	}
	var all []*sql.Conn
	for {
		conn, err := db.Conn(s.t.Context())
		if err != nil {
			break
		}
		all = append(all, conn)
	}
	refuse(false)
	return func() {
		for _, conn := range all {
			_ = conn.Close() // with the pool it ends in any case
		}
		db.Close()
	}
}

// restart kills the server.
func (s *stepper) restart() func() {
	s.t.Helper()
	if err := s.goal.server.Kill(); err != nil {
		s.t.Fatal(err)
	}
	return s.revive
}

func (s *stepper) revive() {
	s.t.Helper()
	if err := s.goal.server.Restart(s.t.Context()); err != nil {
		s.t.Fatal(err)
	}
}

// diskFull leaves the server no room. PostgreSQL may end over it.
func (s *stepper) diskFull() func() {
	s.t.Helper()
	if err := s.goal.server.FillDisk(); err != nil {
		s.t.Fatal(err)
	}
	return func() {
		if err := s.goal.server.FreeDisk(); err != nil {
			s.t.Fatal(err)
		}
		ctx, cancel := context.WithTimeout(s.t.Context(), 5*time.Second)
		defer cancel()
		if s.goal.db.PingContext(ctx) == nil {
			return
		}
		if err := s.goal.server.Kill(); err != nil {
			s.t.Fatal(err)
		}
		s.revive()
	}
}
