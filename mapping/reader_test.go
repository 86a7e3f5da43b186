package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// Scan implements mapping.Records.
func (b *book) Scan(prefix []byte, fn func(key, value []byte) error) error {
	for _, k := range slices.Sorted(maps.Keys(b.notes)) {
		if !strings.HasPrefix(k, string(prefix)) {
			continue
		}
		if err := fn([]byte(k), b.notes[k]); err != nil {
			return err
		}
	}
	return nil
}

// reader reads what the world noted, beside its resolver.
func (w *world) reader() *mapping.Reader {
	w.t.Helper()
	r, err := mapping.ReaderBeside(w.resolver, w.notes)
	if err != nil {
		w.t.Fatal(err)
	}
	return r
}

func keyText(s *schema.Table, row rowferry.Row) string {
	var key []rowferry.Value
	for _, o := range s.PrimaryKey {
		key = append(key, row[o])
	}
	return mapping.JoinKey(mapping.KeyTexts(key))
}

func text(key []rowferry.Value) string { return mapping.JoinKey(mapping.KeyTexts(key)) }

// requireFound asks for every row, by its key in the source and in the target.
func (w *world) requireFound(r *mapping.Reader) {
	w.t.Helper()
	for name, s := range w.tables {
		if len(w.source[name]) == 0 && len(w.target[name]) == 0 {
			continue
		}
		there := map[rowferry.Value]rowferry.Row{}
		for _, row := range w.target[name] {
			there[row[1]] = row
		}
		here := map[rowferry.Value]rowferry.Row{}
		for _, row := range w.source[name] {
			here[row[1]] = row
			w.requireRow(r, name, s, row, there[row[1]])
		}
		for uid, row := range there {
			f, err := r.LookupTarget(w.t.Context(), "shop."+name, keyText(s, row))
			if err != nil {
				w.t.Fatal(err)
			}
			if text(f.Target) != keyText(s, row) || f.Status == mapping.Unknown || here[uid] == nil && f.Waits == nil {
				w.t.Fatalf("transaction %d: the target's %s %s is %+v", w.tx, name, keyText(s, row), f)
			}
			if here[uid] != nil && f.Waits == nil && text(f.Key) != keyText(s, here[uid]) {
				w.t.Fatalf("transaction %d: the target's %s %s is %s in the source, and not %s", w.tx, name, keyText(s, row), keyText(s, here[uid]), text(f.Key))
			}
		}
	}
}

// requireRow asks for a row of the source, whose row in the target may be missing.
func (w *world) requireRow(r *mapping.Reader, name string, s *schema.Table, row, there rowferry.Row) {
	w.t.Helper()
	f, err := r.Lookup("shop."+name, keyText(s, row))
	if err != nil {
		w.t.Fatal(err)
	}
	want := map[string]mapping.Standing{"remarks": mapping.Kept}[name]
	switch {
	case f.Waits != nil:
		want = mapping.Waits
	case want == "":
		want = mapping.Applied
	}
	if f.Status != want || text(f.Key) != keyText(s, row) {
		w.t.Fatalf("transaction %d: %s %s is %+v, want %s", w.tx, name, keyText(s, row), f, want)
	}
	if there == nil && (f.Waits == nil || f.Waits.Op != rowferry.Insert || f.Target != nil) {
		w.t.Fatalf("transaction %d: %s %s is not in the target, and told as %+v", w.tx, name, keyText(s, row), f)
	}
	if there != nil && text(f.Target) != keyText(s, there) {
		w.t.Fatalf("transaction %d: %s %s is %s in the target, and told as %+v", w.tx, name, keyText(s, row), keyText(s, there), f)
	}
}

