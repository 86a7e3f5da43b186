package sinktest

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// bulkRows is how many changes the clauses write at once: more than travel in
// one statement, and a number that leaves a few over.
const bulkRows = 147

// bulkClauses hold for sinks whose batches are a rowferry.BulkTx.
var bulkClauses = []clause{
	{"bulk: what is written is what one by one would leave", func(e *env) {
		t, u := numbered("t"), numbered("u")
		e.apply(shape(t), shape(u))
		e.bulk(append(each(bulkRows, func(i int) rowferry.Mutation { return insert(t, start(i)...) }),
			each(bulkRows, func(i int) rowferry.Mutation { return insert(u, start(i)...) })...)...)
		var updates, deletes []rowferry.Mutation
		var want, wantU []rowferry.Row
		for i := range bulkRows {
			if i%5 == 4 {
				deletes = append(deletes, remove(t, start(i)...))
			} else {
				updates = append(updates, update(t, start(i), turned(i)))
				want = append(want, row(turned(i)))
			}
			deletes = append(deletes, remove(u, start(i)...))
			wantU = append(wantU, row(turned(i)))
		}
		inserts := each(bulkRows, func(i int) rowferry.Mutation { return insert(t, i+1000, "new", i) })
		for i := range bulkRows {
			want = append(want, row(vals(i+1000, "new", i)))
		}
		e.bulk(slices.Concat(inserts, updates, deletes)...)
		e.rows(t, want...)
		e.rows(u)
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation { return insert(u, start(i)...) })...)
		e.bulk(byPattern(each(bulkRows, func(i int) rowferry.Mutation { return update(u, start(i), turned(i)) }))...)
		e.rows(u, wantU...)
	}},
	{"bulk: nothing", func(e *env) {
		e.bulk()
	}},
	{"bulk: a rollback leaves nothing", func(e *env) {
		t := e.filled("t")
		tx := e.begin()
		e.must(tx.(rowferry.BulkTx).WriteBulk(ctx, e.stamp(slices.Concat(
			each(9, func(i int) rowferry.Mutation { return insert(t, i+1000, "x", nil) }),
			each(9, func(i int) rowferry.Mutation { return update(t, start(i), vals(i, "x", 5)) }),
			each(9, func(i int) rowferry.Mutation { return remove(t, start(i+10)...) })))))
		e.must(tx.Rollback())
		e.full(t)
	}},
	{"bulk: a missing row is refused", func(e *env) {
		t := e.filled("t")
		for _, at := range []int{0, 4, 8} {
			away := func(i int) []any {
				if i == at {
					return vals(-1, nil, nil)
				}
				return start(i)
			}
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return update(t, away(i), vals(away(i)[0], "x", 5)) })...)
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return remove(t, away(i)...) })...)
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation {
				return update(t, vals(away(i)[0], absent{}, absent{}), vals(absent{}, absent{}, 5))
			})...)
		}
	}},
	{"bulk: the row of another with the same key is not touched", func(e *env) {
		t := e.filled("t")
		for _, theirs := range [][]any{vals(4, "other", 4), vals(4, nil, 4), vals(4, "s4", nil), vals(4, "s4", 5), vals(4, "S4", 4), vals(4, "s4 ", 4)} {
			ours := func(i int) []any {
				if i == 4 {
					return theirs
				}
				return start(i)
			}
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return update(t, ours(i), vals(i, "x", 77)) })...)
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return update(t, ours(i), vals(i+1000, "x", 77)) })...)
			e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return remove(t, ours(i)...) })...)
		}
		// Row 7 has n NULL.
		e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return remove(t, i, start(i)[1], 0) })...)
	}},
	{"bulk: an insert never overwrites", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("u", text), nullable("s", text))
		t.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.apply(shape(t), insert(t, 1, "one", "a"), insert(t, 2, "two", "b"), insert(t, 3, "three", "c"), insert(t, 4, "four", "d"), insert(t, 5, "five", "e"))
		names := []string{"one", "two", "three", "four", "five"}
		kept := func() {
			e.rows(t, row(vals(1, "one", "a")), row(vals(2, "two", "b")), row(vals(3, "three", "c")), row(vals(4, "four", "d")), row(vals(5, "five", "e")))
		}
		foreign := []rowferry.Code{rowferry.CodeForeignRow}
		for _, ms := range [][]rowferry.Mutation{
			each(9, func(i int) rowferry.Mutation { return insert(t, 9-i, nil, "x") }),
			each(9, func(i int) rowferry.Mutation {
				return insert(t, 100+i, map[bool]any{true: "two"}[i == 4], "x")
			}),
			each(4, func(i int) rowferry.Mutation {
				return update(t, vals(i+1, names[i], absent{}), vals(i+1, map[bool]string{true: "five", false: names[i] + "!"}[i == 2], absent{}))
			}),
			each(4, func(i int) rowferry.Mutation {
				return update(t, vals(i+1, names[i], absent{}), vals(map[bool]int{true: 5, false: i + 10}[i == 2], names[i], absent{}))
			}),
		} {
			e.refusedInBulk(t, foreign, ms...)
			kept()
		}
	}},
	{"bulk: absent columns stay as they are", func(e *env) {
		t := e.filled("t")
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation {
			if i%2 == 0 {
				return update(t, vals(i, absent{}, absent{}), vals(absent{}, "minimal", absent{}))
			}
			return update(t, vals(i, absent{}, absent{}), vals(i, absent{}, nil))
		})...)
		var want []rowferry.Row
		for i := range bulkRows {
			r := start(i)
			r[1+i%2] = map[bool]any{true: "minimal"}[i%2 == 0]
			want = append(want, row(r))
		}
		e.rows(t, want...)
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation { return remove(t, i, absent{}, absent{}) })...)
		e.rows(t)
		e.refusedInBulk(t, []rowferry.Code{rowferry.CodeAbsentColumn}, each(9, func(i int) rowferry.Mutation { return insert(t, i, absent{}, 1) })...)
		e.rows(t)
	}},
	{"bulk: an update that leaves its row as it is has found it", func(e *env) {
		t := e.filled("t")
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation { return update(t, start(i), start(i)) })...)
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation {
			return update(t, vals(i, absent{}, absent{}), vals(i, absent{}, start(i)[2]))
		})...)
		e.full(t)
		e.bulkRefused(t, missed, each(9, func(i int) rowferry.Mutation { return update(t, vals(i*i*100, "x", 1), vals(i*i*100, "x", 1)) })...)
	}},
	{"bulk: keys change", func(e *env) {
		t := e.filled("t")
		e.bulk(each(bulkRows, func(i int) rowferry.Mutation { return update(t, start(i), append(vals(i+1000), start(i)[1:]...)) })...)
		e.rows(t, rowsOf(bulkRows, func(i int) []any { return append(vals(i+1000), start(i)[1:]...) })...)
	}},
	{"bulk: rows of a family", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		e.apply(shape(parent), shape(child))
		e.bulk(slices.Concat(
			each(9, func(i int) rowferry.Mutation { return insert(parent, i, "x") }),
			each(9, func(i int) rowferry.Mutation { return insert(child, i, i) }))...)
		e.bulk(slices.Concat(
			each(5, func(i int) rowferry.Mutation { return update(child, vals(i, i), vals(i, 8-i)) }),
			each(3, func(i int) rowferry.Mutation { return remove(child, 8-i, 8-i) }))...)
		e.refusedInBulk(parent, []rowferry.Code{rowferry.CodeRowRefused}, each(9, func(i int) rowferry.Mutation { return remove(parent, i, "x") })...)
		e.refusedInBulk(child, []rowferry.Code{rowferry.CodeRowRefused}, each(5, func(i int) rowferry.Mutation { return update(child, vals(i, 8-i), vals(i, 4+2*i)) })...)
		e.rows(child, row(vals(0, 8)), row(vals(1, 7)), row(vals(2, 6)), row(vals(3, 5)), row(vals(4, 4)), row(vals(5, 5)))
		e.rows(parent, rowsOf(9, func(i int) []any { return vals(i, "x") })...)
	}},
	{"bulk: a table that is gone is not written to", func(e *env) {
		t := numbered("t")
		e.refusedInBulk(t, []rowferry.Code{rowferry.CodeTableDiffers}, each(9, func(i int) rowferry.Mutation { return remove(t, start(i)...) })...)
	}},
	{"bulk: after an error only a rollback may follow", func(e *env) {
		t := e.filled("t")
		tx := e.begin().(rowferry.BulkTx)
		one := func(i int) rowferry.Mutation { return remove(t, i-4, absent{}, absent{}) }
		if err := tx.WriteBulk(ctx, e.stamp(each(9, one))); err == nil {
			e.t.Fatal("missing rows were accepted")
		}
		for what, write := range map[string]func() error{
			"bulk write": func() error {
				return tx.WriteBulk(ctx, e.stamp(each(8, func(i int) rowferry.Mutation { return remove(t, start(i+20)...) })))
			},
			"write":  func() error { return tx.Write(ctx, e.stamp([]rowferry.Mutation{insert(t, -7, nil, nil)})) },
			"commit": func() error { return tx.Commit(ctx, e.next()) },
		} {
			if err := write(); err == nil {
				e.t.Errorf("a %s after an error was accepted", what)
			}
		}
		e.must(tx.Rollback())
		e.full(t)
	}},
	{"bulk: large values", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("b", blob), nullable("s", schema.Type{Kind: schema.Text}))
		large := func(i, size int) []any {
			return vals(i, []byte(strings.Repeat(string(rune('a'+i)), size)), strings.Repeat("é", size)+strings.Repeat(" ", i))
		}
		sizes := []int{1, 4000, 4097, 9000, 30_000, 1}
		e.apply(shape(t))
		e.bulk(each(6, func(i int) rowferry.Mutation { return insert(t, large(i, 1)...) })...)
		for n, size := range sizes[1:] {
			e.bulk(each(6, func(i int) rowferry.Mutation { return update(t, large(i, sizes[n]), large(i, size)) })...)
			e.rows(t, rowsOf(6, func(i int) []any { return large(i, size) })...)
		}
		e.bulk(each(6, func(i int) rowferry.Mutation { return remove(t, large(i, 1)...) })...)
		e.rows(t)
	}},
}

