package postgres_test

import (
	"context"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/faultproxy"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/postgres"
)

func (x *target) prepareLoad(tables ...*schema.Table) error {
	x.t.Helper()
	return x.sink.PrepareLoad(x.t.Context(), shapes(tables))
}

func shapes(tables []*schema.Table) (ms []rowferry.Mutation) {
	for _, t := range tables {
		ms = append(ms, shaped(t))
	}
	return ms
}

// key makes the keys by which rows are found.
func (x *target) key(tables ...*schema.Table) {
	x.t.Helper()
	x.must(x.sink.Key(x.t.Context(), shapes(tables), func(string) {}))
}

// complete returns what was told of.
func (x *target) complete(tables ...*schema.Table) (made []string, err error) {
	x.t.Helper()
	err = x.sink.Complete(x.t.Context(), shapes(tables), rowferry.Completion{Each: func(what string) { made = append(made, what) }})
	return made, err
}

// load opens a Load, which is closed with the test.
func (x *target) load() rowferry.Load {
	x.t.Helper()
	l, err := x.sink.Load(x.t.Context())
	x.must(err)
	if l == nil {
		x.t.Fatal("there is no load")
	}
	x.t.Cleanup(func() {
		if err := l.Close(); err != nil {
			x.t.Errorf("close: %v", err)
		}
	})
	return l
}

// chunk loads rows as one chunk, or rolls them back and returns why.
func (x *target) chunk(l rowferry.Load, t *schema.Table, again bool, rows ...rowferry.Row) error {
	x.t.Helper()
	var ms []rowferry.Mutation
	for _, r := range rows {
		ms = append(ms, inserted(t, r...))
	}
	if again {
		x.key(t)
	}
	m := shaped(t)
	c, err := claim(x.t.Context(), l, x.cp, t)
	if err == nil {
		err = l.Begin(x.t.Context(), &m, again)
	}
	if err == nil {
		err = l.Write(x.t.Context(), ms)
	}
	if err == nil {
		err = l.Commit(x.t.Context(), x.cp, c)
	}
	if err != nil {
		x.must(l.Rollback())
	}
	return err
}

// merge commits changes as one batch, merged, into tables with their keys.
func (x *target) merge(ms ...rowferry.Mutation) error {
	x.t.Helper()
	for i := range ms {
		x.key(ms[i].Table)
	}
	tx, err := x.sink.Begin(x.t.Context())
	x.must(err)
	cp := x.next()
	if err = tx.(rowferry.MergeTx).Merge(x.t.Context(), ms); err == nil {
		err = tx.Commit(x.t.Context(), cp)
	}
	if err != nil {
		x.must(tx.Rollback())
		return err
	}
	x.cp = cp
	return nil
}

func row(values ...rowferry.Value) rowferry.Row { return values }

// related returns a parent and a child with a unique key each and a foreign key
// that acts.
func related() (parent, child *schema.Table) {
	parent = keyed("parent", col("id", integer, false), col("u", integer, true))
	parent.Uniques = []schema.Index{{Name: "u", Columns: []int{1}}}
	child = keyed("child", col("id", integer, false), col("p", integer, true), col("s", text, true))
	child.Uniques = []schema.Index{{Name: "beginning", Columns: []int{2}, Prefix: []int{2}}}
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: parent.Name, Referenced: []string{"u"}, OnDelete: schema.Cascade}}
	return parent, child
}

