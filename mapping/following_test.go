package mapping_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// TestFollowing: whatever comes before the row that it follows, and however rows come to
// follow others, the target has the rows whose filters and parents say so, at each
// moment at which none waits, and a row that others follow never enters or leaves it.
func TestFollowing(t *testing.T) {
	most, stops, refused, rejects, all := 0, 0, 0, 0, worlds(150, 20_000)
	for seed := range all {
		w := newFollowing(t, seed)
		w.seed = seed
		for range 250 {
			table := []string{"accounts", "bills", "lines", "notices", "stamps"}[w.rnd.IntN(5)]
			do := []func(string) []rowferry.Change{w.add, w.add, w.add, w.alter, w.alter, w.alter, w.take}[w.rnd.IntN(7)]
			w.step(func() []rowferry.Change { return do(table) })
			if w.crossed {
				refused++
			}
		}
		most = max(most, w.waited)
		w.arrive()
		rejects = max(rejects, int(w.notes.kept.Rejected))
		if !w.mended() {
			stops++
			continue
		}
		if n := w.stuck(); int(w.notes.kept.Waiting) != n {
			t.Fatalf("seed %d: %d rows still wait, and %d for what is left out", seed, w.notes.kept.Waiting, n)
		}
		w.compare()
	}
	if stops*20 > int(all) {
		t.Errorf("%d of %d worlds were stopped", stops, all)
	}
	if most < 5 || refused < int(all) || rejects < 5 {
		t.Errorf("at most %d rows waited at the same time, and %d were put aside; %d changes were refused", most, rejects, refused)
	}
}

// ledger are rules under which pages follow books, and more.
func ledger(pages mapping.Entity, more map[string]mapping.Entity) mapping.Options {
	all := map[string]mapping.Entity{"shop.books": {Where: "open == 1"}, "shop.pages": pages}
	for name, e := range more {
		all[name] = e
	}
	return mapping.Options{Tables: []string{"shop.*", "!shop.away"}, Namespaces: true, Entities: all}
}

func toBooks(column string) []mapping.Reference {
	return []mapping.Reference{{Column: column, To: mapping.Column{Table: schema.Name{Schema: "shop", Table: "books"}, Name: "id"}}}
}

