package postgres

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
)

// sees reads the table, and returns what it saw.
func (c *copied) sees(table string) rowferry.Snapshot {
	c.t.Helper()
	saw, err := c.reader.Read(c.t.Context(), c.table(table), nil, nil, func([]rowferry.Row) error { return nil })
	if err != nil {
		c.t.Fatal(err)
	}
	return saw
}

// merges reads the log of another process up to a mark, after snapshots of a copy.
func (c *copied) merges(mark rowferry.Mark, saw ...rowferry.Snapshot) (txs int, err error) {
	c.t.Helper()
	s, ctx := Live(c.source.options), c.t.Context()
	from, lineage := c.copy.From()
	again, err := s.Copy(ctx, from)
	if err != nil {
		return 0, err
	}
	defer func() { _ = again.Close() }()
	if err := s.Expect(saw); err != nil {
		c.t.Fatal(err)
	}
	r, err := s.Open(ctx, rowferry.Start{Position: from, Lineage: lineage, Spool: spools(c.t)})
	if err != nil {
		return 0, err
	}
	defer func() { _ = r.Close() }()
	for at := from; ; {
		passed, err := s.Passed(at, "", mark)
		if passed || err != nil {
			return txs, err
		}
		tx, err := r.Next(ctx)
		if err != nil {
			return txs, err
		}
		if tx.Last {
			at, txs = tx.Position, txs+1
		}
	}
}

// refused wants merging to stop since the server was put back.
func (c *copied) refused(part string, mark rowferry.Mark, saw ...rowferry.Snapshot) {
	c.t.Helper()
	if n, err := c.merges(mark, saw...); rowferry.CodeOf(err) != rowferry.CodeLineageBroken || !strings.Contains(err.Error(), part) {
		c.t.Errorf("after %d transactions: %v, want %q", n, err, part)
	}
}

// TestCopyPutBack: a server whose files were put back after a chunk was read lacks
// what the chunk saw, however much log it has written since. What was read before
// the files were copied is there.
func TestCopyPutBack(t *testing.T) {
	eachServer(t, func(t *testing.T, k testdb.Kind) {
		t.Parallel()
		p := newPlace(t, k, testdb.Private(), streaming)
		p.exec("CREATE TABLE a (id int PRIMARY KEY, v text)", "INSERT INTO a VALUES (1, '')", "CREATE TABLE f (v text)", "ALTER TABLE f REPLICA IDENTITY FULL")
		c := p.copies()
		kept := c.sees("a")
		p.exec("INSERT INTO a VALUES (2, '')")
		p.save(true)
		if err := c.reader.Close(); err != nil {
			t.Fatal(err)
		}
		c.opened()
		p.exec("INSERT INTO a VALUES (3, '')", "INSERT INTO f VALUES ('')")
		lost := c.sees("a")
		whole, err := c.reader.ReadWhole(t.Context(), c.table("f"), func([]rowferry.Row) error { return nil })
		if err != nil {
			t.Fatal(err)
		}
		three := [][]rowferry.Value{{rowferry.IntValue(3)}}
		if err := c.reader.Fetch(t.Context(), c.table("a"), three, func([]rowferry.Row) error { return nil }); err != nil {
			t.Fatal(err)
		}
		fetched, err := c.copy.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if n, err := c.merges(fetched, kept, lost, whole, ""); err != nil || n < 3 {
			t.Fatalf("before: %d transactions, %v", n, err)
		}
		p.putBack()
		c.refused("its log ends at", "", lost) // no such mark: it does not come so far
		p.exec("INSERT INTO a VALUES (3, '')", "INSERT INTO f VALUES ('')")
		p.fill(rowferry.Position(strings.Fields(string(fetched))[0]))
		after := Live(c.source.options)
		from, _ := c.copy.From()
		now, err := after.Copy(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		mark, err := now.End(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		const part = "something else in its log"
		c.refused(part, mark, kept, lost)
		c.refused(part, mark, kept, whole)
		c.refused(part, fetched, kept) // whose own token is missing
		if n, err := c.merges(mark, kept, "", "10:20:"); err != nil || n < 3 {
			t.Errorf("what was there: %d transactions, %v", n, err)
		}
	})
}

// TestTokens: what has to come, in the order of places, and anew for each Reader.
func TestTokens(t *testing.T) {
	var s tokens
	s.set(true)
	one, two, three := token{at: 10, id: "one", said: 8}, token{at: 20, id: "two", said: 18}, token{at: 30, id: "three", said: 25}
	s.expect(three, one, two, one)
	s.begin(10)
	wants := func(at lsn, want string) {
		t.Helper()
		if got, missed := s.missed(at); missed != (want != "") || got.id != want {
			t.Errorf("up to %s: %v %t, want %q", at, got, missed, want)
		}
	}
	wants(19, "")
	wants(20, "two")
	s.meets("three")
	s.meets("two")
	s.meets("of others")
	wants(29, "")
	s.expect(token{at: 15, id: "late", said: 13, fetched: true})
	wants(29, "late")
	if f := s.fetched(); len(f) != 1 || f[0].id != "late" {
		t.Errorf("fetched: %v", f)
	}
	s.meets("late")
	wants(30, "")
	s.begin(10)
	wants(30, "late")
	s.begin(20)
	s.expect(token{at: 22, id: "before", said: 19})
	wants(30, "three")
	s.begin(27) // behind its commit or before, and behind what it stands for
	wants(40, "")
	if last := s.last(); last != three {
		t.Errorf("the last is %v", last)
	}
	s.set(false)
	wants(100, "")
	if s.last() != (token{}) || s.asked() {
		t.Error("the copy goes on")
	}
}

// Marks with and without tokens are read as they were written.
func TestMarkText(t *testing.T) {
	for _, text := range []rowferry.Mark{"0/300 3/7", "0/300 3/7 0/200:X:0/1F0 16/B374D848:Y2:16/B374D848"} {
		if m, err := parseMark(text); err != nil || m.String() != string(text) {
			t.Errorf("%s is %v: %v", text, m, err)
		}
	}
	for _, bad := range []rowferry.Mark{"0/300 3/7 ", "0/300 3/7 0/1", "0/300 3/7 0/1:", "0/300 3/7 0/1:X:", "0/300 3/7 x:y"} {
		if _, err := parseMark(bad); rowferry.CodeOf(err) != rowferry.CodeBadPosition {
			t.Errorf("%q: %v", bad, err)
		}
	}
	if m, err := parseMark("0/300 3/7 0/200:X"); err != nil || m.tokens[0].said != 0x200 { // an earlier version's
		t.Errorf("%v %v", m, err)
	}
	if err := Live(Options{}).Expect([]rowferry.Snapshot{"1:2:@0/1"}); rowferry.CodeOf(err) != rowferry.CodeBadPosition {
		t.Errorf("expected %v", err)
	}
}
