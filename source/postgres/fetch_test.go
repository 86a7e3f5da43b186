package postgres

import (
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// TestFetchedRowsSeeTheLog: a row that is read while the log is followed is read in a
// snapshot which sees everything that the log has told, though a commit that waits for
// a standby is told of before it is seen: by this reader, or by one before.
func TestFetchedRowsSeeTheLog(t *testing.T) {
	for name, earlier := range map[string]bool{"told now": false, "told before": true} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := newPlace(t, testdb.Postgres15, testdb.Private())
			p.run("CREATE TABLE a (id int PRIMARY KEY, n int)\nINSERT INTO a VALUES (1, 0), (2, 0)")
			o := p.pipe()
			start := p.begun(o)
			o.Endpoint.Timeout = 2 * time.Second
			source := Live(o)
			rows, err := source.Rows(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if !earlier { // nothing is open yet
				if err := rows.Reach(t.Context(), "", ""); err != nil {
					t.Fatal(err)
				}
			}
			_, _, release := p.held("UPDATE a SET n = 1 WHERE id = 1")
			if !earlier {
				r, err := source.Open(t.Context(), start)
				if err != nil {
					t.Fatal(err)
				}
				for told := false; !told; {
					tx, err := r.Next(t.Context())
					if err != nil {
						t.Fatal(err)
					}
					for _, c := range tx.Changes {
						told = told || c.Op == rowferry.Update
					}
				}
				defer r.Close()
			}
			if err := rows.Reach(t.Context(), "", ""); rowferry.CodeOf(err) != rowferry.CodeSourceAway {
				t.Errorf("what cannot be seen was not waited for: %v", err)
			}
			release()
			if err := rows.Reach(t.Context(), "", ""); err != nil {
				t.Fatal(err)
			}
			c := &copied{t: t, source: source, copy: rows}
			c.opened()
			var found []rowferry.Row
			err = c.reader.Fetch(t.Context(), c.table("a"), [][]rowferry.Value{{rowferry.IntValue(1)}, {rowferry.IntValue(3)}}, func(part []rowferry.Row) error {
				found = append(found, part...)
				return nil
			})
			if err != nil || len(found) != 1 || found[0][1] != rowferry.IntValue(1) {
				t.Errorf("read %v: %v", found, err)
			}
		})
	}
}
