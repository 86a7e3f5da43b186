package sqlite

import (
	"context"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func shapes(tables ...*schema.Table) (ms []rowferry.Mutation) {
	for _, t := range tables {
		ms = append(ms, shaped(t))
	}
	return ms
}

func prepareLoad(t *testing.T, sink *Sink, tables ...*schema.Table) {
	t.Helper()
	must(t, sink.PrepareLoad(t.Context(), shapes(tables...)))
}

// completes returns what was told of.
func completes(t *testing.T, sink *Sink, tables ...*schema.Table) (made []string, err error) {
	t.Helper()
	err = sink.Complete(t.Context(), shapes(tables...), rowferry.Completion{Each: func(what string) { made = append(made, what) }})
	return made, err
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// chunk loads rows into tables by a load of its own, for the checkpoint with
// sequence n.
func chunk(t *testing.T, sink *Sink, n uint64, ms ...rowferry.Mutation) {
	t.Helper()
	l, err := sink.Load(t.Context())
	must(t, err)
	for k := range ms {
		m, cp := shaped(ms[k].Table), rowferry.Checkpoint{Pipeline: "p", Fence: 1, Sequence: n}
		c, err := claim(t.Context(), l, cp, ms[k].Table)
		must(t, err)
		must(t, l.Begin(t.Context(), &m, false))
		must(t, l.Write(t.Context(), ms[k:k+1]))
		must(t, l.Commit(t.Context(), cp, c))
	}
	must(t, l.Close())
}

// related returns a parent and a child with a unique key each and a foreign key
// that acts.
func related() (parent, child *schema.Table) {
	parent = keyed("parent", col("id", integer, false), col("u", integer, true))
	parent.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
	child = keyed("child", col("id", integer, false), col("p", integer, true))
	child.Uniques = []schema.Index{{Name: "by_p", Columns: []int{1}}}
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{"u"}, OnDelete: schema.Cascade}}
	return parent, child
}

// TestLoadIntoLeftovers: empty tables of an earlier pipeline lose their keys for
// the copy, and have the same ones afterwards, which then act.
func TestLoadIntoLeftovers(t *testing.T) {
	const all = "SELECT group_concat(sql, '; ') FROM (SELECT sql FROM sqlite_schema WHERE tbl_name IN ('parent', 'child') AND sql <> '' ORDER BY name)"
	sink, _ := openTraced(t, DefaultOptions())
	parent, child := related()
	must(t, apply(sink, 1, shapes(parent, child)...))
	before := one(t, sink, all)
	prepareLoad(t, sink, child, parent)
	chunk(t, sink, 1, inserted(child, i(1), i(7)), inserted(child, i(2), i(7)), inserted(parent, i(1), i(7)), inserted(parent, i(2), i(7)))
	_, err := completes(t, sink, parent, child)
	wants(t, err, rowferry.CodeRowRefused, "unique key u (u)", "parent")
	sql(t, sink, "DELETE FROM parent WHERE id = 2", "DELETE FROM child WHERE id = 2")
	made, err := completes(t, sink, child, parent)
	must(t, err)
	if len(made) != 3 || !strings.Contains(made[2], "foreign key (p) to parent (u)") {
		t.Errorf("told of %q", made)
	}
	if after := one(t, sink, all); after != before {
		t.Errorf("made:\n%s\nand completed:\n%s", before, after)
	}
	prepareLoad(t, sink, child, parent)
	if again := one(t, sink, all); again != before {
		t.Errorf("a table with rows lost keys: %s", again)
	}
	_, err = completes(t, sink, child, parent)
	must(t, err)
	must(t, apply(sink, 2, rowferry.Mutation{Op: rowferry.Delete, Table: parent, Before: rowferry.Row{i(1), i(7)}}))
	if got := one(t, sink, "SELECT count(*) FROM child"); got != "0" {
		t.Errorf("%s children are left of a parent that is gone", got)
	}
}

