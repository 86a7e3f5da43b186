package testdb_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Every target starts, is the server it is called, and gives out databases.
func TestTargets(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k)
			_, db := testdb.NewDatabase(t, s)
			_, other := testdb.NewDatabase(t, s)
			exec(t, db, "CREATE TABLE t (a INT PRIMARY KEY)", "INSERT INTO t VALUES (1)")
			exec(t, other, "CREATE TABLE t (a INT PRIMARY KEY)")
			var n int
			must(t, db.QueryRow("SELECT COUNT(*) FROM t").Scan(&n))
			if n != 1 {
				t.Errorf("%d rows", n)
			}
		})
	}
}

// What was committed is there after a crash and after a shutdown, on the same
// port, though sessions were open and busy.
func TestRestartKeepsAddressAndRows(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			name, db := testdb.NewDatabase(t, s)
			exec(t, db, "CREATE TABLE t (a INT PRIMARY KEY)")
			port := s.Port
			for i, end := range []func() error{s.Kill, s.Stop} {
				db, err := s.Open(name)
				must(t, err)
				open, err := db.Begin()
				must(t, err)
				_, err = open.Exec("INSERT INTO t VALUES (100)")
				must(t, err)
				_, err = db.Exec("INSERT INTO t VALUES (1 + " + string(rune('0'+i)) + ")")
				must(t, err)
				must(t, end())
				_ = open.Rollback()
				db.Close()
				must(t, s.Restart(t.Context()))
			}
			if s.Port != port {
				t.Errorf("port %d became %d", port, s.Port)
			}
			again, err := s.Open(name)
			must(t, err)
			defer again.Close()
			var n, most int
			must(t, again.QueryRow("SELECT COUNT(*), MAX(a) FROM t").Scan(&n, &most))
			if n != 2 || most != 2 {
				t.Errorf("%d rows up to %d, want 2 up to 2", n, most)
			}
		})
	}
}

// Kill ends PostgreSQL's sessions too: a busy one would outlive the server, keep
// its memory and let no other start.
func TestKillBusy(t *testing.T) {
	s := testdb.Start(t, testdb.Postgres15, testdb.Private())
	conn, err := s.DB().Conn(t.Context())
	must(t, err)
	defer conn.Close()
	// Should the session be left behind, it is not for long.
	_, err = conn.ExecContext(t.Context(), "SET statement_timeout = '30s'")
	must(t, err)
	busy := make(chan error, 1)
	go func() {
		_, err := conn.ExecContext(context.Background(), "DO 'BEGIN LOOP END LOOP; END'")
		busy <- err
	}()
	for n := 0; n == 0; {
		must(t, s.DB().QueryRow("SELECT COUNT(*) FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'DO %'").Scan(&n))
	}
	must(t, s.Kill())
	if err := <-busy; err == nil || strings.Contains(err.Error(), "timeout") {
		t.Errorf("the loop of a killed server ended with: %v", err)
	}
	must(t, s.Restart(t.Context()))
}

// A frozen server answers nothing, in no session, and goes on when thawed; it
// can be ended while it is frozen.
func TestFreeze(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.Private())
			conn, err := s.DB().Conn(t.Context())
			must(t, err)
			must(t, conn.PingContext(t.Context()))
			must(t, s.Freeze())
			answer := make(chan error, 1)
			go func() {
				_, err := conn.ExecContext(context.Background(), "SELECT 1")
				answer <- err
			}()
			select {
			case err := <-answer:
				t.Fatalf("a frozen server answers: %v", err)
			case <-time.After(200 * time.Millisecond):
			}
			must(t, s.Thaw())
			must(t, <-answer)
			must(t, conn.Close())
			must(t, s.Freeze())
			must(t, s.Stop())
		})
	}
}

// A full disk refuses rows, and takes them again when there is room. PostgreSQL
// may end itself when its log finds none; it comes back with what it had.
func TestFullDisk(t *testing.T) {
	for _, k := range testdb.Targets() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			s := testdb.Start(t, k, testdb.SmallDisk(400<<20))
			name, db := testdb.NewDatabase(t, s)
			exec(t, db, "CREATE TABLE t (a INT PRIMARY KEY, b TEXT)", "INSERT INTO t VALUES (0, 'x')")
			must(t, s.FillDisk())
			text := strings.Repeat("x", 60_000)
			n := 1
			for insert(db, n, text) == nil {
				if n++; n > 10_000 {
					t.Fatal("600 MB fit a full disk")
				}
			}
			must(t, s.FreeDisk())
			if db.Ping() != nil {
				must(t, s.Kill())
				must(t, s.Restart(t.Context()))
			}
			again, err := s.Open(name)
			must(t, err)
			defer again.Close()
			must(t, insert(again, n, text))
			var rows int
			must(t, again.QueryRow("SELECT COUNT(*) FROM t").Scan(&rows))
			if rows != n+1 {
				t.Errorf("%d rows, want %d", rows, n+1)
			}
		})
	}
}

func insert(db *sql.DB, a int, text string) error {
	_, err := db.Exec(fmt.Sprintf("INSERT INTO t VALUES (%d, '%s')", a, text))
	return err
}

// A port is one holder's until released.
func TestReservePort(t *testing.T) {
	seen := map[int]bool{}
	for range 500 {
		p, err := testdb.ReservePort()
		must(t, err)
		defer p.Release()
		if seen[p.Number] {
			t.Fatalf("port %d was given twice", p.Number)
		}
		seen[p.Number] = true
	}
}

// A PostgreSQL that was killed leaves no shared memory behind.
func TestNoSharedMemoryLeft(t *testing.T) {
	s, err := testdb.Launch(t.Context(), testdb.Postgres15)
	must(t, err)
	pid, err := os.ReadFile(filepath.Join(s.DataDir(), "postmaster.pid"))
	must(t, err)
	segment := strings.Fields(strings.Split(string(pid), "\n")[6])[1]
	if !sharedSegment(t, segment) {
		t.Errorf("a running server is not seen to have segment %s", segment)
	}
	must(t, errors.Join(s.Kill(), s.Close()))
	if sharedSegment(t, segment) {
		t.Errorf("segment %s is still there", segment)
	}
}

func sharedSegment(t *testing.T, id string) bool {
	t.Helper()
	text, err := os.ReadFile("/proc/sysvipc/shm")
	must(t, err)
	for line := range strings.Lines(string(text)) {
		if f := strings.Fields(line); len(f) > 1 && f[1] == id {
			return true
		}
	}
	return false
}
