package sinktest

import (
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// indexClauses are about indexes that refuse no row.
var indexClauses = []clause{
	{"indexes: they come after the rows", func(e *env) {
		t := indexed("t")
		e.prepareLoad(t)
		e.indexes(t)
		e.chunk(e.load(), t, false, insert(t, 1, "a", 5), insert(t, 2, "a", nil))
		e.merge(insert(t, 3, nil, 5))
		e.indexes(t)
		e.made(2, t)
		e.indexes(t, "n desc,s", "s")
		e.apply(insert(t, 4, "a", 5))
		e.rows(t, row(vals(1, "a", 5)), row(vals(2, "a", nil)), row(vals(3, nil, 5)), row(vals(4, "a", 5)))
	}},
	{"indexes: a table that is made while following has them", func(e *env) {
		t, u := indexed("t"), indexed("u") // whose indexes have the same names
		e.apply(shape(t), shape(u), insert(t, 1, "a", 5))
		e.indexes(t, "n desc,s", "s")
		e.indexes(u, "n desc,s", "s")
		e.apply(shape(t), insert(t, 2, "a", 5))
		e.indexes(t, "n desc,s", "s")
	}},
	{"indexes: a table that was there keeps its own", func(e *env) {
		e.exec("CREATE TABLE t (id BIGINT NOT NULL PRIMARY KEY, s VARCHAR(200), n BIGINT)")
		t := indexed("t")
		e.prepareLoad(t)
		e.made(0, t)
		e.apply(shape(t), insert(t, 1, "a", 5))
		e.indexes(t)
	}},
	{"indexes: one that begins with a foreign key is enough for it", func(e *env) {
		parent, child := family(schema.NoAction, schema.NoAction)
		child.Columns = append(child.Columns, nullable("n", integer))
		child.Indexes = []schema.Index{{Name: "by_p", Columns: []int{1, 2}}}
		e.prepareLoad(parent, child)
		e.made(2, parent, child)
		e.indexes(child, "p,n")
	}},
	{"indexes: a hostile name, and one that is taken", func(e *env) {
		t := indexed("t")
		t.Indexes = append(t.Indexes, schema.Index{Name: "t", Columns: []int{2}}, schema.Index{Name: "x\"`'; y", Columns: []int{2, 0}})
		t.Uniques = []schema.Index{{Name: "by_s", Columns: []int{1, 2}}}
		e.prepareLoad(t)
		e.complete(t)
		e.made(0, t)
		e.indexes(t, "n", "n desc,s", "n,id", "s")
	}},
	{"indexes: no value is too long for one", func(e *env) {
		long := schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
		t := table("t", 1, column("id", integer), nullable("s", long), nullable("b", blob), nullable("v", schema.Type{Kind: schema.VarChar, Length: 768, Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}))
		t.Indexes = []schema.Index{{Name: "by_s", Columns: []int{1}, Prefix: []int{20}}, {Name: "by_b", Columns: []int{2, 0}, Prefix: []int{9, 0}}, {Name: "by_v", Columns: []int{3}}}
		e.prepareLoad(t)
		e.complete(t)
		words := random(768)
		e.apply(insert(t, 1, words+words+words+words+words, []byte(words+words+words+words+words), words))
		e.rows(t, row(vals(1, words+words+words+words+words, []byte(words+words+words+words+words), words)))
	}},
}

// indexed returns a table with two indexes.
func indexed(name string) *schema.Table {
	t := table(name, 1, column("id", integer), nullable("s", text), nullable("n", integer))
	t.Indexes = []schema.Index{{Name: "by_s", Columns: []int{1}}, {Name: "by_both", Columns: []int{2, 1}, Descending: []bool{true, false}}}
	return t
}

// random returns text of n characters of four bytes that no compression shortens.
func random(n int) string {
	runes, x := make([]rune, n), uint32(1)
	for i := range runes {
		x = x*1664525 + 1013904223
		runes[i] = 0x20000 + rune(x>>17)
	}
	return string(runes)
}

// indexes wants the table to have exactly these, as Options.Indexes has them.
func (e *env) indexes(t *schema.Table, want ...string) {
	e.t.Helper()
	if e.o.Indexes == nil {
		e.t.Fatal("a Loader needs Options.Indexes")
	}
	got := e.o.Indexes(e.t, e.sink, t)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		e.t.Errorf("%s has the indexes %q, want %q", t.Name, got, want)
	}
}
