package sinktest

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// loadRows is how many rows the clauses load at once: more than travel in one
// statement, and a number that leaves a few over.
const loadRows = 1037

// loadClauses hold for sinks that are a rowferry.Loader: what Load does.
var loadClauses = []clause{
	{"load: rows land as they are", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		e.prepareLoad(t)
		l := e.load()
		e.chunk(l, t, false, started(t, 0, loadRows)...)
		e.rows(t, rowsOf(loadRows, start)...)
		e.sees(e.cp)
		e.prepareLoad(t)
		e.chunk(l, t, false, started(t, loadRows, 2*loadRows)...)
		e.chunk(l, t, false)
		e.sees(e.cp)
		e.rows(t, rowsOf(2*loadRows, start)...)
	}},
	{"load: a chunk is written in parts", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.must(l.Begin(ctx, e.shaped(t), false))
		for from := 0; from < loadRows; from += 61 {
			ms := e.stamp(started(t, from, min(from+61, loadRows)))
			e.must(l.Write(ctx, ms))
			clear(ms) // valid during Write alone
		}
		e.rows(t)
		e.must(l.Commit(ctx, e.cp, rowferry.Chunk{}))
		e.rows(t, rowsOf(loadRows, start)...)
	}},
	{"load: every kind of value", func(e *env) {
		l := e.load()
		for _, v := range kinds() {
			values := slices.DeleteFunc(slices.Clone(v.values), func(x any) bool { return e.refuses(v.typ, x) })
			values = append(values, nil)
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
			e.prepareLoad(t)
			for step, again := range []bool{false, true} {
				n := 4*len(values) + step
				at := func(i int) []any { return vals(i, values[(i+step)%len(values)]) }
				e.chunk(l, t, again, each(n, func(i int) rowferry.Mutation { return insert(t, at(i)...) })...)
				e.rows(t, rowsOf(n, at)...)
			}
		}
	}},
	{"load: a value that the target has no room for is refused", func(e *env) {
		l := e.load()
		for _, v := range kinds() {
			at := slices.IndexFunc(v.values, func(x any) bool { return e.refuses(v.typ, x) })
			if at < 0 {
				continue
			}
			t := table(v.name, 1, column("id", integer), nullable("v", v.typ))
			e.prepareLoad(t)
			for _, again := range []bool{false, true} {
				e.chunkRefused(l, rowferry.CodeOutOfRange, t, again, each(9, func(i int) rowferry.Mutation {
					return insert(t, i, map[bool]any{true: v.values[at]}[i == 5])
				})...)
				e.rows(t)
			}
		}
	}},
	{"load: an image that lacks a column is refused", func(e *env) {
		t := numbered("t")
		e.prepareLoad(t)
		l := e.load()
		e.chunkRefused(l, rowferry.CodeAbsentColumn, t, false, insert(t, 1, "a", 1), insert(t, 2, absent{}, 2), insert(t, 3, "c", 3))
		e.rows(t)
		e.chunk(l, t, false, insert(t, 1, "a", 1))
		e.rows(t, row(vals(1, "a", 1)))
	}},
	{"load: every kind of key", func(e *env) {
		l := e.load()
		for n, k := range keyKinds() {
			t := table(fmt.Sprintf("k%d", n), 2, column("k", k.typ), column("l", k.typ), nullable("v", integer))
			e.prepareLoad(t)
			k.values = slices.DeleteFunc(k.values, func(x any) bool { return e.refuses(k.typ, x) })
			keys := len(k.values)
			all := keys * keys
			row := func(i, v int) []any { return vals(k.values[i%keys], k.values[i/keys], v) }
			e.chunk(l, t, false, each(all/2, func(i int) rowferry.Mutation { return insert(t, row(i, i)...) })...)
			e.chunk(l, t, true, each(all, func(i int) rowferry.Mutation { return insert(t, row(i, -i)...) })...)
			e.rows(t, rowsOf(all, func(i int) []any { return row(i, -i) })...)
		}
	}},
	{"load: again, over rows that are there", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("s", text), nullable("n", integer), nullable("b", blob))
		first := func(i int) []any {
			return vals(i, fmt.Sprintf("first %d", i), nil, []byte(strings.Repeat("x", i%7*1000)))
		}
		then := func(i int) []any {
			r := first(i)
			switch i % 4 {
			case 1:
				r[1], r[2] = nil, i
			case 2:
				r[3] = []byte{0, byte(i), 255}
			case 3:
				r = vals(i, nil, nil, nil)
			}
			return r
		}
		e.prepareLoad(t)
		l := e.load()
		e.chunk(l, t, false, each(loadRows, func(i int) rowferry.Mutation { return insert(t, first(i)...) })...)
		e.chunk(l, t, true, each(loadRows+loadRows/2, func(i int) rowferry.Mutation { return insert(t, then(i)...) })...)
		e.rows(t, rowsOf(loadRows+loadRows/2, then)...)
		e.chunk(l, t, true, each(loadRows, func(i int) rowferry.Mutation { return insert(t, then(i)...) })...)
		e.rows(t, rowsOf(loadRows+loadRows/2, then)...)
	}},
	{"load: large values", func(e *env) {
		t := table("t", 1, column("id", integer), nullable("b", blob), nullable("s", schema.Type{Kind: schema.Text}))
		large := func(i int) []any {
			size := []int{1, 4000, 70_000, 600_000}[i%4]
			return vals(i, []byte(strings.Repeat(string(rune('a'+i%26)), size)), strings.Repeat("é", size)+strings.Repeat(" ", i))
		}
		e.prepareLoad(t)
		l := e.load()
		for _, again := range []bool{false, true} {
			e.chunk(l, t, again, each(12, func(i int) rowferry.Mutation { return insert(t, large(i)...) })...)
			e.rows(t, rowsOf(12, large)...)
		}
	}},
	{"load: rows of a table without a key", func(e *env) {
		t := table("t", 0, nullable("s", text), nullable("r", double), nullable("b", blob))
		e.prepareLoad(t)
		same := func(int) []any { return vals("x", 0.1, nil) }
		e.chunk(e.load(), t, false, each(loadRows, func(i int) rowferry.Mutation { return insert(t, same(i)...) })...)
		e.rows(t, rowsOf(loadRows, same)...)
		e.apply(remove(t, same(0)...), insert(t, "y", 0.2, nil), insert(t, "y", 0.2, nil))
		e.apply(remove(t, same(0)...), remove(t, "y", 0.2, nil), update(t, vals("y", 0.2, nil), vals("x", 0.1, nil)))
		e.complete(t)
		e.apply(remove(t, same(0)...))
		e.rows(t, rowsOf(loadRows-2, same)...)
	}},
	{"load: hostile names", func(e *env) {
		t := table(`a"b'c]d[e;f --g`+"`h", 1, column(`i"d; DROP TABLE x`, integer), nullable("sel\nect", text), nullable("Ünï?日", text))
		t.Uniques = []schema.Index{{Name: "u`\"'; x", Columns: []int{1}}}
		t.ForeignKeys = []schema.ForeignKey{{Columns: []int{2}, Parent: t.Name, Referenced: []string{"sel\nect"}}}
		e.prepareLoad(t)
		l := e.load()
		e.chunk(l, t, false, insert(t, 1, "x", "y"), insert(t, 2, "y", nil))
		e.chunk(l, t, true, insert(t, 1, `x"'`, "y"))
		e.merge(update(t, vals(2, absent{}, absent{}), vals(2, "y", `x"'`)))
		e.complete(t)
		e.rows(t, row(vals(1, `x"'`, "y")), row(vals(2, "y", `x"'`)))
	}},
	{"load: a wide table", func(e *env) {
		columns := []schema.Column{column("id", integer)}
		for i := 1; i < e.o.Columns; i++ {
			columns = append(columns, nullable(fmt.Sprintf("c%d", i), integer))
		}
		t := table("wide", 1, columns...)
		e.prepareLoad(t)
		l := e.load()
		wide := func(plus int) func(i int) []any {
			return func(i int) []any {
				r := vals(i)
				for c := 1; c < len(columns); c++ {
					r = append(r, i+c+plus)
				}
				return r
			}
		}
		for plus, again := range []bool{false, true} {
			e.chunk(l, t, again, each(30, func(i int) rowferry.Mutation { return insert(t, wide(plus)(i)...) })...)
			e.rows(t, rowsOf(30, wide(plus))...)
		}
	}},
}