// missed are the codes of a row that is not as the source's: which of the rows
// it is need not be known.
var missed = []rowferry.Code{rowferry.CodeRowMissing, rowferry.CodeRowDiffers}

func numbered(name string) *schema.Table {
	return table(name, 1, column("id", integer), nullable("s", text), nullable("n", integer))
}

// start is row i of a filled table: n of row 7 is NULL, and s of row 3.
func start(i int) []any {
	r := vals(i, fmt.Sprintf("s%d", i), i)
	if i%20 == 7 {
		r[2] = nil
	}
	if i == 3 || i%25 == 24 {
		r[1] = nil
	}
	return r
}

// turned is row i with other values, in some columns.
func turned(i int) []any {
	r := start(i)
	if i%4 != 0 {
		r[1] = map[bool]any{true: "turned "}[i%3 != 0]
	}
	if i%4 != 1 {
		r[2] = map[bool]any{true: -i}[i%6 != 0]
	}
	return r
}

// each returns n mutations.
func each(n int, mutation func(i int) rowferry.Mutation) []rowferry.Mutation {
	ms := make([]rowferry.Mutation, n)
	for i := range ms {
		ms[i] = mutation(i)
	}
	return ms
}

func rowsOf(n int, values func(i int) []any) []rowferry.Row {
	rows := make([]rowferry.Row, n)
	for i := range rows {
		rows[i] = row(values(i))
	}
	return rows
}