// TestFollowingRefused: what cannot be followed, or not be known to be, is refused by name.
func TestFollowingRefused(t *testing.T) {
	by := func(columns ...string) mapping.KeyRule { return mapping.KeyRule{WhereParent: columns} }
	with := func(k mapping.KeyRule, change func(*mapping.KeyRule)) mapping.Entity {
		change(&k)
		return mapping.Entity{Keys: k}
	}
	books, pages := "books id! uid open", "pages id! uid book>books"
	for _, c := range []struct {
		what   string
		pages  mapping.Entity
		more   map[string]mapping.Entity
		tables []string
		says   string
	}{
		{"null", with(by("book"), func(k *mapping.KeyRule) { k.Missing = mapping.Null }), nil, nil, "missing_parent: null"},
		{"reject", with(by("book"), func(k *mapping.KeyRule) { k.Missing = mapping.Reject }), nil, nil, "missing_parent: reject"},
		{"fetch", with(by("book"), func(k *mapping.KeyRule) { k.Missing = mapping.Fetch }), nil, nil, "missing_parent: fetch"},
		{"fetch elsewhere", mapping.Entity{Keys: by("book")}, map[string]mapping.Entity{"shop.x": {Keys: mapping.KeyRule{Missing: mapping.Fetch}}}, nil, "missing_parent: fetch"},
		{"match", with(by("book"), func(k *mapping.KeyRule) { k.Key, k.Match = mapping.Match, [][]string{{"uid"}} }), nil, nil, "match"},
		{"on_duplicate", with(by("book"), func(k *mapping.KeyRule) { k.Duplicates = mapping.SkipDuplicates }), nil, nil, "on_duplicate"},
		{"soft deletes", mapping.Entity{Keys: by("book"), Deletes: mapping.SoftDeletes}, nil, nil, "deletes: hard"},
		{"a reference to several tables", with(by("book"), func(k *mapping.KeyRule) {
			k.References = toBooks("book")
			k.References[0].Kind, k.References[0].Text = "uid", "x"
		}), nil, nil, "always leads to the same table"},
		{"no such column", mapping.Entity{Keys: by("nothing")}, nil, []string{books, pages}, "does not have"},
		{"no reference", mapping.Entity{Keys: by("uid")}, nil, []string{books, pages}, "do not refer"},
		{"a column that is dropped", mapping.Entity{Keys: by("book"), Drop: []string{"book"}}, nil, []string{books, pages}, "does not have"},
		{"itself", mapping.Entity{Keys: by("book")}, nil, []string{"pages id! uid book?>pages"}, "refers to itself"},
		{"a circle", mapping.Entity{Keys: by("book")}, map[string]mapping.Entity{"shop.books": {Keys: by("open")}}, []string{"books id! uid open?>pages", pages}, "in a circle"},
		{"out of scope", mapping.Entity{Keys: by("book")}, nil, []string{"pages id! uid book>away"}, "not in scope"},
		{"rows of others", mapping.Entity{Keys: by("book")}, map[string]mapping.Entity{"shop.books": {Keys: mapping.KeyRule{Key: mapping.Match, Match: [][]string{{"uid"}}}}}, []string{books, pages}, "'match' and 'on_duplicate'"},
		{"rows that stay", mapping.Entity{Keys: by("book")}, map[string]mapping.Entity{"shop.books": {Deletes: mapping.SkipDeletes}}, []string{books, pages}, "deletes"},
	} {
		t.Run(c.what, func(t *testing.T) {
			err := learned(t, ledger(c.pages, c.more), c.tables)
			if code := rowferry.CodeOf(err); code != rowferry.CodeRuleRefused && code != rowferry.CodeKeyRefused || !strings.Contains(err.Error(), c.says) {
				t.Errorf("%v, and not of %q", err, c.says)
			}
		})
	}
	if err := learned(t, ledger(mapping.Entity{Keys: by("book")}, nil), []string{books, pages}); err != nil {
		t.Error(err)
	}
	r := rules(t, ledger(mapping.Entity{Keys: by("book")}, nil))
	asked, err := r.Recopy([]string{"shop.books"})
	if err != nil {
		t.Fatal(err)
	}
	if err := asked.Check(schema.Name{Schema: "shop", Table: "books"}); rowferry.CodeOf(err) != rowferry.CodeRecopyRefused {
		t.Errorf("to copy again: %v", err)
	}
}

// learned has the rules be told of tables, and returns what is wrong.
func learned(t *testing.T, o mapping.Options, tables []string) error {
	t.Helper()
	r, err := mapping.New(o)
	if err != nil {
		return err
	}
	resolver, err := mapping.NewResolver(r, &finder{counter{}, nil}, mapping.Limits{})
	if err != nil {
		return err
	}
	h := mapping.NewHandler(r, nil)
	for _, words := range tables {
		ms, err := h.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: worded(t, words)})
		if err != nil {
			return err
		}
		if _, err := resolver.Resolve(nil, &ms[0], nil); err != nil {
			return err
		}
	}
	return nil
}

// TestFollowedTooLate: that a table is followed has to be known before its first row,
// of which else nothing would be noted.
func TestFollowedTooLate(t *testing.T) {
	for _, told := range []bool{false, true} {
		w := emptyWorld(t, 1)
		pages := mapping.KeyRule{WhereParent: []string{"book"}}
		if told {
			pages.References = toBooks("book")
		}
		w.begin([]string{"books id! uid open", "pages id! uid book>books"}, ledger(mapping.Entity{Keys: pages}, nil))
		w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(1, 1, 0)})
		_, err := w.resolve([]rowferry.Change{{Op: rowferry.Insert, Table: w.tables["pages"], After: numbers(2, 2, 1)}}, &rowferry.Origin{Tx: "2"}, w.notes.copied())
		want := map[bool]rowferry.Code{false: rowferry.CodeKeyRefused, true: ""}[told]
		if rowferry.CodeOf(err) != want {
			t.Errorf("told beforehand %t: %v", told, err)
		}
		again := emptyWorld(t, 1) // which knows of books by what was recorded
		again.begin([]string{"books id! uid open", "pages id! uid book>books"}, ledger(mapping.Entity{Keys: pages}, nil))
		for _, table := range []string{"books", "pages"} {
			ms, err := again.handler.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: again.tables[table]})
			if err != nil {
				t.Fatal(err)
			}
			if _, err = again.resolver.Resolve(nil, &ms[0], nil); table == "pages" && rowferry.CodeOf(err) != want {
				t.Errorf("told beforehand %t, by another engine: %v", told, err)
			}
			again.resolver.Begin(false)
		}
	}
}

