package postgres

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/sourcetest"
)

// open opens a reader that streams and ends where the log ends now.
func (p *place) open(start rowferry.Start, change ...func(*Options)) rowferry.Reader {
	p.t.Helper()
	o := p.pipe()
	o.From, o.Once = "earliest", true
	for _, c := range change {
		c(&o)
	}
	start.Spool = spools(p.t)
	r, err := Live(o).Open(p.t.Context(), start)
	if err != nil {
		p.t.Fatal(err)
	}
	p.t.Cleanup(func() { _ = r.Close() })
	return r
}

// following opens a reader that goes on.
func (p *place) following(start rowferry.Start, change ...func(*Options)) *reader {
	p.t.Helper()
	r, ok := p.open(start, append(slices.Clone(change), func(o *Options) { o.Once = false })...).(*reader)
	if !ok {
		p.t.Fatal("Open returned another reader")
	}
	return r
}

// all reads to the end, and closes.
func all(t testing.TB, r rowferry.Reader) (chunks []*rowferry.Tx) {
	t.Helper()
	for {
		tx, err := r.Next(t.Context())
		if errors.Is(err, io.EOF) {
			if err := r.Close(); err != nil {
				t.Fatal(err)
			}
			return chunks
		}
		if err != nil {
			t.Fatal(err)
		}
		chunks = append(chunks, tx)
	}
}

// log reads what was logged since the pipeline began.
func (p *place) log(change ...func(*Options)) []sourcetest.Transaction {
	p.t.Helper()
	return sourcetest.Join(all(p.t, p.open(rowferry.Start{}, change...)), nil)
}

// rows shows the changes of transactions, a line each. Shapes are by their
// columns; of a text that is one letter repeated, only its length is shown.
func rows(txs []sourcetest.Transaction) string {
	var b strings.Builder
	for _, tx := range txs {
		for _, c := range tx.Changes {
			fmt.Fprintf(&b, "%s %s", c.Op, c.Table.Name.Table)
			if c.Op == rowferry.Shape {
				fmt.Fprintf(&b, " %s", columnsOf(c.Table))
			}
			for _, row := range []rowferry.Row{c.Before, c.After} {
				if row != nil {
					fmt.Fprintf(&b, " %s", rowText(row))
				}
			}
			if c.ChecksLate {
				b.WriteString(" checks late")
			}
			b.WriteByte('\n')
		}
	}
	return b.String()
}

func columnsOf(t *schema.Table) string {
	var names []string
	for _, c := range t.Columns {
		names = append(names, c.Name+" "+c.Type.String())
	}
	return "(" + strings.Join(names, ", ") + ")"
}

func rowText(row rowferry.Row) string {
	var values []string
	for _, v := range row {
		s := v.String()
		if len(s) > 20 && strings.Trim(s, s[:1]) == "" {
			s = fmt.Sprintf("%s×%d", s[:1], len(s))
		}
		values = append(values, s)
	}
	return "[" + strings.Join(values, " ") + "]"
}

// wantRows compares with what is expected, a line each. Shapes that are told at
// the beginning are left out.
func wantRows(t testing.TB, txs []sourcetest.Transaction, want string) {
	t.Helper()
	txs = slices.Clone(txs)
	if len(txs) > 0 {
		n := slices.IndexFunc(txs[0].Changes, func(c rowferry.Change) bool { return c.Op != rowferry.Shape })
		if n < 0 {
			n = len(txs[0].Changes)
		}
		txs[0].Changes = txs[0].Changes[n:]
	}
	if got := strings.TrimSpace(rows(txs)); got != strings.TrimSpace(want) {
		t.Errorf("read:\n%s\nwant:\n%s", got, strings.TrimSpace(want))
	}
}

// pipe are the options of a pipeline that no other test has: slots are the
// server's, not the database's.
func (p *place) pipe() Options {
	o := p.options()
	o.Pipeline = p.name
	return o
}

// await asks until the query's answer is true, and does something each time that
// it is not.
func (p *place) await(query string, meanwhile ...func()) {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), 2*time.Minute)
	defer cancel()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for p.ask(query) != "true" {
		for _, do := range meanwhile {
			do()
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			p.t.Fatalf("never true: %s", query)
		}
	}
}