// TestLoadIntoLeftovers: empty tables of an earlier pipeline lose their keys for
// the copy, and have the same ones afterwards. Where rows are, keys stay.
func TestLoadIntoLeftovers(t *testing.T) {
	const keys = `SELECT string_agg(pg_get_indexdef(i.indexrelid), '; ' ORDER BY pg_get_indexdef(i.indexrelid)) || (SELECT string_agg(conname || pg_get_constraintdef(oid), '; ' ORDER BY conname)
		FROM pg_constraint WHERE connamespace = 'shop'::regnamespace) FROM pg_index i WHERE i.indrelid IN ('shop.parent'::regclass, 'shop.child'::regclass)`
	x := newTarget(t, nil)
	parent, child := related()
	x.must(x.apply(shaped(parent), shaped(child)))
	before := x.one(keys)
	x.must(x.prepareLoad(child, parent))
	l := x.load()
	x.must(x.chunk(l, child, false, row(i(1), i(7), txt("one")), row(i(2), i(8), txt("only"))))
	x.must(x.chunk(l, parent, false, row(i(1), i(7)), row(i(2), i(7))))
	_, err := x.complete(parent, child)
	wants(t, err, rowferry.CodeRowRefused, "shop.parent", "unique key u (u)", "(u)=(7)")
	_, err = x.complete(child, parent)
	wants(t, err, rowferry.CodeRowRefused, "shop.child", "unique key beginning (s)")
	x.must(x.merge(updated(parent, row(i(2), gone), row(gone, i(8))), updated(child, row(i(2), gone, gone), row(gone, gone, txt("two")))))
	made, err := x.complete(child, parent)
	x.must(err)
	if len(made) != 3 { // foreign keys last
		t.Errorf("told of %q", made)
	}
	if last := made[len(made)-1]; !strings.Contains(last, "foreign key (p) to shop.parent (u)") {
		t.Errorf("%q came last", last)
	}
	x.is(before, keys)
	x.must(x.prepareLoad(child, parent))
	x.is(before, keys)
	x.must(x.apply(shaped(parent), shaped(child), deleted(parent, i(2), i(8))))
	x.is("1", "SELECT count(*) FROM shop.child")
}

// TestLoadRefusesTables: what somebody else made has no key that rows in any
// order break, nor one by which they change rows that are not copied.
func TestLoadRefusesTables(t *testing.T) {
	want := keyed("t", col("id", integer, false), col("n", integer, true))
	for name, c := range map[string]struct {
		make    []string
		refused string
	}{
		"the key alone":            {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)"}, ""},
		"the key and more":         {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int, UNIQUE (n, id))"}, ""},
		"numbers of its own":       {[]string{"CREATE TABLE shop.t (id int NOT NULL UNIQUE, n int, mine int GENERATED ALWAYS AS IDENTITY PRIMARY KEY)"}, ""},
		"an index":                 {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)", "CREATE INDEX i ON shop.t (n)"}, ""},
		"a unique key":             {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int UNIQUE)"}, "t_n_key"},
		"a deferrable one":         {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int, CONSTRAINT late UNIQUE (n) DEFERRABLE)"}, "late"},
		"a unique expression":      {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)", "CREATE UNIQUE INDEX e ON shop.t ((n % 10))"}, "e)"},
		"some rows unique":         {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)", "CREATE UNIQUE INDEX w ON shop.t (n) WHERE n > 5"}, "w)"},
		"more than the key inside": {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)", "CREATE UNIQUE INDEX more ON shop.t (n) INCLUDE (id)"}, "more)"},
		"an exclusion":             {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int, CONSTRAINT apart EXCLUDE (n WITH =))"}, "exclusion constraint apart"},
		"a foreign key": {[]string{"CREATE TABLE shop.p (id int PRIMARY KEY)",
			"CREATE TABLE shop.t (id int PRIMARY KEY, n int, CONSTRAINT up FOREIGN KEY (n) REFERENCES shop.p)"}, "up"},
		"a child that acts": {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)",
			"CREATE TABLE shop.c (id int REFERENCES shop.t ON DELETE CASCADE)"}, "shop.c"},
		"a child": {[]string{"CREATE TABLE shop.t (id int PRIMARY KEY, n int)", "CREATE TABLE shop.c (id int REFERENCES shop.t)"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			x := newTarget(t, nil)
			x.exec(append([]string{"CREATE SCHEMA shop"}, c.make...)...)
			err := x.prepareLoad(want)
			if c.refused != "" {
				wants(t, err, rowferry.CodeCopyRefused, "shop.t", c.refused)
				return
			}
			x.must(err)
			l := x.load()
			x.must(x.chunk(l, want, false, row(i(1), i(5)), row(i(2), i(5))))
			x.must(x.chunk(l, want, true, row(i(2), i(6)), row(i(3), i(6))))
			x.must(x.merge(inserted(want, i(1), i(6)), deleted(want, i(3), gone)))
			made, err := x.complete(want)
			x.must(err)
			if made != nil {
				t.Errorf("a table of somebody else was given %q", made)
			}
			x.is("1=6 2=6", "SELECT string_agg(id || '=' || n, ' ' ORDER BY id) FROM shop.t")
		})
	}
}

