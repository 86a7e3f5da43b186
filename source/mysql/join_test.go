package mysql

import (
	"context"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// withoutGTIDs is how MySQL logs unless told otherwise.
var withoutGTIDs = []testdb.Option{testdb.Arg("gtid_mode=OFF"), testdb.Arg("enforce_gtid_consistency=OFF")}

// named returns the log's files under other names.
func (l logFiles) named(names ...string) logFiles {
	c := slices.Clone(l)
	for i := range c {
		c[i].name = names[i]
	}
	return c
}

// Files without numbers are one log only where their heads say so.
func TestNamesWithoutNumbers(t *testing.T) {
	for name := range logKinds() {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recorded(t, name)
			all := log.read(Options{Scope: notOther})
			must(t, all.err)
			f := log.named("one.log", "two.log", "three.log")
			proven := name != "mysql anonymous"
			for _, given := range []logFiles{f, {f[0], f[2]}, {f[0], f[2], f[1]}, {f[1], f[0]}, {f[0], log[1]}, {f[0], log[2]}, {log[0], f[2]}} {
				got := given.read(Options{Scope: notOther, Dump: dumpFile(t)})
				names := []string{}
				for _, g := range given {
					names = append(names, g.name)
				}
				right := len(given) == 3 && given[1].name == "two.log" && proven || given[1].name == log[1].name
				code := rowferry.CodeOf(got.err)
				if right && got.err != nil || !right && code != rowferry.CodeLogMissing && code != rowferry.CodeLineageBroken {
					t.Errorf("%v: %v", names, got.err)
				}
				if right && len(given) == 3 && (len(got.txs) != len(all.txs) || !slices.Equal(keysOf(got.txs, "p"), keysOf(all.txs, "p"))) {
					t.Errorf("%v: other transactions", names)
				}
				if !right && !proven && !strings.Contains(fmt.Sprint(got.err), `need: mysql-bin.00000`) {
					t.Errorf("%v: the error does not say which file is needed: %v", names, got.err)
				}
			}
			// The end of the first file is a start like any other.
			end := rowferry.Position(filePosition("one.log", uint64(len(f[0].data))))
			got := readFrom(logFiles{f[0], f[2]}.source(Options{Scope: notOther}), rowferry.Start{Position: end})
			if code := rowferry.CodeOf(got.err); len(got.txs) > 0 || code != rowferry.CodeLogMissing {
				t.Errorf("resumed at %s without the second file: %d transactions, %v", end, len(got.txs), got.err)
			}
			end = rowferry.Position(filePosition(log[0].name, uint64(len(log[0].data))))
			got = readFrom(log.source(Options{Scope: notOther, Dump: dumpFile(t)}), rowferry.Start{Position: end})
			if got.err != nil || !strings.HasSuffix(text(all.txs), text(got.txs)) || len(got.txs) == 0 {
				t.Errorf("resumed at %s: %d transactions, %v", end, len(got.txs), got.err)
			}
		})
	}
}

// A file that was copied while the server wrote it, and not again after the
// rotation, ends between two events: the next file tells that.
func TestCopiedTooEarly(t *testing.T) {
	log := recorded(t, "mysql anonymous")
	all := log.read(Options{Scope: notOther})
	for i, e := range eventsOf(t, log[1].data) {
		if e.typ == replication.ROTATE_EVENT {
			continue
		}
		got := log.with(1, log[1].data[:e.end]).read(Options{Scope: notOther})
		if rowferry.CodeOf(got.err) != rowferry.CodeTruncatedLog || !strings.HasPrefix(text(all.txs), text(got.txs)) {
			t.Errorf("cut after event %d: %v", i, got.err)
		}
	}
}

// recordLives is a server that rotates its log, is shut down, is killed, has
// its clock and its id set, and goes on each time.
func recordLives(t *testing.T, k testdb.Kind, opts ...testdb.Option) logFiles {
	t.Helper()
	ctx := context.Background()
	s, err := testdb.Launch(ctx, k, opts...)
	must(t, err)
	defer s.Close()
	must(t, s.ResetBinlog(ctx))
	must(t, s.Exec(ctx, "CREATE DATABASE d", "CREATE TABLE d.t (id INT PRIMARY KEY)", "FLUSH BINARY LOGS", "INSERT INTO d.t VALUES (1)",
		"SET timestamp=1000000000", "FLUSH BINARY LOGS", "SET timestamp=DEFAULT", "INSERT INTO d.t VALUES (2)",
		"SET GLOBAL server_id=77", "INSERT INTO d.t VALUES (3)", "FLUSH BINARY LOGS", "INSERT INTO d.t VALUES (4)", "SET GLOBAL server_id=1"))
	must(t, s.Stop())
	must(t, s.Restart(ctx))
	must(t, s.Exec(ctx, "INSERT INTO d.t VALUES (5)"))
	must(t, s.Kill())
	must(t, s.Restart(ctx))
	must(t, s.Exec(ctx, "INSERT INTO d.t VALUES (6)", "FLUSH BINARY LOGS", "INSERT INTO d.t VALUES (7)"))
	must(t, s.Stop())
	paths, err := s.BinlogFiles()
	must(t, err)
	var log logFiles
	for _, p := range paths {
		b, err := os.ReadFile(p)
		must(t, err)
		log = append(log, content{filepath.Base(p), b})
	}
	return log
}