func numbers(values ...int64) (r rowferry.Row) {
	for _, v := range values {
		r = append(r, rowferry.IntValue(v))
	}
	return r
}

// TestFollowedCircle: rows that wait for each other where one follows the other come, or
// are left out, like any.
func TestFollowedCircle(t *testing.T) {
	for open, want := range map[int64]int{0: 0, 1: 1} {
		w := emptyWorld(t, 1)
		w.begin([]string{"books id! uid open cover?>>pages", "pages id! uid book?>>books"}, ledger(
			mapping.Entity{Keys: mapping.KeyRule{WhereParent: []string{"book"}, References: toBooks("book")}},
			map[string]mapping.Entity{"shop.books": {Where: "open == 1", Keys: mapping.KeyRule{Missing: mapping.Wait, References: []mapping.Reference{
				{Column: "cover", To: mapping.Column{Table: schema.Name{Schema: "shop", Table: "pages"}, Name: "id"}},
			}}}}))
		w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(1, 1, open, 2)})
		w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["pages"], After: numbers(2, 2, 1)})
		if n := len(w.target["books"]); n != want || len(w.target["pages"]) != want || w.notes.kept.Waiting != 0 || int(w.notes.kept.Filtered) != 2-2*want {
			t.Errorf("open %d: %v, %+v", open, w.target, w.notes.kept)
		}
		if want == 1 && (w.target["books"][0][3] != rowferry.IntValue(2) || w.target["pages"][0][2] != rowferry.IntValue(1)) {
			t.Errorf("%v", w.target)
		}
	}
}

// TestFollowedImages: a row that enters with its parent is written only where the log
// tells all of it, and stops by name elsewhere.
func TestFollowedImages(t *testing.T) {
	w := emptyWorld(t, 1)
	w.begin([]string{"books id! uid open", "pages id! uid book>>books"}, ledger(mapping.Entity{Keys: mapping.KeyRule{WhereParent: []string{"book"}, References: toBooks("book")}}, nil))
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(1, 1, 0)}, rowferry.Change{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(2, 2, 1)})
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["pages"], After: numbers(3, 3, 1)})
	before, after := make(rowferry.Row, 3), make(rowferry.Row, 3)
	before[0], after[2] = rowferry.IntValue(3), rowferry.IntValue(2)
	_, err := w.resolve([]rowferry.Change{{Op: rowferry.Update, Table: w.tables["pages"], Before: before, After: after}}, &rowferry.Origin{Tx: "9"}, w.notes.copied())
	if rowferry.CodeOf(err) != rowferry.CodeImageLacks {
		t.Errorf("an image that lacks a column: %v", err)
	}
	_, err = w.resolve([]rowferry.Change{{Op: rowferry.Insert, Table: w.tables["pages"], After: numbers(3, 4, 1)}}, &rowferry.Origin{Tx: "9"}, w.notes.copied())
	if rowferry.CodeOf(err) != rowferry.CodeKeyMapped {
		t.Errorf("a second row of a key that is left out: %v", err)
	}
	if n := w.notes.leftOut[schema.Name{Schema: "shop", Table: "pages"}]; n != 1 {
		t.Errorf("%d changes of pages are counted as left out, want 1", n)
	}
	w.apply(rowferry.Change{Op: rowferry.Update, Table: w.tables["pages"], Before: numbers(3, 3, 1), After: after})
	if len(w.target["pages"]) != 1 || w.target["pages"][0][1] != rowferry.IntValue(3) {
		t.Errorf("%v", w.target["pages"])
	}
}

