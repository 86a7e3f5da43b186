package e2e

import (
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// streamed is how a PostgreSQL source sends whatever does not fit into 64 kB
// before it is committed, and transactions are prepared.
const streamed = "streamed"

// partial is how a MySQL or MariaDB source logs of an update no large values that
// stay as they were.
const partial = "partial images"

// impatient is how a PostgreSQL source soon lets a slot go whose reader stands
// still.
const impatient = "impatient"

// pair is a source and a target.
type pair struct {
	source, target testdb.Kind
	how            string // MySQL, MariaDB: the rows' metadata, "" being the server's default; or partial; PostgreSQL: streamed, impatient or ""
}

func (p pair) String() string {
	s := fmt.Sprintf("%s to %s", p.source, p.target)
	if p.how == streamed || p.how == partial {
		s += ", " + p.how
	}
	return s
}

// fromPostgres reports whether the source is PostgreSQL.
func (p pair) fromPostgres() bool { return p.source.Flavor() == testdb.Postgres }

// options are those of the source's server.
func (p pair) options() []testdb.Option {
	switch {
	case p.how == streamed:
		return []testdb.Option{testdb.Logical("logical_decoding_work_mem=64kB")}
	case p.how == partial:
		return []testdb.Option{testdb.Arg("binlog_row_image=NOBLOB")}
	case p.how == impatient:
		return []testdb.Option{testdb.Logical("wal_sender_timeout=2s")}
	case p.fromPostgres():
		return []testdb.Option{testdb.Logical()}
	case p.how != "":
		return []testdb.Option{testdb.RowMetadata(p.how)}
	default:
		return nil
	}
}

// load are the options of a load on the source.
func (p pair) load(seed uint64, writers int) load.Options {
	return load.Options{Seed: seed, Writers: writers, Flavor: p.source.Flavor(), Prepared: p.how == streamed}
}

// namespace is the part of a table's name at the source before its own, which
// PostgreSQL as the target makes a schema of.
func (p pair) namespace(database string) string {
	if p.fromPostgres() {
		return "public"
	}
	return database
}

// url is the source's database for Rowferry, by a port.
func (p pair) url(port int, database string) string {
	if p.fromPostgres() {
		return fmt.Sprintf("postgres://postgres@127.0.0.1:%d/%s", port, database)
	}
	return fmt.Sprintf("mysql://root@127.0.0.1:%d/%s", port, database)
}

// stage is where an engine that follows can be struck, and how many times it is
// passed, after the first commit, before the kill.
type stage struct {
	name        string
	least, most int
}

// stages are those that the pair has: only PostgreSQL is told what is durable.
func (p pair) stages() []stage {
	all := []stage{
		{"decode", 20, 400}, {"map", 100, 3000}, {"apply", 1, 8}, {"record.written", 1, 4},
		{"recorded", 1, 4}, {"commit.sent", 1, 4}, {"confirm", 2, 5},
	}
	if p.fromPostgres() {
		all = append(all, stage{"ack", 1, 2})
	}
	return all
}

// complaints are the lines of an engine's output that have a code and are more
// than information. An engine that was killed may have the slot for a moment
// still, which its successor waits for.
func (p pair) complaints(output string) (lines []string) {
	for line := range strings.Lines(output) {
		waits := p.fromPostgres() && strings.Contains(line, "RF-2030")
		if strings.Contains(line, "RF-") && !strings.Contains(line, `"level":"INFO"`) && !waits {
			lines = append(lines, line)
		}
	}
	return lines
}

// postgresPairs are from PostgreSQL to each of the four databases: by both of
// its versions, and in both ways. In make test two of them.
func postgresPairs() []pair {
	pairs := []pair{{testdb.Postgres15, testdb.MySQL97, ""}, {testdb.Postgres15, testdb.Postgres15, streamed}}
	if !soak() {
		return pairs
	}
	return append(pairs,
		pair{testdb.PostgresNew, testdb.Postgres15, ""}, pair{testdb.Postgres15, testdb.MariaDB1011, ""}, pair{testdb.PostgresNew, sqliteKind, ""},
		pair{testdb.PostgresNew, testdb.MySQL97, streamed}, pair{testdb.PostgresNew, testdb.MariaDB1011, streamed}, pair{testdb.Postgres15, sqliteKind, streamed},
	)
}

// createLoad makes the load's tables, which a publication has to name.
func createLoad(t *testing.T, s *testdb.Server, database string) {
	t.Helper()
	db, err := s.Open(database)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	if err := load.Create(t.Context(), db, s.Kind.Flavor()); err != nil {
		t.Fatal(err)
	}
}