// However a server's file comes to its end, the next one follows it, and the
// one after that does not.
func TestLives(t *testing.T) {
	for name, k := range map[string]logKind{"mysql": {testdb.MySQL97, "", withoutGTIDs}, "mariadb": {testdb.MariaDB1011, "", nil}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			log := recordLives(t, k.kind, k.opts...)
			got := log.read(Options{})
			if keys := keysOf(got.txs, "t"); got.err != nil || !slices.Equal(keys, []string{"1", "2", "3", "4", "5", "6", "7"}) {
				t.Fatalf("%v: %v", keys, got.err)
			}
			last := func(f content) replication.EventType {
				events := eventsOf(t, f.data)
				return events[len(events)-1].typ
			}
			if last(log[3]) != replication.STOP_EVENT || last(log[4]) == replication.STOP_EVENT || last(log[4]) == replication.ROTATE_EVENT {
				t.Fatalf("file 4 ends with %s, file 5 with %s: the test does not test", last(log[3]), last(log[4]))
			}
			if name == "mariadb" {
				return // its heads prove more than names do
			}
			for i := range len(log) - 1 {
				unnumbered := log[:i+2].named(slices.Concat(names(log[:i+1]), []string{"next.log"})...)
				if got := unnumbered.read(Options{}); rowferry.CodeOf(got.err) != rowferry.CodeLogMissing {
					t.Errorf("file %d without a number: %v", i+2, got.err)
				}
			}
			for i, code := range map[int]rowferry.Code{
				1: rowferry.CodeLineageBroken, // begun at another time
				2: rowferry.CodeLineageBroken, // and with another id
				3: rowferry.CodeLineageBroken,
				5: rowferry.CodeTruncatedLog, // after a crash no rotation
			} {
				moved := slices.Concat(log[:i], logFiles{{log[i].name, log[i+1].data}})
				if got := moved.read(Options{}); rowferry.CodeOf(got.err) != code {
					t.Errorf("file %d in place of file %d: %v, want %s", i+2, i+1, got.err, code)
				}
			}
		})
	}
}

func names(l logFiles) (all []string) {
	for _, f := range l {
		all = append(all, f.name)
	}
	return all
}

const threeFiles = `
CREATE DATABASE d;
CREATE TABLE d.t (id INT PRIMARY KEY);
FLUSH BINARY LOGS;
INSERT INTO d.t VALUES (1);
FLUSH BINARY LOGS;
INSERT INTO d.t VALUES (2)`

// The files of another server, or of the same one after it was reset, do not
// continue a log, though they have the names and as many transactions.
func TestAnotherLog(t *testing.T) {
	for name, k := range map[string]logKind{
		"mysql without GTIDs": {testdb.MySQL97, "", withoutGTIDs}, "mysql": {testdb.MySQL97, "", nil}, "mariadb": {testdb.MariaDB1011, "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			a := record(t, k.kind, threeFiles, k.opts...)
			other := record(t, k.kind, threeFiles, append(k.opts, testdb.Arg("server_id=2"))...)
			// Without a UUID a server that was reset is one that began anew,
			// a day later.
			reset := record(t, k.kind, "SET timestamp=UNIX_TIMESTAMP()+86400;\n"+threeFiles, k.opts...)
			for what, b := range map[string]logFiles{"another server": other, "a server that was reset": reset} {
				must(t, b.read(Options{}).err)
				got := slices.Concat(a[:1], b[1:]).read(Options{})
				if rowferry.CodeOf(got.err) != rowferry.CodeLineageBroken || len(keysOf(got.txs, "t")) > 0 {
					t.Errorf("followed by files of %s: %d transactions, %v", what, len(got.txs), got.err)
				}
			}
		})
	}
}

// What the description of a file says against the file before it. GTIDs that
// prove that it follows excuse another server and a wrong clock.
func TestForgedHead(t *testing.T) {
	day := func(n int) func([]byte) {
		return func(b []byte) {
			binary.LittleEndian.PutUint32(b, uint32(int(binary.LittleEndian.Uint32(b))+n*86400))
		}
	}
	started := func(change func([]byte)) func([]byte) {
		return func(b []byte) { change(b); copy(b[headerSize+52:], b[:4]) }
	}
	// By log; "" is none.
	anonymous := map[string]rowferry.Code{"mysql anonymous": rowferry.CodeLineageBroken}
	everywhere := map[string]rowferry.Code{"mysql anonymous": rowferry.CodeLineageBroken, "mysql": rowferry.CodeLineageBroken, "mariadb": rowferry.CodeLineageBroken}
	for what, c := range map[string]struct {
		change func([]byte)
		codes  map[string]rowferry.Code
	}{
		"nothing":                {func([]byte) {}, nil},
		"server id":              {func(b []byte) { b[5] ^= 0xff }, anonymous},
		"a day later":            {day(1), everywhere},
		"a day earlier":          {day(-1), everywhere},
		"started":                {started(day(0)), nil},
		"started a day later":    {started(day(1)), nil},
		"started a day earlier":  {started(day(-1)), anonymous},
		"another version":        {func(b []byte) { b[headerSize+2+2]++ }, everywhere},
		"started, other version": {started(func(b []byte) { b[headerSize+2+2]++ }), nil},
	} {
		for _, name := range []string{"mysql anonymous", "mysql", "mariadb"} {
			log := recorded(t, name)
			forged := log.with(2, resum(log[2].data, find(t, log[2].data, replication.FORMAT_DESCRIPTION_EVENT), c.change))
			if got := forged.read(Options{Scope: notOther}); rowferry.CodeOf(got.err) != c.codes[name] {
				t.Errorf("%s: %s: %v, want %q", name, what, got.err, c.codes[name])
			}
		}
	}
}