// TestFollowedFromBefore: of rows from before the pipeline nothing is noted. Those that
// their own filter leaves out are left out, whatever the log tells of them, and one that
// would enter stops as any that is followed.
func TestFollowedFromBefore(t *testing.T) {
	w := emptyWorld(t, 1)
	w.begin([]string{"books id! uid open", "pages id! uid book>books"}, ledger(mapping.Entity{Where: "uid > 0", Keys: mapping.KeyRule{WhereParent: []string{"book"}, References: toBooks("book")}}, nil))
	books, pages := w.tables["books"], w.tables["pages"]
	w.apply(rowferry.Change{Op: rowferry.Update, Table: books, Before: numbers(1, 1, 0), After: numbers(1, 2, 0)},
		rowferry.Change{Op: rowferry.Update, Table: books, Before: numbers(2, 1, 0), After: numbers(3, 1, 0)},
		rowferry.Change{Op: rowferry.Delete, Table: books, Before: numbers(4, 1, 0)},
		rowferry.Change{Op: rowferry.Delete, Table: pages, Before: numbers(5, 0, 1)},
		rowferry.Change{Op: rowferry.Insert, Table: pages, After: numbers(6, 1, 3)})
	if len(w.target["books"])+len(w.target["pages"]) > 0 || w.notes.kept.Filtered != 2 || w.notes.kept.Waiting != 0 {
		t.Errorf("%v, %+v", w.target, w.notes.kept)
	}
	_, err := w.resolve([]rowferry.Change{{Op: rowferry.Update, Table: books, Before: numbers(1, 2, 0), After: numbers(1, 2, 1)}}, &rowferry.Origin{Tx: "9"}, w.notes.copied())
	if rowferry.CodeOf(err) != rowferry.CodeLeadCrosses {
		t.Errorf("a row that enters: %v", err)
	}
}

// TestFollowedByTwoColumns: a reference of two columns is followed, whichever is named
// first, and not one that takes rows away from their parents by itself.
func TestFollowedByTwoColumns(t *testing.T) {
	for _, act := range []schema.Action{schema.NoAction, schema.SetNull} {
		w := emptyWorld(t, 1)
		pages := mapping.Entity{Keys: mapping.KeyRule{WhereParent: []string{"no", "book"}}}
		w.begin([]string{"books id! part! uid open", "pages id! uid book? no?"}, ledger(pages, nil))
		w.tables["pages"].ForeignKeys = []schema.ForeignKey{{Columns: []int{3, 2}, Parent: schema.Name{Schema: "shop", Table: "books"}, Referenced: []string{"part", "id"}, OnUpdate: act}}
		shape := func(table string) error {
			ms, err := w.handler.Handle(nil, &rowferry.Change{Op: rowferry.Shape, Table: w.tables[table]})
			if err == nil {
				_, err = w.resolver.Resolve(nil, &ms[0], nil)
			}
			return err
		}
		err := errors.Join(shape("pages"), shape("books"))
		if act == schema.SetNull {
			if rowferry.CodeOf(err) != rowferry.CodeKeyRefused {
				t.Errorf("a foreign key that sets NULL: %v", err)
			}
			continue
		}
		if err != nil {
			t.Fatal(err)
		}
		var out []rowferry.Mutation
		for i, c := range []rowferry.Change{
			{Op: rowferry.Insert, Table: w.tables["pages"], After: numbers(9, 9, 1, 2)},
			{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(1, 1, 1, 1)},
			{Op: rowferry.Insert, Table: w.tables["books"], After: numbers(1, 2, 2, 0)},
			{Op: rowferry.Update, Table: w.tables["pages"], Before: numbers(9, 9, 1, 2), After: numbers(9, 9, 1, 1)},
		} {
			ms, err := w.resolve([]rowferry.Change{c}, &rowferry.Origin{Tx: fmt.Sprint(i)}, w.notes)
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, ms...)
		}
		if len(out) != 2 || out[1].Op != rowferry.Insert || out[1].Table.Name.Table != "pages" || w.notes.kept != (rowferry.Kept{Mapped: 2, Filtered: 1}) {
			t.Errorf("%v, %+v", out, w.notes.kept)
		}
	}
}
