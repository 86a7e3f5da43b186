package sinktest

import (
	"context"
	"fmt"
	"slices"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// tableClauses are about rows and tables.
var tableClauses = []clause{
	{"insert, update and delete", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text), nullable("n", integer))
		e.apply(shape(t), insert(t, 1, "a", nil), insert(t, 2, nil, 5))
		e.rows(t, row(vals(1, "a", nil)), row(vals(2, nil, 5)))
		e.apply(update(t, vals(1, "a", nil), vals(1, nil, 7)), remove(t, 2, nil, 5))
		e.rows(t, row(vals(1, nil, 7)))
	}},
	{"a composite key", func(e *env) {
		t := table("t", 2, column("a", text), column("b", integer), nullable("v", text))
		e.apply(shape(t), insert(t, "x", 1, "p"), insert(t, "x", 2, "q"), insert(t, "X", 1, "r"))
		e.apply(update(t, vals("x", 2, "q"), vals("x", 2, "Q")), remove(t, "x", 1, "p"))
		e.rows(t, row(vals("x", 2, "Q")), row(vals("X", 1, "r")))
	}},
	{"a unique key stands in for a primary one", func(e *env) {
		t := table("t", 0, column("k", text), nullable("v", integer))
		t.Uniques = []schema.Index{{Name: "k", Columns: []int{0}}}
		e.apply(shape(t), insert(t, "a", 1), insert(t, "b", 1))
		e.apply(update(t, vals("a", absent{}), vals(absent{}, 2)), remove(t, "b", 1))
		e.rows(t, row(vals("a", 2)))
	}},
	{"what was committed is visible, what is open is not", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1))
		tx := e.begin()
		e.must(tx.Write(context.Background(), e.stamp([]rowferry.Mutation{insert(t, 2)})))
		e.rows(t, row(vals(1)))
		e.must(tx.Commit(context.Background(), e.next()))
		e.rows(t, row(vals(1)), row(vals(2)))
	}},
	{"a rollback leaves nothing", func(e *env) {
		t, u := table("t", 1, column("id", integer)), table("u", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1))
		tx := e.open(shape(u), insert(u, 1), insert(t, 2), remove(t, 1))
		e.must(tx.Rollback())
		e.rows(t, row(vals(1)))
		e.rows(u)
		if _, ok := e.sink.(rowferry.Preparer); !ok {
			_ = e.refused(rowferry.CodeTableDiffers, insert(u, 1))
		}
		e.apply(shape(u), insert(u, 1), insert(t, 2))
		e.rows(u, row(vals(1)))
		e.rows(t, row(vals(1)), row(vals(2)))
	}},
	{"an update or delete of a missing row is refused", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"))
		_ = e.refused(rowferry.CodeRowMissing, update(t, vals(2, "a"), vals(2, "b")))
		_ = e.refused(rowferry.CodeRowMissing, remove(t, 2, "a"))
		_ = e.refused(rowferry.CodeRowMissing, insert(t, 3, "c"), update(t, vals(2, "a"), vals(2, "a")))
		e.rows(t, row(vals(1, "a")))
	}},
	{"the row of another with the same key is not touched", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text), nullable("n", integer), nullable("f", schema.Type{Kind: schema.Float64}))
		e.apply(shape(t), insert(t, 1, "theirs", 7, 0.5), insert(t, 2, nil, nil, nil))
		for _, before := range [][]any{vals(1, "ours", 7, 0.5), vals(1, "Theirs", 7, 0.5), vals(1, "theirs", nil, 0.5), vals(1, "theirs", 8, 0.5), vals(2, "", nil, nil), vals(2, nil, 0, nil)} {
			for _, m := range []rowferry.Mutation{
				update(t, before, vals(before[0], "new", 9, 1.5)), update(t, before, before), update(t, before, vals(3, "new", 9, 1.5)),
				remove(t, before...),
			} {
				e.differs(e.refused(rowferry.CodeRowDiffers, m))
			}
		}
		e.apply(update(t, vals(1, absent{}, 7, 0.5), vals(1, "known", 7, 0.5)))
		e.rows(t, row(vals(1, "known", 7, 0.5)), row(vals(2, nil, nil, nil)))
	}},
	{"an update that changes nothing needs its row", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"), update(t, vals(1, "a"), vals(1, "a")))
		e.rows(t, row(vals(1, "a")))
	}},
	{"an insert never overwrites", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("u", text), nullable("s", text))
		t.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
		e.apply(shape(t), insert(t, 1, "one", "a"), insert(t, 2, "two", "b"), insert(t, 3, nil, "c"), insert(t, 4, nil, "d"))
		_ = e.refused(rowferry.CodeForeignRow, insert(t, 1, "uno", "x"))
		_ = e.refused(rowferry.CodeForeignRow, insert(t, 9, "two", "x"))
		_ = e.refused(rowferry.CodeForeignRow, update(t, vals(1, "one", "a"), vals(1, "two", "a")))
		_ = e.refused(rowferry.CodeForeignRow, update(t, vals(1, "one", "a"), vals(2, "one", "a")))
		e.rows(t, row(vals(1, "one", "a")), row(vals(2, "two", "b")), row(vals(3, nil, "c")), row(vals(4, nil, "d")))
	}},
	{"truncate empties the table", func(e *env) {
		t := table("t", 1, column("id", integer))
		e.apply(shape(t), insert(t, 1), insert(t, 2))
		e.apply(truncate(t), insert(t, 2))
		e.rows(t, row(vals(2)))
	}},
	{"a shape is idempotent", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"))
		again := *t
		again.Columns = append([]schema.Column(nil), t.Columns...)
		e.apply(shape(&again), insert(&again, 2, "b"))
		e.rows(t, row(vals(1, "a")), row(vals(2, "b")))
	}},
	{"another shape is refused", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"))
		more := table("t", 1, column("id", integer), nullable("s", text), nullable("x", text))
		_ = e.refused(rowferry.CodeTableDiffers, shape(more))
		other := table("t", 1, column("id", integer), nullable("s", blob))
		_ = e.refused(rowferry.CodeTableDiffers, shape(other))
		keyed := table("t", 2, column("id", integer), column("s", text))
		_ = e.refused(rowferry.CodeTableDiffers, shape(keyed))
		e.apply(insert(t, 2, "b"))
		e.rows(t, row(vals(1, "a")), row(vals(2, "b")))
	}},
	{"a table that is gone is not written to", func(e *env) {
		t := table("t", 1, column("id", integer))
		_ = e.refused(rowferry.CodeTableDiffers, insert(t, 1))
	}},
	{"an absent column is not written", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("a", text), nullable("b", text), nullable("c", integer))
		e.apply(shape(t), insert(t, 1, "a", "b", 3))
		e.apply(update(t, vals(1, absent{}, absent{}, absent{}), vals(absent{}, absent{}, "B", absent{})))
		e.rows(t, row(vals(1, "a", "B", 3)))
		e.apply(update(t, vals(1, absent{}, absent{}, absent{}), vals(1, nil, absent{}, absent{})))
		e.rows(t, row(vals(1, nil, "B", 3)))
	}},
	{"an image that cannot find or make a row is refused", func(e *env) {
		t := table("t", 2, column("a", integer), column("b", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, 1, "x"))
		_ = e.refused(rowferry.CodeAbsentColumn, update(t, vals(1, absent{}, "x"), vals(1, 1, "y")))
		_ = e.refused(rowferry.CodeAbsentColumn, remove(t, absent{}, 1, "x"))
		_ = e.refused(rowferry.CodeAbsentColumn, insert(t, 2, absent{}, "x"))
		e.rows(t, row(vals(1, 1, "x")))
	}},
	{"a key changes", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text))
		e.apply(shape(t), insert(t, 1, "a"), insert(t, 2, "b"))
		e.apply(update(t, vals(1, "a"), vals(10, "a")), update(t, vals(2, "b"), vals(1, "b")), update(t, vals(10, "a"), vals(2, "A")))
		e.rows(t, row(vals(1, "b")), row(vals(2, "A")))
	}},
	{"rows without a key", func(e *env) {
		t := table("t", 0, nullable("s", text), nullable("r", double), nullable("b", blob))
		same := vals("x", 0.1, nil)
		e.apply(shape(t), insert(t, same...), insert(t, same...), insert(t, same...), insert(t, "y", 1e300, []byte{0}))
		e.apply(remove(t, same...), update(t, same, vals("z", 0.1, nil)))
		e.rows(t, row(same), row(vals("z", 0.1, nil)), row(vals("y", 1e300, []byte{0})))
		_ = e.refused(rowferry.CodeRowMissing, remove(t, "x", 0.2, nil))
		_ = e.refused(rowferry.CodeRowMissing, update(t, vals("none", 0.1, nil), vals("none", 0.1, nil)))
		e.apply(update(t, same, same))
		e.apply(remove(t, same...))
		_ = e.refused(rowferry.CodeRowMissing, remove(t, same...))
	}},
	{"a wide table", func(e *env) {
		for _, key := range []int{0, 1} {
			columns := []schema.Column{column("id", integer)}
			before, after := vals(1), vals(1)
			for i := 1; i < e.o.Columns; i++ {
				columns = append(columns, nullable(fmt.Sprintf("c%d", i), integer))
				before, after = append(before, i), append(after, i+1)
			}
			t := table(fmt.Sprintf("wide%d", key), key, columns...)
			e.apply(shape(t), insert(t, before...), update(t, before, after))
			e.rows(t, row(after))
			e.apply(remove(t, after...))
			e.rows(t)
		}
	}},
}

// differs wants the refusal to name the columns that are not as they were.
func (e *env) differs(refused *rowferry.Error) {
	e.t.Helper()
	if !slices.ContainsFunc(refused.Facts, func(f rowferry.Fact) bool { return f.Name == "differs in" && (f.Value == "s" || f.Value == "n") }) {
		e.t.Errorf("the refusal does not name the column alone: %v", refused.Facts)
	}
}