// TestPrepareBesideLoad: what Prepare makes beside a copy neither gives its tables
// keys, nor takes any from them, until they are complete.
func TestPrepareBesideLoad(t *testing.T) {
	x := newTarget(t, nil)
	parent, child := related()
	above := keyed("above", col("id", integer, false))
	parent.ForeignKeys = []schema.ForeignKey{{Columns: []int{1}, Parent: above.Name, Referenced: []string{"id"}, OnDelete: schema.Cascade}}
	x.must(x.prepareLoad(parent))
	x.must(x.sink.Prepare(t.Context(), shapes([]*schema.Table{parent, child, above})))
	x.must(x.apply(inserted(child, i(1), i(7), null)))
	l := x.load()
	x.must(x.chunk(l, parent, false, row(i(1), i(7))))
	x.must(x.merge(inserted(parent, i(2), i(8))))
	x.must(x.prepareLoad(parent))
	x.must(x.merge(deleted(parent, i(2), gone)))
	x.is("0", "SELECT count(*) FROM pg_constraint WHERE contype = 'f'")
	_, err := x.complete(parent)
	wants(t, err, rowferry.CodeRowRefused, "shop.parent", "foreign key (u) to shop.above (id)", "(u)=(7)")
	x.must(x.apply(inserted(above, i(7))))
	made, err := x.complete(parent)
	x.must(err)
	if len(made) != 1 {
		t.Errorf("told of %q", made)
	}
	wants(t, x.apply(inserted(child, i(2), i(9), null)), rowferry.CodeRowRefused)
	x.must(x.apply(deleted(above, i(7))))
	x.is("0", "SELECT count(*) FROM shop.child")
}

// TestLoadHoldsTheCheckpoint: while a chunk's commit is on its way nobody takes
// the pipeline over, and other chunks do not wait for it.
func TestLoadHoldsTheCheckpoint(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false))
	x.must(x.prepareLoad(want))
	proxy := faultproxy.Start(t, x.server, 1)
	behind := x.open(func(o *postgres.Options) {
		o.Endpoint.Host, o.Endpoint.Port, o.Endpoint.Socket = "127.0.0.1", proxy.Port, ""
	})
	x.must(behind.PrepareLoad(t.Context(), shapes([]*schema.Table{want})))
	l, err := behind.Load(t.Context())
	x.must(err)
	defer l.Close()
	m := shaped(want)
	c, err := claim(t.Context(), l, x.cp, want)
	x.must(err)
	x.must(l.Begin(t.Context(), &m, false))
	x.must(l.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1))}))
	hold := proxy.HoldCommit(1)
	committed := make(chan error, 1)
	go func() { committed <- l.Commit(t.Context(), x.cp, c) }()
	<-hold.Reached()
	x.must(x.chunk(x.load(), want, false, row(i(2))))
	rival := x.open(func(o *postgres.Options) { o.Endpoint.Timeout = time.Second })
	taken := x.cp
	taken.Fence++
	wants(t, rival.WriteCheckpoint(t.Context(), &x.cp, taken), rowferry.CodeTargetConflict)
	hold.Release()
	x.must(<-committed)
	x.must(rival.WriteCheckpoint(t.Context(), &x.cp, taken))
	x.is("2", "SELECT count(*) FROM shop.t")
	wants(t, x.chunk(x.load(), want, false, row(i(3))), rowferry.CodeFenced)
}