// TestCompleteLooksAtRows: at those of tables too that were not copied, and by a
// sink that knows nothing of what happened before.
func TestCompleteLooksAtRows(t *testing.T) {
	parent, child := related()
	other := keyed("other", col("id", integer, false), col("up", integer, true))
	other.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{"id"}}}
	for name, c := range map[string]struct {
		copied []*schema.Table
		write  func(t *testing.T, sink *Sink)
		fresh  bool // another sink knows it too
	}{
		"of the copy": {[]*schema.Table{parent, child}, func(t *testing.T, sink *Sink) {
			chunk(t, sink, 1, inserted(child, i(1), i(5)))
		}, true},
		"written meanwhile": {[]*schema.Table{child}, func(t *testing.T, sink *Sink) {
			must(t, apply(sink, 2, inserted(other, i(1), i(5))))
		}, false},
		"left behind": {[]*schema.Table{parent, child}, func(t *testing.T, sink *Sink) {
			must(t, apply(sink, 2, inserted(parent, i(5), null), inserted(other, i(1), i(5))))
			tx, err := sink.Begin(t.Context())
			must(t, err)
			must(t, tx.(rowferry.MergeTx).Merge(t.Context(), []rowferry.Mutation{{Op: rowferry.Delete, Table: parent, Before: rowferry.Row{i(5), gone}}}))
			must(t, tx.Commit(t.Context(), rowferry.Checkpoint{Pipeline: "p", Fence: 1, Sequence: 3, Format: rowferry.CheckpointFormat}))
		}, true},
	} {
		for _, fresh := range []bool{false, c.fresh} {
			sink, _ := openTraced(t, DefaultOptions())
			must(t, apply(sink, 1, shapes(parent, child, other)...))
			prepareLoad(t, sink, c.copied...)
			c.write(t, sink)
			if fresh {
				next, err := Open(t.Context(), sink.path, DefaultOptions())
				must(t, err)
				defer next.Close()
				sink = next
			}
			_, err := completes(t, sink, c.copied...)
			wants(t, err, rowferry.CodeRowRefused, "without their parent", "orphan")
			sql(t, sink, "DELETE FROM child", "DELETE FROM other")
			_, err = completes(t, sink, c.copied...)
			must(t, err)
			if got := one(t, sink, "PRAGMA foreign_keys"); got != "1" {
				t.Errorf("%s: foreign keys are not looked at after the copy", name)
			}
		}
	}
}

// TestLoadKeepsForeignKeys: a table that refers to one without its unique keys is
// as it was when they are made again.
func TestLoadKeepsForeignKeys(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	parent, child := related()
	must(t, apply(sink, 1, shapes(parent, child)...))
	child.ForeignKeys[0].OnDelete = schema.NoAction
	sql(t, sink, "DROP TABLE child")
	must(t, apply(sink, 2, shaped(child)))
	prepareLoad(t, sink, parent)
	must(t, apply(sink, 3, shaped(child), inserted(child, i(1), i(7))))
	chunk(t, sink, 3, inserted(parent, i(1), i(7)))
	_, err := completes(t, sink, parent)
	must(t, err)
	wants(t, apply(sink, 4, inserted(child, i(2), i(8))), rowferry.CodeRowRefused)
}

// TestLoadRefusesTables: what somebody else made has no key that rows in any
// order break, nor one by which they change rows that are not copied.
func TestLoadRefusesTables(t *testing.T) {
	want := keyed("t", col("id", integer, false), col("n", integer, true))
	for make, refused := range map[string]string{
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER)":                                                                    "",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER, UNIQUE (n, id))":                                                    "",
		"CREATE TABLE t (id INTEGER NOT NULL UNIQUE, n INTEGER, mine INTEGER PRIMARY KEY)":                                      "",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE INDEX i ON t (n)":                                           "",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER UNIQUE)":                                                             "sqlite_autoindex_t_1",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE UNIQUE INDEX e ON t (n % 10)":                               "index e",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE UNIQUE INDEX w ON t (n) WHERE n > 5":                        "index w",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER REFERENCES t (id))":                                                  "(n) to t (id)",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE TABLE c (id INTEGER REFERENCES t (id) ON DELETE CASCADE)":   "foreign key of c",
		"CREATE TABLE t (id INTEGER PRIMARY KEY, n INTEGER); CREATE TABLE c (id INTEGER REFERENCES t (id) ON DELETE NO ACTION)": "",
	} {
		sink, _ := openTraced(t, DefaultOptions())
		sql(t, sink, strings.Split(make, "; ")...)
		err := sink.PrepareLoad(t.Context(), shapes(want))
		if refused != "" {
			wants(t, err, rowferry.CodeCopyRefused, refused)
			if got := one(t, sink, "PRAGMA foreign_keys"); got != "1" {
				t.Errorf("%s: foreign keys are not looked at, though nothing is copied", make)
			}
			continue
		}
		if err != nil {
			t.Errorf("%s: %v", make, err)
			continue
		}
		chunk(t, sink, 0, inserted(want, i(1), i(5)), inserted(want, i(2), i(5)))
		made, err := completes(t, sink, want)
		if err != nil || made != nil {
			t.Errorf("%s: %q was made, %v", make, made, err)
		}
	}
}

