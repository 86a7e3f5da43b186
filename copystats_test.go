package rowferry

import (
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestCarryProgress: what is carried is counted to the end, wherever an engine begins
// and whatever was changed since it was loaded.
func TestCarryProgress(t *testing.T) {
	tables := []*schema.Table{{Name: schema.Name{Table: "a"}}, {Name: schema.Name{Table: "b"}}, {Name: schema.Name{Table: "c"}}}
	chunks := []Chunk{{Table: tables[0].Name, Rows: 100}, {Table: tables[1].Name, Rows: 100}, {Table: tables[1].Name, Rows: 100}, {Table: tables[2].Name, Rows: 50}}
	s := &stats{}
	s.progress.Copy.Phase = Carrying
	s.carrying(tables, chunks, 2)
	want := func(rows, estimate, own int64) {
		t.Helper()
		done, _ := s.progress.Copy.Rate()
		if n, of := s.progress.Copy.Rows(); n != rows || of != estimate || done != own {
			t.Errorf("%d of %d rows, %d of them this engine's; want %d, %d, %d", n, of, done, rows, estimate, own)
		}
	}
	carry := func(table string, rows int) {
		s.carried(&batch{txs: []*txn{{end: &Tx{Log: table}, count: rows}}})
	}
	want(100, 350, 0)
	carry("b", 80)
	want(180, 350, 80)
	carry("b", 30) // the engine before it had brought 50 more, and 40 are deleted since
	want(210, 350, 110)
	carry("c", 20)
	want(320, 350, 220)
	carry("c", 60) // which were inserted
	want(380, 380, 280)
}