// TestLoadNumbers: columns that are GENERATED ALWAYS take the source's numbers,
// when rows are there, too.
func TestLoadNumbers(t *testing.T) {
	for name, make := range map[string]string{
		"the key":       "CREATE TABLE shop.t (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, n int, s text)",
		"another":       "CREATE TABLE shop.t (id int PRIMARY KEY, n int GENERATED ALWAYS AS IDENTITY, s text)",
		"a partitioned": "CREATE TABLE shop.t (id int PRIMARY KEY, n int, s text) PARTITION BY RANGE (id); CREATE TABLE shop.t1 PARTITION OF shop.t DEFAULT",
	} {
		t.Run(name, func(t *testing.T) {
			x := newTarget(t, nil)
			x.exec("CREATE SCHEMA shop", make)
			want := keyed("t", col("id", integer, false), col("n", integer, false), col("s", text, true))
			x.must(x.prepareLoad(want))
			l := x.load()
			x.must(x.chunk(l, want, false, row(i(1), i(10), txt("a")), row(i(2), i(20), txt("b"))))
			x.must(x.chunk(l, want, true, row(i(2), i(21), txt("B")), row(i(3), i(30), null)))
			x.must(x.merge(inserted(want, i(1), i(11), txt("A")), inserted(want, i(9), i(90), null),
				updated(want, row(i(3), gone, gone), row(gone, gone, txt("c"))), updated(want, row(i(4), gone, gone), row(gone, gone, txt("d")))))
			x.is("1 11 A, 2 21 B, 3 30 c, 9 90 -", "SELECT string_agg(format('%s %s %s', id, n, coalesce(s, '-')), ', ' ORDER BY id) FROM shop.t")
		})
	}
}

// TestMergeEqualKeys: keys may be equal and not the same, and then the newest one
// stays.
func TestMergeEqualKeys(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", schema.Type{Kind: schema.Decimal, Native: "numeric"}, false), col("n", integer, true))
	x.must(x.prepareLoad(want))
	x.must(x.chunk(x.load(), want, false, row(txt("1.0"), i(1)), row(txt("2.0"), i(1))))
	x.must(x.merge(inserted(want, txt("1.00"), i(2)), updated(want, row(txt("2.000"), gone), row(gone, i(2)))))
	x.is("1.00 2, 2.0 2", "SELECT string_agg(id || ' ' || n, ', ' ORDER BY id) FROM shop.t")
	x.must(x.merge(deleted(want, txt("1"), gone)))
	x.is("1", "SELECT count(*) FROM shop.t")
}

// TestLoadApproximateKey: a primary key that finds no row is made in the end.
func TestLoadApproximateKey(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("f", schema.Type{Kind: schema.Float64}, false), col("id", integer, false))
	want.Uniques = []schema.Index{{Name: "n", Columns: []int{1}}}
	x.must(x.prepareLoad(want))
	half := rowferry.FloatValue(0.5)
	x.must(x.chunk(x.load(), want, false, row(half, i(1)), row(half, i(2))))
	_, err := x.complete(want)
	wants(t, err, rowferry.CodeRowRefused, "primary key (f)")
	x.must(x.merge(deleted(want, gone, i(2))))
	made, err := x.complete(want)
	x.must(err)
	if len(made) != 1 {
		t.Errorf("told of %q", made)
	}
	wants(t, x.apply(shaped(want), inserted(want, half, i(3))), rowferry.CodeForeignRow)
}

