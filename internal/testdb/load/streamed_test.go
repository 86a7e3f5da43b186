package load_test

import (
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
			_, err := load.Run(t.Context(), db, load.Options{Seed: 3, Transactions: 300, Flavor: testdb.Postgres, Prepared: true})
			must(t, err)
			// The messages begin with their kind; that of an end of a part taken back
			// has the transaction and the subtransaction.
			rows, err := db.Query(`SELECT chr(get_byte(data, 0)), COUNT(*), COUNT(*) FILTER (WHERE substr(data, 2, 4) <> substr(data, 6, 4))
				FROM pg_logical_slot_get_binary_changes('` + name + `', NULL, NULL, 'proto_version', '2', 'publication_names', 'p', 'streaming', 'on')
				GROUP BY 1`)
			must(t, err)
			defer rows.Close()
			count, subs := map[string]int{}, map[string]int{}
			for rows.Next() {
				var kind string
				var n, of int
				must(t, rows.Scan(&kind, &n, &of))
				count[kind], subs[kind] = n, of
			}
			must(t, rows.Err())
			t.Logf("messages: %v", count)
			for _, kind := range []string{"B", "C", "I", "U", "D", "R", "S", "E", "c", "A"} {
				if count[kind] == 0 {
					t.Errorf("no message %s", kind)
				}
			}
			// From 18 on, what has been rolled back before it is read is not sent.
			if subs["A"] == 0 || subs["A"] == count["A"] && k == testdb.Postgres15 {
				t.Errorf("of %d parts taken back, %d are subtransactions", count["A"], subs["A"])
			}
		})
	}
}
