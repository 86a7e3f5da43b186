package e2e

import (
	"bytes"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// undone fills the table big, in rows of 4 KiB, with numbers from a to b, which
// the source's SEQUENCE engine lists.
func undone(a, b string) string {
	return "INSERT INTO big SELECT seq, REPEAT(SHA2(seq, 512), 32) FROM seq_" + a + "_to_" + b
}

var undoneTables = []string{
	"CREATE TABLE big (id INT PRIMARY KEY, pad TEXT CHARACTER SET latin1 NOT NULL)",
	"CREATE TABLE small (id INT PRIMARY KEY, v VARCHAR(20))",
	"INSERT INTO big VALUES (0, 'first')",
	"INSERT INTO small VALUES (0, 'first')",
}

// A transaction that is logged although it was rolled back, since it made a
// temporary table, goes through the state directory and none of it arrives.
func TestDiscardSpooled(t *testing.T) {
	besideOthers(t)
	testUndone(t, "ROLLBACK", 1,
		"BEGIN",
		"UPDATE big SET pad = 'rolled back' WHERE id = 0",
		"INSERT INTO small VALUES (1, 'rolled back')",
		undone("1", "8000"),
		"DELETE FROM small WHERE id = 0",
		"CREATE TEMPORARY TABLE basket (id INT) ENGINE=MyISAM",
		"DROP TEMPORARY TABLE basket",
		"ROLLBACK",
		// What it undid is free again.
		"INSERT INTO big VALUES (1, 'later')",
		"UPDATE small SET v = 'later' WHERE id = 0",
		"BEGIN", undone("2", "4000"), "INSERT INTO small VALUES (1, 'later')", "COMMIT",
		"DELETE FROM big WHERE id BETWEEN 100 AND 200",
	)
}

// Savepoints undo what came after them however large it is and wherever it is
// cut: in memory, in the state directory, and across both.
func TestSavepointsSpooled(t *testing.T) {
	besideOthers(t)
	testUndone(t, "ROLLBACK TO", 4,
		"BEGIN",
		"CREATE TEMPORARY TABLE basket (id INT) ENGINE=MyISAM",
		"UPDATE small SET v = 'kept' WHERE id = 0",
		"SAVEPOINT early",
		undone("20000", "24000"),
		"ROLLBACK TO early", // spooled in part, of which nothing is left
		undone("1", "3000"),
		"SAVEPOINT a",
		"INSERT INTO big VALUES (3001, 'undone'), (3002, 'undone')",
		"ROLLBACK TO a", // in memory
		undone("3001", "5000"),
		"SAVEPOINT b",
		undone("5001", "6000"),
		"DELETE FROM big WHERE id < 2500",
		"ROLLBACK TO b", // in the spool and after it
		"UPDATE big SET pad = 'kept' WHERE id < 10",
		"SAVEPOINT c",
		undone("5001", "5600"),
		"RELEASE SAVEPOINT c",
		"UPDATE small SET v = 'undone' WHERE id = 0",
		"ROLLBACK TO b", // over a savepoint that is gone
		"INSERT INTO big VALUES (5001, 'kept')",
		"DROP TEMPORARY TABLE basket",
		"COMMIT",
		"INSERT INTO big VALUES (20000, 'later'), (5002, 'later')",
	)
}

// testUndone replays statements with the least memory. Their log must have the
// given words so many times, for the server mostly leaves out what it undoes.
func testUndone(t *testing.T, words string, times int, statements ...string) {
	rec := expect(t, script(t, testdb.MariaDB1011, append(undoneTables, statements...)...))
	logged := 0
	for _, f := range rec.Files {
		b, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		logged += bytes.Count(b, []byte("\x00"+words))
	}
	if size := logSize(t, rec.Files); logged != times || size < 30<<20 {
		t.Fatalf("the log of %d MiB has %q %d times: the test does not test", size>>20, words, logged)
	}
	p := newPlace(t, rec.Files...)
	o := must(t, p.replay("--memory", "96MiB")...)
	testdb.RequireEqual(t, rec.Expected, "sqlite://"+p.target)
	if !strings.Contains(o.stdout, "larger than memory") {
		t.Errorf("nothing went through the state directory: the test does not test\n%s", o.stdout)
	}
}