// byPattern sorts updates by the columns that they change, as the engine does.
func byPattern(ms []rowferry.Mutation) []rowferry.Mutation {
	pattern := func(m rowferry.Mutation) (n int) {
		for o := range m.After {
			n *= 2
			if m.After[o] != m.Before[o] {
				n++
			}
		}
		return n
	}
	slices.SortStableFunc(ms, func(a, b rowferry.Mutation) int { return pattern(a) - pattern(b) })
	return ms
}

// filled makes a table with the rows that start tells.
func (e *env) filled(name string) *schema.Table {
	e.t.Helper()
	t := numbered(name)
	e.apply(append([]rowferry.Mutation{shape(t)}, each(bulkRows, func(i int) rowferry.Mutation { return insert(t, start(i)...) })...)...)
	return t
}

// full wants the table as filled made it.
func (e *env) full(t *schema.Table) {
	e.t.Helper()
	e.rows(t, rowsOf(bulkRows, start)...)
}

// bulk commits the mutations, written in bulk, as one batch.
func (e *env) bulk(ms ...rowferry.Mutation) {
	e.t.Helper()
	tx := e.begin()
	if err := tx.(rowferry.BulkTx).WriteBulk(ctx, e.stamp(ms)); err != nil {
		e.t.Fatalf("%v", err)
	}
	cp := e.next()
	e.must(tx.Commit(ctx, cp))
	e.cp = cp
}

// bulkRefused wants the mutations of a filled table refused, and the table as
// it was.
func (e *env) bulkRefused(t *schema.Table, want []rowferry.Code, ms ...rowferry.Mutation) {
	e.t.Helper()
	e.refusedInBulk(t, want, ms...)
	e.full(t)
}

// refusedInBulk writes the mutations in bulk, wants them refused with one of the
// codes and as being about a mutation of the table, and rolls back.
func (e *env) refusedInBulk(t *schema.Table, want []rowferry.Code, ms ...rowferry.Mutation) {
	e.t.Helper()
	tx := e.begin()
	err := tx.(rowferry.BulkTx).WriteBulk(ctx, e.stamp(ms))
	if err == nil {
		err = tx.Commit(ctx, e.next())
	}
	if !slices.Contains(want, rowferry.CodeOf(err)) {
		e.t.Fatalf("got %v, want one of %v", err, want)
	}
	if r, _ := err.(*rowferry.Error); r == nil || r.Mutation == nil || r.Mutation.Table.Name != t.Name {
		e.t.Errorf("%v does not say which mutation it is about", err)
	}
	e.must(tx.Rollback())
}