// TestLoadFiresTriggers: as elsewhere they fire, or are switched off, in which
// case chunks come one by one.
func TestLoadFiresTriggers(t *testing.T) {
	for triggers, fired := range map[string]string{"fire": "3", "suppress": "0"} {
		x := newTarget(t, func(o *postgres.Options) { o.Triggers = triggers })
		x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id int PRIMARY KEY)", "CREATE TABLE shop.seen (n int)",
			"CREATE FUNCTION shop.see() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN INSERT INTO shop.seen VALUES (1); RETURN NEW; END'",
			"CREATE TRIGGER see BEFORE INSERT ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.see()")
		want := keyed("t", col("id", integer, false))
		x.must(x.prepareLoad(want))
		first := x.load()
		x.must(x.chunk(first, want, false, row(i(1)), row(i(2))))
		x.must(x.chunk(first, want, true, row(i(3))))
		x.is("3", "SELECT count(*) FROM shop.t")
		x.is(fired, "SELECT count(*) FROM shop.seen")
		x.is("O", "SELECT tgenabled FROM pg_trigger WHERE tgname = 'see'")
		second, err := x.sink.Load(t.Context())
		x.must(err)
		if alone := second == nil; alone != (triggers == "suppress") {
			t.Errorf("%s: a second load is open: %v", triggers, !alone)
		}
		if second != nil {
			x.must(second.Close())
		}
		x.must(first.Close())
		x.must(x.chunk(x.load(), want, false, row(i(4))))
	}
}

// TestLoadRefusals: what the server refuses, or drops without a word.
func TestLoadRefusals(t *testing.T) {
	x := newTarget(t, func(o *postgres.Options) { o.Triggers = "fire" })
	x.exec("CREATE SCHEMA shop", "CREATE TABLE shop.t (id int PRIMARY KEY, s text CONSTRAINT tidy CHECK (s <> 'no'))",
		"CREATE FUNCTION shop.drop() RETURNS trigger LANGUAGE plpgsql AS $$BEGIN IF NEW.s = 'drop' THEN RETURN NULL; END IF; RETURN NEW; END$$",
		"CREATE TRIGGER d BEFORE INSERT ON shop.t FOR EACH ROW EXECUTE FUNCTION shop.drop()")
	want := keyed("t", col("id", integer, false), col("s", text, true))
	x.must(x.prepareLoad(want))
	l := x.load()
	for _, again := range []bool{false, true} {
		for value, parts := range map[string][]string{"no": {"tidy", "(2, no)"}, "drop": {"kept"}} {
			err := x.chunk(l, want, again, row(i(1), txt("a")), row(i(2), txt(value)), row(i(3), txt("b")))
			wants(t, err, rowferry.CodeRowRefused, append(parts, "shop.t")...)
			refusal(t, err)
		}
	}
	x.must(x.chunk(l, want, false, row(i(1), txt("a"))))
	err := x.chunk(l, want, false, row(i(0), txt("a")), row(i(1), txt("a")))
	wants(t, err, rowferry.CodeForeignRow, "(id)=(1)", "line 2")
	x.is("1", "SELECT count(*) FROM shop.t")
}

// TestLoadLargeRows: rows that are too large for a COPY go between the others.
func TestLoadLargeRows(t *testing.T) {
	x := newTarget(t, nil)
	want := keyed("t", col("id", integer, false), col("b", schema.Type{Kind: schema.Blob}, true))
	x.must(x.prepareLoad(want))
	l := x.load()
	m := shaped(want)
	c, err := claim(t.Context(), l, x.cp, want)
	x.must(err)
	x.must(l.Begin(t.Context(), &m, false))
	x.must(l.Write(t.Context(), []rowferry.Mutation{inserted(want, i(1), rowferry.BytesValue("\x00\xff"))}))
	restore := postgres.EnlargeRows()
	err = l.Write(t.Context(), []rowferry.Mutation{inserted(want, i(2), rowferry.BytesValue("\x00\xff"))})
	restore()
	x.must(err)
	x.must(l.Write(t.Context(), []rowferry.Mutation{inserted(want, i(3), null)}))
	x.must(l.Commit(t.Context(), x.cp, c))
	x.is(`1 \x00ff, 2 \x00ff, 3 `, "SELECT string_agg(id || ' ' || coalesce(b::text, ''), ', ' ORDER BY id) FROM shop.t")
}

var claims atomic.Int64

// claim claims a chunk of the table that nobody else has.
func claim(ctx context.Context, l rowferry.Load, cp rowferry.Checkpoint, t *schema.Table) (rowferry.Chunk, error) {
	c := rowferry.Chunk{Table: t.Name, Number: int(claims.Add(1))}
	return c, l.Claim(ctx, cp, c)
}
