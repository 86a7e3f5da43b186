package sinktest

import (
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// findClauses hold for sinks that are a rowferry.Finder.
var findClauses = []clause{
	{"find: rows by one column and by several", func(e *env) {
		t := table("people", 1, column("id", integer), nullable("mail", text), nullable("a", text), nullable("n", integer))
		e.apply(shape(t), insert(t, 1, "x@y", "p", 1), insert(t, 2, "Ä'\\\"", "p", 2), insert(t, 3, nil, "p", 1), insert(t, -4, "", nil, nil))
		e.found(t, []int{1}, "0:1 1:2 4:-4", vals("x@y"), vals("Ä'\\\""), vals("none"), vals("x@"), vals(""))
		e.found(t, []int{2, 3}, "0:1 0:3 2:2", vals("p", 1), vals("p", 7), vals("p", 2))
		e.found(t, []int{1}, "")
		e.apply(remove(t, 1, "x@y", "p", 1))
		e.found(t, []int{1}, "", vals("x@y"))
	}},
	{"find: many values, and the same ones twice", func(e *env) {
		t := table("many", 1, column("id", integer), nullable("code", text))
		e.apply(append([]rowferry.Mutation{shape(t)}, each(700, func(i int) rowferry.Mutation { return insert(t, i, fmt.Sprint("c", i)) })...)...)
		var values [][]any
		var want []string
		for i := range 1500 {
			n := i % 800
			values = append(values, vals(fmt.Sprint("c", n)))
			if n < 700 {
				want = append(want, fmt.Sprintf("%d:%d", i, n))
			}
		}
		slices.Sort(want)
		e.found(t, []int{1}, strings.Join(want, " "), values...)
	}},
	{"find: no more than are asked for", func(e *env) {
		t := table("alike", 1, column("id", integer), nullable("code", text))
		e.apply(append([]rowferry.Mutation{shape(t)}, each(30, func(i int) rowferry.Mutation { return insert(t, i, "same") })...)...)
		got, err := e.sink.(rowferry.Finder).Find(ctx, t, []int{1}, [][]rowferry.Value{row(vals("same"))}, t.PrimaryKey)
		if e.must(err); len(got) != rowferry.MostFound {
			e.t.Errorf("%d rows, want %d", len(got), rowferry.MostFound)
		}
	}},
	{"find: keys of several columns", func(e *env) {
		t := table("pairs", 2, column("a", text), column("b", integer), nullable("v", text))
		e.apply(shape(t), insert(t, "k", 1, "x"), insert(t, "k", 2, "x"))
		e.found(t, []int{0, 1}, "0:k,2", vals("k", 2), vals("k", 3))
		e.found(t, []int{2}, "0:k,1 0:k,2", vals("x"))
	}},
	{"find: what no column holds is not there", func(e *env) {
		t := table("narrow", 1, column("id", integer), nullable("n", schema.Type{Kind: schema.Int, Bits: 64, Unsigned: true}))
		e.apply(shape(t), insert(t, 1, uint64(5)))
		e.found(t, []int{1}, "1:1", vals(uint64(math.MaxUint64)), vals(uint64(5)))
	}},
	{"find: the keys of all rows", func(e *env) {
		sink, ok := e.sink.(rowferry.RecopySink)
		if !ok {
			e.t.Fatal("tables cannot be copied again into the sink")
		}
		t := table("keyed", 2, column("a", text), column("b", integer), nullable("v", text))
		e.apply(shape(t), insert(t, "k", 1, "x"), insert(t, "Ä'\\\"", -2, nil), insert(t, "", 3, "x"))
		var got []string
		e.must(sink.Keys(ctx, t, t.PrimaryKey, func(key []rowferry.Value) error {
			got = append(got, key[0].String()+","+key[1].String())
			return nil
		}))
		slices.Sort(got)
		if want := []string{",3", "k,1", "Ä'\\\",-2"}; !slices.Equal(got, want) {
			e.t.Errorf("got %q, want %q", got, want)
		}
		stop := errors.New("enough")
		if err := sink.Keys(ctx, t, t.PrimaryKey, func([]rowferry.Value) error { return stop }); !errors.Is(err, stop) {
			e.t.Errorf("it ends with %v", err)
		}
		e.apply(insert(t, "k", 4, nil)) // and the sink goes on
	}},
	{"find: which tables were made", func(e *env) {
		sink, ok := e.sink.(rowferry.RecopySink)
		if !ok {
			e.t.Fatal("tables cannot be copied again into the sink")
		}
		ours := table("ours", 1, column("id", integer))
		e.apply(shape(ours))
		if made, err := sink.Made(ctx, ours); err != nil || !made {
			e.t.Errorf("a table that was made: %t, %v", made, err)
		}
	}},
	{"find: a table that is not there", func(e *env) {
		_, err := e.sink.(rowferry.Finder).Find(ctx, table("missing", 1, column("id", integer)), []int{0}, [][]rowferry.Value{row(vals(1))}, []int{0})
		if rowferry.CodeOf(err) != rowferry.CodeTableDiffers {
			e.t.Errorf("got %v, want %s", err, rowferry.CodeTableDiffers)
		}
	}},
}

// found requires what is found, as "value:key" in order.
func (e *env) found(t *schema.Table, columns []int, want string, values ...[]any) {
	e.t.Helper()
	rows := make([][]rowferry.Value, len(values))
	for i := range values {
		rows[i] = row(values[i])
	}
	found, err := e.sink.(rowferry.Finder).Find(ctx, t, columns, rows, t.PrimaryKey)
	e.must(err)
	var got []string
	for _, f := range found {
		var key []string
		for _, v := range f.Key {
			key = append(key, v.String())
		}
		got = append(got, fmt.Sprintf("%d:%s", f.Value, strings.Join(key, ",")))
	}
	slices.Sort(got)
	if strings.Join(got, " ") != want {
		e.t.Errorf("found %v, want %s", got, want)
	}
}