// requireListed compares the lists with the counts.
func (w *world) requireListed(r *mapping.Reader) {
	w.t.Helper()
	var waiting, behind, forWaiting, mapped, counted int64
	var last uint64
	err := r.Waiting(w.t.Context(), func(x *mapping.WaitingRow) error {
		if x.Number <= last || x.For.Key == nil || x.Key == nil {
			w.t.Fatalf("transaction %d: %+v after row %d", w.tx, x, last)
		}
		last = x.Number
		waiting++
		behind += int64(x.Behind)
		if x.For.Waits {
			forWaiting++
		}
		return nil
	})
	if err != nil {
		w.t.Fatal(err)
	}
	counts, err := r.Counts(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, c := range counts {
		mapped += c.Mapped
		counted += c.Waiting
		pairs := int64(0)
		err := r.Pairs(w.t.Context(), c.Entity.String(), func(mapping.Pair) error { pairs++; return nil })
		if !c.Noted && rowferry.CodeOf(err) != rowferry.CodeNoKeys || c.Noted && err != nil || pairs != c.Mapped {
			w.t.Fatalf("transaction %d: %+v and %d pairs, %v", w.tx, c, pairs, err)
		}
	}
	if kept := w.notes.kept; waiting != kept.Waiting || counted != kept.Waiting || mapped != kept.Mapped || behind != forWaiting {
		w.t.Fatalf("transaction %d: %d listed, %d counted waiting, %d mapped, %+v; %d behind, %d for those that wait", w.tx, waiting, counted, mapped, kept, behind, forWaiting)
	}
}

// TestReader: whatever comes in whatever order, each row is told as it is in source
// and target, and the lists are whole.
func TestReader(t *testing.T) {
	for seed := range worlds(25, 2000) {
		w := newWorld(t, seed)
		names := slices.Sorted(maps.Keys(w.tables))
		for n := range 250 {
			table := names[w.rnd.IntN(len(names))]
			switch w.rnd.IntN(6) {
			case 0, 1, 2:
				w.insert(table)
			case 3, 4:
				w.update(table)
			default:
				w.remove(table)
			}
			if n%10 == 0 {
				r := w.reader()
				w.requireFound(r)
				w.requireListed(r)
			}
		}
	}
}

// TestReaderOfShapes: a reader that is made from the recorded shapes tells the same
// as one beside the resolver.
func TestReaderOfShapes(t *testing.T) {
	w := newWorld(t, 3)
	for _, table := range []string{"users", "teams", "orders", "products", "items", "remarks"} {
		for range 20 {
			w.insert(table)
		}
	}
	r, err := mapping.NewReader(w.rules, slices.Collect(maps.Values(w.tables)), false, w.notes)
	if err != nil {
		t.Fatal(err)
	}
	w.requireFound(r)
	w.requireListed(r)
}

// TestReaderTells is about one row that waits, and what is told of it.
func TestReaderTells(t *testing.T) {
	w := newWorld(t, 1)
	order := rowferry.Row{rowferry.IntValue(5), rowferry.IntValue(50), rowferry.IntValue(7)}
	item := rowferry.Row{rowferry.IntValue(5), rowferry.IntValue(3), rowferry.IntValue(51), rowferry.IntValue(9)}
	at := time.Date(2026, 11, 18, 12, 4, 0, 0, time.UTC)
	origin := &rowferry.Origin{Tx: "0-1-17", Commit: at.UnixMilli()}
	product := rowferry.Row{rowferry.IntValue(9), rowferry.IntValue(52), rowferry.IntValue(52)}
	out, err := w.resolve([]rowferry.Change{
		{Op: rowferry.Insert, Table: w.tables["products"], After: product},
		{Op: rowferry.Insert, Table: w.tables["orders"], After: order}, {Op: rowferry.Insert, Table: w.tables["items"], After: item},
	}, origin, w.notes)
	if len(out) != 1 || err != nil {
		t.Fatal(out, err)
	}
	r := w.reader()
	var told []string
	err = r.Waiting(t.Context(), func(x *mapping.WaitingRow) error {
		told = append(told, fmt.Sprintf("%d %s %s %s since %s in %s for %s %s leaves=%t waits=%t behind=%d", x.Number, x.Entity, text(x.Key), x.Op,
			x.Since.Format(time.RFC3339), x.Tx, x.For.Entity, text(x.For.Key), x.For.Leaves, x.For.Waits, x.Behind))
		return nil
	})
	want := []string{
		"1 shop.orders 5 insert since 2026-11-18T12:04:00Z in 0-1-17 for shop.users 7 leaves=false waits=false behind=1",
		"2 shop.items 5,3 insert since 2026-11-18T12:04:00Z in 0-1-17 for shop.orders 5 leaves=false waits=true behind=0",
	}
	if err != nil || !slices.Equal(told, want) {
		t.Errorf("%v\n%s", err, strings.Join(told, "\n"))
	}
	for _, tt := range []struct {
		table, key string
		code       rowferry.Code
	}{
		{"shop.users", "7", rowferry.CodeEntityUnseen}, {"shop.orders", "x", rowferry.CodeKeyText}, {"shop.orders", "5,3", rowferry.CodeKeyText},
		{"shop.items", "5", rowferry.CodeKeyText}, {"shop.items", "5,3", ""}, {"shop.items", `5,"3"`, ""}, {"shop.items", `5,"3`, rowferry.CodeKeyText},
		{"shop.orders", `"-5"`, ""}, {"shop.orders", "18446744073709551615", ""}, {"shop.orders", "18446744073709551616", rowferry.CodeKeyText},
	} {
		if _, err := r.Lookup(tt.table, tt.key); rowferry.CodeOf(err) != tt.code {
			t.Errorf("%s %s: %v", tt.table, tt.key, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.Waiting(ctx, func(*mapping.WaitingRow) error { return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
	if _, err := mapping.NewReader(rules(t, mapping.Options{}), nil, false, w.notes); rowferry.CodeOf(err) != rowferry.CodeNoKeys {
		t.Errorf("without rules: %v", err)
	}
}

// TestKeyTexts: a key that was printed is read as the same.
func TestKeyTexts(t *testing.T) {
	s := &schema.Table{
		Name: schema.Name{Schema: "shop", Table: "t"}, PrimaryKey: []int{0, 1, 2},
		Columns: []schema.Column{{Name: "a", Type: schema.Type{Kind: schema.VarChar}}, {Name: "b", Type: schema.Type{Kind: schema.VarBinary}}, {Name: "c", Type: schema.Type{Kind: schema.Int, Bits: 64}}},
	}
	single := &schema.Table{Name: schema.Name{Schema: "shop", Table: "s"}, PrimaryKey: []int{0}, Columns: s.Columns[:1]}
	o := mapping.Options{Tables: []string{"shop.*"}, Entities: map[string]mapping.Entity{"shop.t": {Keys: mapping.KeyRule{Missing: mapping.Wait}}}}
	r, err := mapping.NewReader(rules(t, o), []*schema.Table{s, single}, false, &book{})
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range []string{"", "a", "-a", "a,b", `"`, `say "so"`, "two\nlines", " spaced ", "0x00", "ü"} {
		key := []rowferry.Value{rowferry.TextValue(v), rowferry.BytesValue("\x00\xff"), rowferry.IntValue(-3)}
		for table, want := range map[string][]rowferry.Value{"shop.t": key, "shop.s": key[:1]} {
			f, err := r.Lookup(table, text(want))
			if err != nil || !slices.Equal(f.Key, want) {
				t.Errorf("%q as %s: %+v, %v", v, text(want), f, err)
			}
			if strings.HasPrefix(text(want), "-") {
				t.Errorf("%s would be taken for a flag", text(want))
			}
		}
	}
}

// TestReaderComputes: keys that are not noted are told by rule, both ways.
func TestReaderComputes(t *testing.T) {
	s := worded(t, "products id! sku")
	o := mapping.Options{Tables: []string{"shop.*"}, Entities: map[string]mapping.Entity{"shop.products": {Keys: mapping.KeyRule{Key: mapping.Offset, Offset: -10}}}}
	r, err := mapping.NewReader(rules(t, o), []*schema.Table{s}, false, &book{})
	if err != nil {
		t.Fatal(err)
	}
	f, err := r.Lookup("shop.products", "7")
	if err != nil || f.Status != mapping.Computed || text(f.Target) != `"-3"` {
		t.Errorf("%+v, %v", f, err)
	}
	f, err = r.LookupTarget(t.Context(), "shop.products", `"-3"`)
	if err != nil || f.Status != mapping.Computed || text(f.Key) != "7" {
		t.Errorf("%+v, %v", f, err)
	}
	if err := r.Pairs(t.Context(), "shop.products", nil); rowferry.CodeOf(err) != rowferry.CodeNoKeys {
		t.Error(err)
	}
}

// TestReaderOfATakenKey: an order that waits moves from key 5 to 6, and a new one
// takes 5 meanwhile. The target's row is the first one's.
func TestReaderOfATakenKey(t *testing.T) {
	w := newWorld(t, 1)
	n := func(v int64) rowferry.Value { return rowferry.IntValue(v) }
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["users"], After: rowferry.Row{n(1), n(100), n(100), rowferry.NullValue(), rowferry.NullValue()}})
	first, moved := rowferry.Row{n(5), n(101), n(1)}, rowferry.Row{n(6), n(101), n(7)}
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["orders"], After: first})
	key := keyText(w.tables["orders"], w.target["orders"][0])
	w.apply(rowferry.Change{Op: rowferry.Update, Table: w.tables["orders"], Before: first, After: moved})
	w.apply(rowferry.Change{Op: rowferry.Insert, Table: w.tables["orders"], After: rowferry.Row{n(5), n(102), n(1)}})
	r := w.reader()
	there, err := r.LookupTarget(t.Context(), "shop.orders", key)
	if err != nil || text(there.Key) != "5" || text(there.Target) != key || there.Waits == nil || there.Waits.Op != rowferry.Update || there.Waits.Behind != 1 {
		t.Errorf("the target's %s: %+v, %v", key, there, err)
	}
	for source, want := range map[string]string{"5": "insert  true", "6": "update " + key + " false"} {
		f, err := r.Lookup("shop.orders", source)
		if err != nil || f.Waits == nil || fmt.Sprintf("%s %s %t", f.Waits.Op, text(f.Target), f.Waits.For.Leaves) != want {
			t.Errorf("%s: %+v, %v, want %s", source, f, err, want)
		}
	}
}
