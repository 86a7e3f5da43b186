package cli

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// dryResult is what a run would do, for people and for the envelope.
type dryResult struct {
	Pipeline     string         `json:"pipeline"`
	DryRun       bool           `json:"dry_run"` // true
	Reads        string         `json:"reads"`   // tables, or log
	From         string         `json:"from"`    // in the log; "" where tables were read
	Position     string         `json:"position"`
	Transactions uint64         `json:"transactions"` // of the log
	Tables       []dryTable     `json:"tables"`
	Stopped      *envelopeError `json:"stopped"` // why it ended before its end; null where it did not
	Notices      []string       `json:"notices"`

	next string
}

// dryTable is what would become of the rows of one table.
type dryTable struct {
	Table   string `json:"table"`
	Inserts int64  `json:"would_insert"`
	Updates int64  `json:"would_update"`
	Merges  int64  `json:"would_merge"` // new rows, into rows that the target has
	Deletes int64  `json:"would_delete"`
	Skips   int64  `json:"would_skip"`   // by a filter, by deletes: skip, or by on_duplicate: skip
	Clears  int64  `json:"would_clear"`  // times that the table is emptied
	Waits   int64  `json:"would_wait"`   // rows that wait for others at the end
	Rejects int64  `json:"would_reject"` // rows that the target would refuse, with those that are put aside at the end
	// First is the first row that would be refused, null where none is or it is put
	// aside.
	First *envelopeError `json:"first_reject"`
}

func (x *rehearsal) result(e *rowferry.Engine) *dryResult {
	p, s := e.Progress(), x.settings
	r := &dryResult{Pipeline: s.name, DryRun: true, Reads: "log", From: string(e.Resume().From), Position: string(p.Position), Transactions: p.Transactions,
		Tables: []dryTable{}, Notices: append([]string{}, e.Notices()...), next: s.goOn()}
	if x.tables {
		r.Reads, r.From, r.Position, r.Transactions = "tables", "", "", 0
	}
	for _, t := range p.Tables {
		r.table(t.Table).Skips += int64(t.Filtered)
	}
	for name, c := range x.sink.counts {
		t := r.table(name)
		t.Inserts, t.Updates, t.Merges, t.Deletes, t.Clears = c.inserts, c.updates, c.merges, c.deletes, c.clears
		t.Skips, t.Rejects = t.Skips+c.skips, c.rejects
		if c.first != nil {
			t.First = describe([]error{c.first})
		}
	}
	return r
}

// rest adds what is recorded of rows at the end.
func (r *dryResult) rest(counts []mapping.Count) {
	for _, c := range counts {
		t := r.table(c.Entity)
		t.Waits, t.Rejects = c.Waiting-c.Rejected, t.Rejects+c.Rejected
	}
}

func (r *dryResult) table(name schema.Name) *dryTable {
	i, there := slices.BinarySearchFunc(r.Tables, name.String(), func(t dryTable, n string) int { return cmp.Compare(t.Table, n) })
	if !there {
		r.Tables = slices.Insert(r.Tables, i, dryTable{Table: name.String()})
	}
	return &r.Tables[i]
}

// refused tells that the target would refuse rows.
func (r *dryResult) refused() error {
	var n int64
	err := rowferry.Errorf(rowferry.CodeWouldReject, "the target would refuse rows")
	for _, t := range r.Tables {
		if t.Rejects > 0 {
			n += t.Rejects
			err.Fact(t.Table, "%s", plural(uint64(t.Rejects), "row", "rows"))
		}
	}
	if n == 0 {
		return nil
	}
	return err
}

// text is the result for people.
func (r *dryResult) text(ink ink) string {
	var b bytes.Buffer
	head := [][]string{{"table", "insert", "update", "merge", "delete", "skip", "wait", "reject"}}
	for _, t := range r.Tables {
		row := []string{clean(t.Table)}
		for _, n := range []int64{t.Inserts, t.Updates, t.Merges, t.Deletes, t.Skips, t.Waits, t.Rejects} {
			row = append(row, count(uint64(max(0, n))))
		}
		head = append(head, row)
	}
	b.WriteString(grid(head, 1, 2, 3, 4, 5, 6, 7))
	for _, t := range r.Tables {
		if t.Clears > 0 {
			fmt.Fprintf(&b, "%s would be emptied, %s\n", clean(t.Table), plural(uint64(t.Clears), "time", "times"))
		}
		if t.First != nil {
			fmt.Fprintf(&b, "%s: %s%s\n", ink.bold(clean(t.Table)), clean(t.First.What), dryFacts(t.First))
		}
	}
	for _, n := range r.Notices {
		fmt.Fprintf(&b, "%s\n", clean(n))
	}
	what := "the rows that the tables have now were read"
	if r.Reads == "log" {
		what = fmt.Sprintf("%s of the log read, from %s to %s", plural(r.Transactions, "transaction", "transactions"), clean(r.From), clean(cmp.Or(r.Position, r.From)))
	}
	fmt.Fprintf(&b, "\n%s; nothing was written\n→ do it  %s\n", what, clean(r.next))
	return b.String()
}

// dryFacts are the facts of a refusal, but for the table.
func dryFacts(e *envelopeError) string {
	var parts []string
	for _, f := range e.Facts {
		if f.Name != "table" {
			parts = append(parts, f.Name+" "+clean(f.Value))
		}
	}
	if parts == nil {
		return ""
	}
	return " (" + strings.Join(parts, ", ") + ")"
}
