package postgres

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// streaming has the server send every transaction of more than 64 KiB before it
// is committed.
var streaming = testdb.Arg("logical_decoding_work_mem=64kB")

// spools returns where a reader of the test may put transactions aside.
func spools(t testing.TB) func() (rowferry.Spool, error) {
	t.Helper()
	s, err := checkpoint.Open(t.Context(), checkpoint.Options{Dir: filepath.Join(t.TempDir(), "state"), Pipeline: "p"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s.Spool
}

// tablesOfAll are made before the pipeline, everyKind after it. A line that is
// "--" ends a transaction that was begun by BEGIN, in which the statements run.
const tablesOfAll = `
CREATE TABLE p (id int PRIMARY KEY, v text, n numeric(10,2))
CREATE TABLE c (id int PRIMARY KEY, p int REFERENCES p (id), big text)
ALTER TABLE c ALTER big SET STORAGE EXTERNAL
CREATE TABLE f (a int, b text)
ALTER TABLE f REPLICA IDENTITY FULL
CREATE TABLE x (a int NOT NULL, b text)
CREATE UNIQUE INDEX xa ON x (a)
ALTER TABLE x REPLICA IDENTITY USING INDEX xa`

const everyKind = `
INSERT INTO p VALUES (1, 'one', 1.50), (2, 'two', 'NaN')
UPDATE p SET v = 'zwei' WHERE id = 2
UPDATE p SET id = 3 WHERE id = 2
INSERT INTO c VALUES (1, 1, repeat('x', 9000))
UPDATE c SET p = 3
INSERT INTO f VALUES (1, 'a'), (1, 'a'), (NULL, NULL)
DELETE FROM f WHERE a = 1
INSERT INTO x VALUES (1, 'a')
UPDATE x SET b = 'b'
UPDATE x SET a = 2
BEGIN; INSERT INTO p SELECT g, repeat('y', 300), g FROM generate_series(100, 600) g; UPDATE p SET v = v || 'z' WHERE id > 99; COMMIT
BEGIN; INSERT INTO p SELECT g, repeat('y', 300), g FROM generate_series(1000, 1300) g; SAVEPOINT s; DELETE FROM p WHERE id > 1000; ROLLBACK TO s; INSERT INTO p VALUES (2000, 'stays', 0); SAVEPOINT t; UPDATE p SET v = repeat('u', 400) WHERE id > 1000; RELEASE t; COMMIT
BEGIN; DELETE FROM p WHERE id > 99; INSERT INTO p SELECT g, repeat('y', 300), g FROM generate_series(100, 600) g; ROLLBACK
BEGIN; INSERT INTO p VALUES (5000, 'prepared', 1); PREPARE TRANSACTION 'DB one'; COMMIT PREPARED 'DB one'
BEGIN; INSERT INTO p SELECT g, repeat('y', 300), g FROM generate_series(6000, 6400) g; PREPARE TRANSACTION 'DB two'; COMMIT PREPARED 'DB two'
BEGIN; INSERT INTO p SELECT g, repeat('y', 300), g FROM generate_series(7000, 7400) g; PREPARE TRANSACTION 'DB three'; ROLLBACK PREPARED 'DB three'
CREATE TABLE other (a int)
INSERT INTO other VALUES (1)
ALTER TABLE f OWNER TO CURRENT_USER
INSERT INTO f VALUES (2, 'after')
TRUNCATE p, c
INSERT INTO p VALUES (1, 'last', 0)`

// run runs a script, a line a session's transaction.
func (p *place) run(script string) {
	p.t.Helper()
	for line := range strings.SplitSeq(strings.TrimSpace(script), "\n") {
		conn, err := p.db.Conn(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		for q := range strings.SplitSeq(strings.ReplaceAll(line, "DB", p.name), ";") {
			if _, err := conn.ExecContext(p.t.Context(), q); err != nil {
				p.t.Fatalf("%s: %v", q, err)
			}
		}
		if err := conn.Close(); err != nil {
			p.t.Fatal(err)
		}
	}
}

func TestConformance(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, streaming)
		p.run(tablesOfAll)
		begin := p.begun(p.pipe())
		p.run(everyKind)
		spool := spools(t)
		for chunk, streams := range map[int]bool{0: true, 1: true, 700: false} {
			t.Run(fmt.Sprintf("chunks of %d, streaming %t", chunk, streams), func(t *testing.T) {
				o := p.pipe()
				o.From, o.Once, o.ChunkBytes, o.Scope = string(begin.Position), true, chunk, only("p", "c", "f", "x")
				s := Live(o)
				sourcetest.Run(t, func(start rowferry.Start) (rowferry.Reader, error) {
					if streams {
						start.Spool = spool
					}
					return s.Open(t.Context(), start)
				})
			})
		}
	})
}
