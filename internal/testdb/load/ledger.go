package load

import (
	"context"
	"database/sql"
	"fmt"
	"strings"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Ledger watches the ledger of a target: a trigger notes every row that is
// inserted into it.
type Ledger struct {
	db     *sql.DB
	table  string // as SQL
	notes  string // where the trigger writes
	before int64  // rows that were there when the trigger was made
}

// LedgerCount is what a ledger holds and what its trigger has noted.
type LedgerCount struct {
	Rows     int64 // of the ledger, those from before the trigger left out
	Inserts  int64 // noted by the trigger
	Twice    int64 // of these, how many more than one for a row
	Vanished int64 // inserted, and not there now
}

// Exact reports whether every row was inserted once and is there.
func (c LedgerCount) Exact() bool { return c.Rows == c.Inserts && c.Twice == 0 && c.Vanished == 0 }

// WatchLedger makes the trigger on a target's ledger, which must be there. db is
// in the target's database; schema is PostgreSQL's and empty elsewhere. The
// trigger writes with the rights of db's user, so the engine's needs none. Rows
// that are inserted meanwhile are counted either as before or as noted.
func WatchLedger(ctx context.Context, db *sql.DB, f testdb.Flavor, schema string) (*Ledger, error) {
	l := &Ledger{db: db, table: "ledger", notes: "_test_inserts"}
	statements := []string{
		"CREATE TABLE _test_inserts (writer INT NOT NULL, n BIGINT NOT NULL, KEY (writer, n))",
		"CREATE TRIGGER _test_count AFTER INSERT ON ledger FOR EACH ROW INSERT INTO _test_inserts VALUES (NEW.writer, NEW.n)",
	}
	if f == testdb.Postgres {
		in := `"` + strings.ReplaceAll(schema, `"`, `""`) + `".`
		l.table, l.notes = in+"ledger", in+"_test_inserts"
		statements = []string{
			"CREATE TABLE " + l.notes + " (writer int NOT NULL, n bigint NOT NULL)",
			"CREATE INDEX ON " + l.notes + " (writer, n)",
			"CREATE FUNCTION " + in + "_test_note() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN INSERT INTO " +
				l.notes + " VALUES (NEW.writer, NEW.n); RETURN NULL; END $$",
			"CREATE TRIGGER _test_count AFTER INSERT ON " + l.table + " FOR EACH ROW EXECUTE FUNCTION " + in + "_test_note()",
		}
	}
	for _, q := range statements {
		if _, err := db.ExecContext(ctx, q); err != nil {
			return nil, fmt.Errorf("load: %.80s: %w", q, err)
		}
	}
	c, err := l.Count(ctx)
	if err != nil {
		return nil, err
	}
	l.before = c.Rows - (c.Inserts - c.Twice - c.Vanished)
	return l, nil
}

// Count compares the ledger with what the trigger noted, in one snapshot.
func (l *Ledger) Count(ctx context.Context) (LedgerCount, error) {
	var c LedgerCount
	q := strings.NewReplacer("LEDGER", l.table, "NOTES", l.notes).Replace(`SELECT
		(SELECT COUNT(*) FROM LEDGER),
		(SELECT COUNT(*) FROM NOTES),
		(SELECT COALESCE(SUM(times - 1), 0) FROM (SELECT COUNT(*) AS times FROM NOTES GROUP BY writer, n) x),
		(SELECT COUNT(*) FROM (SELECT DISTINCT writer, n FROM NOTES) i
			WHERE NOT EXISTS (SELECT 1 FROM LEDGER l WHERE l.writer = i.writer AND l.n = i.n))`)
	if err := l.db.QueryRowContext(ctx, q).Scan(&c.Rows, &c.Inserts, &c.Twice, &c.Vanished); err != nil {
		return c, fmt.Errorf("load: count the ledger: %w", err)
	}
	c.Rows -= l.before
	return c, nil
}