// started returns inserts of the rows that start tells.
func started(t *schema.Table, from, upto int) []rowferry.Mutation {
	return each(upto-from, func(i int) rowferry.Mutation { return insert(t, start(from+i)...) })
}

func (e *env) loader() rowferry.Loader { return e.sink.(rowferry.Loader) }

// shapes are the Shape mutations of the tables, as the engine gives them.
func (e *env) shapes(tables ...*schema.Table) []rowferry.Mutation {
	var ms []rowferry.Mutation
	for _, t := range tables {
		ms = append(ms, shape(t))
	}
	return e.stamp(ms)
}

func (e *env) shaped(t *schema.Table) *rowferry.Mutation { return &e.shapes(t)[0] }

func (e *env) prepareLoad(tables ...*schema.Table) {
	e.t.Helper()
	e.ready()
	e.must(e.loader().PrepareLoad(ctx, e.shapes(tables...)))
}

// key makes the keys by which rows are found, where they are not there before, and
// returns what it was told of.
func (e *env) key(tables ...*schema.Table) (made []string) {
	e.t.Helper()
	if l, ok := e.sink.(rowferry.LateKeyer); ok {
		e.must(l.Key(ctx, e.shapes(tables...), func(what string) { made = append(made, what) }))
	}
	return made
}

