package postgres

import (
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// The place behind a record that fills its page is the page's end.
func TestAtRecord(t *testing.T) {
	const block, file = 8192, 16 << 20
	for at, want := range map[lsn]lsn{
		0x1000000 + 40: 0x1000000, 0x1000000 + 24: 0x1000000 + 24, 0x1002000 + 24: 0x1002000, 0x1002000 + 40: 0x1002000 + 40,
		0x1002000: 0x1002000, 0x1002000 + 32: 0x1002000 + 32, 0x1000000 + 8191: 0x1000000 + 8191,
	} {
		if got := atRecord(at, block, file); got != want {
			t.Errorf("%s is %s, want %s", at, got, want)
		}
	}
}

// A mark is behind what was logged before it, and in another history than that of
// a server which never had it.
func TestPassed(t *testing.T) {
	here := lineage{3, "7"}
	s := Live(Options{})
	s.lineage, s.branches = here, []branch{{1, 0x100}, {2, 0x200}}
	for _, tt := range []struct {
		p    rowferry.Position
		mark rowferry.Mark
		want bool
		code rowferry.Code
	}{
		{"0/300", "0/300 3/7", true, ""},
		{"0/2FF", "0/300 3/7", false, ""},
		{"1/0", "0/300 3/7", true, ""},
		{"0/300", "0/200 2/7", true, ""},
		{"0/1FF", "0/200 2/7", false, ""},
		{"0/300", "0/201 2/7", false, rowferry.CodeLineageBroken},
		{"0/300", "0/101 1/7", false, rowferry.CodeLineageBroken},
		{"0/300", "0/100 4/7", false, rowferry.CodeLineageBroken},
		{"0/300", "0/100 3/8", false, rowferry.CodeLineageBroken},
		{"0/300", "0/100", false, rowferry.CodeBadPosition},
		{"0/300", "x 3/7", false, rowferry.CodeBadPosition},
		{"gtid", "0/100 3/7", false, rowferry.CodeBadPosition},
	} {
		got, err := s.Passed(tt.p, "", tt.mark)
		if got != tt.want || rowferry.CodeOf(err) != tt.code {
			t.Errorf("%s has passed %s: %t, %v", tt.p, tt.mark, got, err)
		}
	}
}

// The log of a source on which nothing happens passes a mark that is waited for,
// and before it says that it is idle by itself.
func TestMarkOfQuietLog(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, testdb.Private())
		p.run("CREATE TABLE a (id int PRIMARY KEY)")
		c := p.copies(func(o *Options) { o.Scope = only("a") })
		p.run("INSERT INTO a VALUES (1)\nCREATE TABLE other (id int)")
		mark, err := c.copy.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		from, _ := c.copy.From()
		r, err := c.source.Open(t.Context(), rowferry.Start{Position: from})
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		if quick, ok := r.(*reader); ok {
			quick.moved = time.Now().Add(24 * time.Hour) // as if something had been returned just now, for ever
		}
		for {
			tx, err := r.Next(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			if quick, ok := r.(*reader); ok {
				quick.moved = time.Now().Add(24 * time.Hour)
			}
			passed, err := c.source.Passed(tx.Position, tx.Log, mark)
			if err != nil {
				t.Fatal(err)
			}
			if passed {
				return
			}
		}
	})
}
