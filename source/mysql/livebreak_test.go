package mysql

import (
	"errors"
	"fmt"
	"io"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestLiveBreaks breaks the connection or changes the log under a reader and
// looks what it says, and whether a new one goes on where it was.
func TestLiveBreaks(t *testing.T) {
	for _, k := range liveKinds() {
		for name, b := range breaks() {
			t.Run(string(k)+"/"+name, func(t *testing.T) {
				t.Parallel()
				s := testdb.Start(t, k, append(b.opts(k), testdb.Private())...)
				must(t, s.Exec(t.Context(), "CREATE DATABASE test", markTable))
				opt := LiveOptions{ServerID: 4711}
				opt.Endpoint = endpoint(t, s, "root")
				c := newConsumer(t, Live(opt))
				must(t, c.open())
				for i := range 3 {
					mark(t, s, fmt.Sprint("before ", i))
				}
				c.until(marks("before 2"))
				b.do(t, s)
				var err error
				for err == nil {
					_, err = c.next()
				}
				if rowferry.CodeOf(err) != b.says || errors.Is(err, io.EOF) {
					t.Errorf("the reader says %v, want %s", err, b.says)
				}
				c.close()
				if b.after != nil {
					b.after(t, s)
				}
				opt.Endpoint = endpoint(t, s, "root")
				c.src = Live(opt)
				if err = c.open(); err == nil && b.then != "" {
					for err == nil {
						_, err = c.next()
					}
				}
				if rowferry.CodeOf(err) != b.then {
					t.Errorf("opened again it says %v, want %q", err, b.then)
				}
				if b.then == "" && err == nil {
					mark(t, s, "after")
					c.until(marks("after"))
				}
				c.close()
			})
		}
	}
}

type breakage struct {
	args  []string
	do    func(testing.TB, *testdb.Server)
	says  rowferry.Code
	after func(testing.TB, *testdb.Server) // before it is opened again
	then  rowferry.Code                    // what that says; "": it goes on
}

func (b breakage) opts(testdb.Kind) (opts []testdb.Option) {
	for _, a := range b.args {
		opts = append(opts, testdb.Arg(a))
	}
	return opts
}

// reset makes the server forget its log and write another one of the same
// length.
func reset(t testing.TB, s *testdb.Server) {
	must(t, s.ResetBinlog(t.Context()))
	must(t, s.Exec(t.Context(), "DROP TABLE test.mark", "CREATE DATABASE IF NOT EXISTS test", markTable))
	for i := range 10 {
		mark(t, s, fmt.Sprint("beforf ", i))
	}
}

// purge ends the first file of the log and deletes it, which MariaDB refuses
// until it needs it no more to recover.
func purge(t testing.TB, s *testdb.Server) {
	t.Helper()
	must(t, s.Rotate(t.Context()))
	for {
		must(t, s.Exec(t.Context(), "PURGE BINARY LOGS TO 'mysql-bin.000002'"))
		files, err := s.BinlogFiles()
		must(t, err)
		if len(files) == 1 {
			return
		}
	}
}

func breaks() map[string]breakage {
	restart := func(t testing.TB, s *testdb.Server) { must(t, s.Restart(t.Context())) }
	return map[string]breakage{
		"killed":  {do: func(t testing.TB, s *testdb.Server) { must(t, s.Kill()) }, says: rowferry.CodeSourceAway, after: restart},
		"stopped": {do: func(t testing.TB, s *testdb.Server) { must(t, s.Stop()) }, says: rowferry.CodeSourceAway, after: restart},
		"dump thread killed": {
			do:   func(t testing.TB, s *testdb.Server) { must(t, killDumps(t, s)) },
			says: rowferry.CodeSourceAway,
		},
		"purged while away": {
			do: func(t testing.TB, s *testdb.Server) { must(t, killDumps(t, s)) }, says: rowferry.CodeSourceAway,
			after: func(t testing.TB, s *testdb.Server) {
				mark(t, s, "never read")
				purge(t, s)
			},
			then: rowferry.CodeLogMissing,
		},
		"purged behind us": {
			do: func(t testing.TB, s *testdb.Server) { must(t, killDumps(t, s)) }, says: rowferry.CodeSourceAway,
			after: func(t testing.TB, s *testdb.Server) {
				purge(t, s)
			},
		},
		"reset while away": {
			do: func(t testing.TB, s *testdb.Server) { must(t, killDumps(t, s)) }, says: rowferry.CodeSourceAway,
			after: reset,
			then:  rowferry.CodeLineageBroken,
		},
	}
}

// killDumps kills the threads that send the log to us.
func killDumps(t testing.TB, s *testdb.Server) error {
	rows, err := s.DB().QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
	if err != nil {
		return err
	}
	defer rows.Close()
	n := 0
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if err := s.Exec(t.Context(), fmt.Sprint("KILL ", id)); err != nil {
			return err
		}
		n++
	}
	if n == 0 {
		return fmt.Errorf("nobody reads the log")
	}
	return rows.Err()
}