// complete completes the tables, and returns what it was told of besides the keys
// by which rows are found.
func (e *env) complete(tables ...*schema.Table) []string {
	e.t.Helper()
	e.key(tables...)
	var made []string
	e.must(e.loader().Complete(ctx, e.shapes(tables...), rowferry.Completion{Each: func(what string) { made = append(made, what) }}))
	return made
}

// load opens a Load, which is closed at the end.
func (e *env) load() rowferry.Load {
	e.t.Helper()
	l := e.another()
	if l == nil {
		e.t.Fatal("there is no Load")
	}
	return l
}

// another opens a Load beside others, or returns nil where there are none.
func (e *env) another() rowferry.Load {
	e.t.Helper()
	e.ready()
	l, err := e.loader().Load(ctx)
	e.must(err)
	if l == nil {
		return nil
	}
	o := &testLoad{Load: l, env: e}
	e.t.Cleanup(func() {
		if err := o.Close(); err != nil {
			e.t.Errorf("close: %v", err)
		}
	})
	return o
}

// testLoad is a Load that claims each chunk when it is begun, and of which a second
// Close does nothing.
type testLoad struct {
	rowferry.Load
	env    *env
	chunk  rowferry.Chunk
	closed bool
}

func (o *testLoad) Begin(ctx context.Context, shape *rowferry.Mutation, again bool) error {
	o.env.claims++
	o.chunk = rowferry.Chunk{Table: shape.Table.Name, Number: o.env.claims}
	if err := o.Claim(ctx, o.env.cp, o.chunk); err != nil && rowferry.CodeOf(err) != rowferry.CodeFenced {
		return err
	}
	return o.Load.Begin(ctx, shape, again)
}

// Commit commits the chunk that was begun.
func (o *testLoad) Commit(ctx context.Context, cp rowferry.Checkpoint, _ rowferry.Chunk) error {
	return o.Load.Commit(ctx, cp, o.chunk)
}

func (o *testLoad) Close() error {
	if o.closed {
		return nil
	}
	o.closed = true
	return o.Load.Close()
}

// chunk loads the rows and commits them.
func (e *env) chunk(l rowferry.Load, t *schema.Table, again bool, ms ...rowferry.Mutation) {
	e.t.Helper()
	e.open1(l, t, again, ms...)
	e.must(l.Commit(ctx, e.cp, rowferry.Chunk{}))
}

// open1 begins a chunk and writes the rows.
func (e *env) open1(l rowferry.Load, t *schema.Table, again bool, ms ...rowferry.Mutation) {
	e.t.Helper()
	if again {
		e.key(t)
	}
	e.must(l.Begin(ctx, e.shaped(t), again))
	e.must(l.Write(ctx, e.stamp(ms)))
}

// chunkRefused wants one of the rows refused, by Write or Commit, and rolls
// back.
func (e *env) chunkRefused(l rowferry.Load, want rowferry.Code, t *schema.Table, again bool, ms ...rowferry.Mutation) {
	e.t.Helper()
	if again {
		e.key(t)
	}
	e.must(l.Begin(ctx, e.shaped(t), again))
	err := l.Write(ctx, e.stamp(ms))
	if err == nil {
		err = l.Commit(ctx, e.cp, rowferry.Chunk{})
	}
	if rowferry.CodeOf(err) != want {
		e.t.Fatalf("got %v, want %s", err, want)
	}
	if r, _ := err.(*rowferry.Error); r == nil || r.Mutation == nil || r.Mutation.Table.Name != t.Name {
		e.t.Errorf("%v does not say which row it is about", err)
	}
	e.must(l.Rollback())
}
