package mysql

import (
	"testing"

	"github.com/rowferry/rowferry"
)

// TestFetchedRowsSeeTheLog: a row that is read while the log is followed is read in a
// snapshot which sees everything that the log has told, though a commit that waits for
// a replica is told of before it is seen.
func TestFetchedRowsSeeTheLog(t *testing.T) {
	for _, k := range kinds() {
		t.Run(string(k), func(t *testing.T) {
			t.Parallel()
			_, _, impatient, last, release := toldUnseen(t, k, "UPDATE t SET n = 1 WHERE id = 1")
			rows, err := impatient.(rowferry.Fetcher).Rows(t.Context())
			must(t, err)
			if err := rows.Reach(t.Context(), last.Position, last.Log); rowferry.CodeOf(err) != rowferry.CodeSourceAway {
				t.Errorf("what cannot be seen was not waited for: %v", err)
			}
			release()
			must(t, rows.Reach(t.Context(), last.Position, last.Log))
			r, err := rows.Open(t.Context())
			must(t, err)
			table := rows.Tables()[0]
			var found []rowferry.Row
			must(t, r.Fetch(t.Context(), &table, [][]rowferry.Value{{rowferry.IntValue(1)}, {rowferry.IntValue(3)}}, func(part []rowferry.Row) error {
				found = append(found, part...)
				return nil
			}))
			if len(found) != 1 || found[0][1] != rowferry.IntValue(1) {
				t.Errorf("read %v", found)
			}
			must(t, r.Close())
			must(t, rows.Close())
		})
	}
}