// TestLoadsComeOneByOne: one alone can write.
func TestLoadsComeOneByOne(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	first, err := sink.Load(t.Context())
	must(t, err)
	if second, err := sink.Load(t.Context()); second != nil || err != nil {
		t.Errorf("a second load is open (%v)", err)
	}
	must(t, first.Close())
	must(t, first.Close())
	next, err := sink.Load(t.Context())
	must(t, err)
	if next == nil {
		t.Fatal("there is no load after the first was closed")
	}
	must(t, next.Close())
}

// TestLoadApproximateKey: a primary key that finds no row is made in the end.
func TestLoadApproximateKey(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	want := keyed("t", col("f", schema.Type{Kind: schema.Float64}, false), col("id", integer, false))
	want.Uniques = []schema.Index{{Name: "n", Columns: []int{1}}}
	half := rowferry.FloatValue(0.5)
	prepareLoad(t, sink, want)
	chunk(t, sink, 0, inserted(want, half, i(1)), inserted(want, half, i(2)))
	_, err := completes(t, sink, want)
	wants(t, err, rowferry.CodeRowRefused, "primary key (f)")
	sql(t, sink, "DELETE FROM t WHERE id = 2")
	prepareLoad(t, sink, want)
	made, err := completes(t, sink, want)
	must(t, err)
	if len(made) != 1 {
		t.Errorf("told of %q", made)
	}
	wants(t, apply(sink, 1, shaped(want), inserted(want, half, i(3))), rowferry.CodeForeignRow)
}

// TestMergeByCollation: to the target's own collation a row of another name is the
// same one, and becomes what is merged.
func TestMergeByCollation(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	sql(t, sink, "CREATE TABLE t (k TEXT NOT NULL PRIMARY KEY COLLATE NOCASE, n INTEGER)")
	want := keyed("t", col("k", text, false), col("n", integer, true))
	prepareLoad(t, sink, want)
	chunk(t, sink, 0, inserted(want, s("A"), i(1)))
	tx, err := sink.Begin(t.Context())
	must(t, err)
	must(t, tx.(rowferry.MergeTx).Merge(t.Context(), []rowferry.Mutation{inserted(want, s("a"), i(2))}))
	must(t, tx.Commit(t.Context(), rowferry.Checkpoint{Pipeline: "p", Fence: 1, Sequence: 1, Format: rowferry.CheckpointFormat}))
	if got := one(t, sink, "SELECT k || n FROM t"); got != "a2" {
		t.Errorf("the row is %s", got)
	}
}

// TestLoadWithoutParent: a foreign key whose parent neither is there nor comes is
// left out, and told of.
func TestLoadWithoutParent(t *testing.T) {
	o := DefaultOptions()
	var notices []string
	o.Notice = func(n string) { notices = append(notices, n) }
	sink, err := Open(t.Context(), filepath.Join(t.TempDir(), "t.db"), o)
	must(t, err)
	defer sink.Close()
	must(t, sink.WriteCheckpoint(t.Context(), nil, rowferry.Checkpoint{Pipeline: "p", Fence: 1, Format: rowferry.CheckpointFormat}))
	child := childOf("parent", "id", schema.NoAction)
	prepareLoad(t, sink, child)
	chunk(t, sink, 0, inserted(child, i(1), i(5)))
	made, err := completes(t, sink, child)
	must(t, err)
	if len(made) != 0 || len(notices) != 1 || !strings.Contains(notices[0], "without the foreign key (p) to parent (id)") {
		t.Errorf("told of %q and %q", made, notices)
	}
	wants(t, sink.PrepareLoad(t.Context(), shapes(childOf("nobody", "id", schema.Cascade))), rowferry.CodeCascades)
}

var claims atomic.Int64

// claim claims a chunk of the table that nobody else has.
func claim(ctx context.Context, l rowferry.Load, cp rowferry.Checkpoint, t *schema.Table) (rowferry.Chunk, error) {
	c := rowferry.Chunk{Table: t.Name, Number: int(claims.Add(1))}
	return c, l.Claim(ctx, cp, c)
}
