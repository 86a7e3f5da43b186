package mysql

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// loads writes logs like those of the bench's workloads, a database each.
func loads() string {
	var b strings.Builder
	b.WriteString(`CREATE DATABASE oltp;
CREATE DATABASE hot;
CREATE DATABASE bulk;
CREATE TABLE oltp.t (id BIGINT PRIMARY KEY, k INT, amount DECIMAL(12,2), note VARCHAR(120), changed DATETIME(3));
CREATE TABLE hot.t (id BIGINT PRIMARY KEY, n BIGINT, state VARCHAR(40), changed DATETIME(6));
CREATE TABLE bulk.t (id BIGINT PRIMARY KEY, kind SMALLINT, price DECIMAL(15,4), weight DOUBLE, day DATE, seen TIMESTAMP NULL, name VARCHAR(200), hash VARBINARY(64), body TEXT);
INSERT INTO hot.t VALUES (1, 0, 'new', '2026-01-01');
INSERT INTO oltp.t VALUES (0, 0, 0, 'first', '2026-01-01');
`)
	for i := range 300 {
		fmt.Fprintf(&b, "UPDATE hot.t SET n = n + 1, state = 'state %d', changed = '2026-01-01 00:00:00.%06d';\n", i, i)
		fmt.Fprintf(&b, "BEGIN;\nINSERT INTO oltp.t VALUES (%d, %d, %d.%02d, 'note of %d', '2026-01-01');\n", i+1, i, i, i%100, i)
		fmt.Fprintf(&b, "UPDATE oltp.t SET k = k + 1 WHERE id = %d;\nUPDATE oltp.t SET amount = amount + 1, note = 'other %d' WHERE id = %d;\nDELETE FROM oltp.t WHERE id = %d;\nCOMMIT;\n", i+1, i, i+1, i)
	}
	for i := range 2 {
		b.WriteString("INSERT INTO bulk.t VALUES ")
		for j := range 1000 {
			if j > 0 {
				b.WriteByte(',')
			}
			fmt.Fprintf(&b, "(%d,%d,%d.5,0.25,'2026-02-03','2026-02-03 04:05:06','name %d',x'00ff%04x','%s')", i*1000+j, j, j, j, j, strings.Repeat("text ", 90))
		}
		b.WriteString(";\n")
	}
	return b.String()
}

// TestAllocationsOfRows: reading a log takes much less than an allocation a
// row, where transactions are small too.
func TestAllocationsOfRows(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		files := record(t, k, loads())
		for _, load := range []string{"oltp", "hot", "bulk"} {
			rows, mallocs := countMallocs(t, files.source(Options{Scope: func(n schema.Name) bool { return n.Schema == load }}))
			if perRow := float64(mallocs) / float64(rows); rows < 299 || perRow > 0.5 {
				t.Errorf("%s %s: %.2f allocations a row, of %d rows", k, load, perRow, rows)
			}
		}
	}
}

// countMallocs reads a log to its end, and counts from the first transaction
// with rows on, which makes the table's decoder.
func countMallocs(t *testing.T, src rowferry.Source) (rows int, mallocs uint64) {
	t.Helper()
	ctx := context.Background()
	r, err := src.Open(ctx, rowferry.Start{})
	must(t, err)
	defer r.Close()
	var begin, end runtime.MemStats
	for {
		tx, err := r.Next(ctx)
		if errors.Is(err, io.EOF) {
			runtime.ReadMemStats(&end)
			return rows, end.Mallocs - begin.Mallocs
		}
		must(t, err)
		switch {
		case len(tx.Changes) == 0 || tx.Changes[0].Op == rowferry.Shape:
		case begin.Mallocs == 0:
			runtime.ReadMemStats(&begin)
		default:
			rows += len(tx.Changes)
		}
	}
}

// TestArena: what was handed out stays as it is whatever is handed out later,
// and holds on to little else.
func TestArena(t *testing.T) {
	a := &arena{}
	var texts, want []string
	var rows []rowferry.Row
	var txs []*rowferry.Tx
	for i := range 5000 {
		text := strings.Repeat(fmt.Sprint(i, " "), i%40)
		if i%500 == 0 {
			text = strings.Repeat("long ", slabText)
		}
		texts, want = append(texts, a.copied([]byte(text))), append(want, text)
		row := a.row(1 + i%9)
		for j := range row {
			if !row[j].IsAbsent() {
				t.Fatal("a row is not empty")
			}
			row[j] = rowferry.IntValue(int64(i))
		}
		rows = append(rows, row)
		changes := a.begin()
		for j := range i % 7 {
			changes = append(changes, rowferry.Change{Op: rowferry.Insert, After: row[:1:1], ChecksOff: j%2 == 1})
		}
		tx := a.tx()
		if tx.ID != "" || tx.Changes != nil {
			t.Fatal("a transaction is not empty")
		}
		tx.ID, tx.Changes = texts[i], a.end(changes)
		txs = append(txs, tx)
		if a.held > blockBytes+len(text)+9*valueSize+7*changeSize+txSize {
			t.Fatalf("a block of %d bytes", a.held)
		}
	}
	for i := range texts {
		if texts[i] != want[i] || txs[i].ID != want[i] || len(txs[i].Changes) != i%7 {
			t.Fatalf("the %dth changed", i)
		}
		for _, v := range rows[i] {
			if v.Int() != int64(i) {
				t.Fatalf("the %dth row changed", i)
			}
		}
		for j, c := range txs[i].Changes {
			if c.After[0].Int() != int64(i) || c.ChecksOff != (j%2 == 1) || cap(c.After) != 1 {
				t.Fatalf("the %dth transaction changed", i)
			}
		}
		if len(txs[i].Changes) != cap(txs[i].Changes) || len(rows[i]) != cap(rows[i]) {
			t.Fatalf("the %dth reaches what is not its own", i)
		}
	}
}
