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
				c := newConsumer(t, &liveSource{opt: opt, uuid: copied, id: 4711, far: 1000})
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

const copied = "11111111-2222-4333-8444-555555555555"

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
		"reset while reading": {
			do: reset, says: rowferry.CodeSourceAway, then: rowferry.CodeLineageBroken,
		},
		"id taken": {
			do: func(t testing.TB, s *testdb.Server) {
				// MySQL tells replicas apart by their UUID, which a copied one shares.
				other := &liveSource{opt: LiveOptions{Endpoint: endpoint(t, s, "root"), From: "latest"}, uuid: copied, id: 4711}
				r, err := other.Open(t.Context(), rowferry.Start{})
				must(t, err)
				ended := make(chan error, 1)
				go func() {
					_, err := r.Next(t.Context())
					ended <- err
				}()
				awaitIdle(t, r.(rowferry.Follower), ended)
				must(t, r.Close())
			},
			says: rowferry.CodeServerIDTaken,
		},
		"checksums switched": {
			do: func(t testing.TB, s *testdb.Server) {
				for i, sums := range []string{"NONE", "CRC32", "NONE"} {
					must(t, s.Exec(t.Context(), "SET GLOBAL binlog_checksum="+sums))
					mark(t, s, fmt.Sprint("sums ", i))
				}
				must(t, killDumps(t, s))
			},
			says: rowferry.CodeSourceAway,
		},
		"reset while away": {
			do: func(t testing.TB, s *testdb.Server) { must(t, killDumps(t, s)) }, says: rowferry.CodeSourceAway,
			after: reset,
			then:  rowferry.CodeLineageBroken,
		},
	}
}

// killDumps kills the threads that send the log to us, of which some may be
// ending.
func killDumps(t testing.TB, s *testdb.Server) error {
	rows, err := s.DB().QueryContext(t.Context(), "SELECT id FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%'")
	if err != nil {
		return err
	}
	defer rows.Close()
	killed := 0
	for rows.Next() {
		var id int
		if err := rows.Scan(&id); err != nil {
			return err
		}
		if s.Exec(t.Context(), fmt.Sprint("KILL ", id)) == nil {
			killed++
		}
	}
	if killed == 0 {
		return errors.New("nobody reads the log")
	}
	return rows.Err()
}
