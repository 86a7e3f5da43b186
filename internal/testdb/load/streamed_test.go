package load_test

import (
	"database/sql"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/load"
)

// With little memory to decode in, PostgreSQL sends parts of what the load does
// before it is committed, and takes some of it back, whole transactions and
// subtransactions.
func TestStreamed(t *testing.T) {
	for _, k := range testdb.Sources() {
		t.Run(string(k), func(t *testing.T) {
			s := testdb.Start(t, k, testdb.Logical("logical_decoding_work_mem=64kB"))
			name, db := testdb.NewDatabase(t, s)
			must(t, load.Create(t.Context(), db, testdb.Postgres))
			for _, q := range []string{
				"CREATE PUBLICATION p FOR ALL TABLES WITH (publish_via_partition_root = true)",
				"SELECT pg_create_logical_replication_slot('" + name + "', 'pgoutput')",
			} {
				_, err := db.Exec(q)
				must(t, err)
			}
			// Which parts become large enough is up to how the writers interleave, so
			// the load goes on until each kind of message was there.
			count, subs := map[string]int{}, map[string]int{}
			for seed := uint64(1); seed <= mostRounds && lacking(k, count, subs) != ""; seed++ {
				_, err := load.Run(t.Context(), db, load.Options{Seed: seed, Transactions: 300, Flavor: testdb.Postgres, Prepared: true})
				must(t, err)
				countMessages(t, db, name, count, subs)
			}
			t.Logf("messages: %v", count)
			if what := lacking(k, count, subs); what != "" {
				t.Errorf("no message %s; of %d parts taken back, %d are subtransactions", what, count["A"], subs["A"])
			}
		})
	}
}

// mostRounds is how often the load is put on at most.
const mostRounds = 12

// lacking returns a kind of message that did not come yet.
func lacking(k testdb.Kind, count, subs map[string]int) string {
	for _, kind := range []string{"B", "C", "I", "U", "D", "R", "S", "E", "c", "A"} {
		if count[kind] == 0 {
			return kind
		}
	}
	switch {
	case subs["A"] == 0:
		return "A of a subtransaction"
	case subs["A"] == count["A"] && k == testdb.Postgres15: // later ones do not send what was rolled back before it is read
		return "A of a transaction"
	default:
		return ""
	}
}

// countMessages takes what the slot has, by kind. The messages begin with it; that
// of an end of a part taken back has the transaction and the subtransaction.
func countMessages(t *testing.T, db *sql.DB, slot string, count, subs map[string]int) {
	t.Helper()
	rows, err := db.Query(`SELECT chr(get_byte(data, 0)), COUNT(*), COUNT(*) FILTER (WHERE substr(data, 2, 4) <> substr(data, 6, 4))
		FROM pg_logical_slot_get_binary_changes('` + slot + `', NULL, NULL, 'proto_version', '2', 'publication_names', 'p', 'streaming', 'on')
		GROUP BY 1`)
	must(t, err)
	defer rows.Close()
	for rows.Next() {
		var kind string
		var n, of int
		must(t, rows.Scan(&kind, &n, &of))
		count[kind] += n
		subs[kind] += of
	}
	must(t, rows.Err())
}
