package mapping_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/mapping"
	"github.com/rowferry/rowferry/schema"
)

// finder hands keys out, and finds rows of the world's target.
type finder struct {
	counter
	w *world
}

func (f *finder) Find(_ context.Context, table *schema.Table, columns []int, values [][]rowferry.Value, key []int) (all []rowferry.Found, err error) {
	for i, v := range values {
		for _, r := range f.w.target[table.Name.Table] {
			if slices.Equal(at(r, columns), v) {
				all = append(all, rowferry.Found{Value: i, Key: at(r, key)})
			}
		}
	}
	return all, nil
}

func at(r rowferry.Row, columns []int) (values []rowferry.Value) {
	for _, o := range columns {
		values = append(values, r[o])
	}
	return values
}

// newMatchedWorld is one whose target has users of its own, some of which the source
// has too, under other keys.
func newMatchedWorld(t *testing.T, seed uint64) *world {
	w := newWorldOf(t, seed, worldRules(mapping.KeyRule{Key: mapping.Match, Match: [][]string{{"email"}}}))
	for i := int64(1); i <= 60; i++ {
		n := rowferry.IntValue(-i)
		w.target["users"] = append(w.target["users"], rowferry.Row{rowferry.IntValue(900_000 + i), n, n, rowferry.NullValue(), rowferry.NullValue()})
		w.foreign = append(w.foreign, -i)
	}
	return w
}

// requireForeign wants every row of the target's own that no row of the source met as
// it was, and takes it out of the target.
func (w *world) requireForeign() {
	w.t.Helper()
	left := 0
	w.target["users"] = slices.DeleteFunc(w.target["users"], func(r rowferry.Row) bool {
		if r[1].Int() >= 0 {
			return false
		}
		if left++; r[1] != r[2] || r[0].Int() != 900_000-r[1].Int() {
			w.t.Errorf("a row of the target's own is %v", r)
		}
		return true
	})
	if left < len(w.foreign) { // some of the source's rows went before they came
		w.t.Errorf("%d rows of the target's own are left, want %d or more", left, len(w.foreign))
	}
}

// people is a world of one table: id, mail, first, last, n.
func people(t *testing.T, rule mapping.KeyRule, target ...string) *world {
	t.Helper()
	s := worded(t, "people id! mail$? first$? last$? n?")
	w := &world{
		t: t, tables: map[string]*schema.Table{"people": s}, source: map[string][]rowferry.Row{}, target: map[string][]rowferry.Row{},
		notes: &book{notes: map[string][]byte{}, given: map[rowferry.ChangeID]int64{}},
	}
	for _, text := range target {
		w.target["people"] = append(w.target["people"], person(text))
	}
	r := rules(t, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{"shop.people": {Keys: rule}}})
	w.rules, w.handler = r, mapping.NewHandler(r, nil)
	var err error
	if w.resolver, err = mapping.NewResolver(r, &finder{counter{last: 100}, w}, mapping.Limits{}); err != nil {
		t.Fatal(err)
	}
	return w
}

// person reads "id mail first last n"; "-" is NULL, "”" empty and "?" absent.
func person(text string) rowferry.Row {
	row := rowferry.Row{}
	for i, f := range strings.Fields(text) {
		var n int64
		_, err := fmt.Sscan(f, &n)
		switch {
		case f == "-":
			row = append(row, rowferry.NullValue())
		case f == "?":
			row = append(row, rowferry.Value{})
		case i == 0 || i == 4 && err == nil:
			row = append(row, rowferry.IntValue(n))
		default:
			row = append(row, rowferry.TextValue(strings.Trim(f, "'")))
		}
	}
	return row
}

// bring brings changes "+row", "-row" and "old>new" as one transaction, and returns why
// not.
func (w *world) bring(changes ...string) error {
	w.t.Helper()
	w.tx++
	var all []rowferry.Change
	for _, text := range changes {
		c := rowferry.Change{Op: rowferry.Update, Table: w.tables["people"]}
		old, now, both := strings.Cut(text, ">")
		switch {
		case both:
			c.Before, c.After = person(old), person(now)
		case text[0] == '+':
			c.Op, c.After = rowferry.Insert, person(text[1:])
		default:
			c.Op, c.Before = rowferry.Delete, person(text[1:])
		}
		all = append(all, c)
	}
	origin := &rowferry.Origin{Tx: fmt.Sprint(w.tx)}
	for range 10 {
		notes := w.notes.copied()
		out, err := w.resolve(all, origin, notes)
		switch {
		case errors.Is(err, rowferry.ErrKeysShort):
			w.reserve(func(notes *book) ([]rowferry.Mutation, error) { return w.goThrough(all, origin, notes) })
			continue
		case err != nil:
			return err
		}
		again := w.notes.copied() // with rows that nobody looks up once more
		if twice, err := w.resolve(all, origin, again); err != nil || fmt.Sprint(twice) != fmt.Sprint(out) {
			w.t.Fatalf("%q came to %v, and then to %v, %v", changes, out, twice, err)
		}
		w.notes = notes
		for i := range out {
			w.write(&out[i])
		}
		return nil
	}
	w.t.Fatalf("%q is never resolved", changes)
	return nil
}

// rows are the target's, in order.
func (w *world) rows() string {
	var lines []string
	for _, r := range w.target["people"] {
		line := ""
		for _, v := range r {
			line += " " + strings.NewReplacer("NULL", "-").Replace(v.String())
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	slices.Sort(lines)
	return strings.Join(lines, "; ")
}

var byMail = mapping.KeyRule{Key: mapping.Match, Match: [][]string{{"mail"}, {"first", "last"}}}

func with(r mapping.KeyRule, d mapping.Duplicates) mapping.KeyRule {
	r.Duplicates = d
	return r
}

// TestMatch: what comes of rows that meet those of the target.
func TestMatch(t *testing.T) {
	foreign := []string{"7 a@x An Lee 1", "8 b@x Bo Lee 2", "9 - Cy Ray 3", "10 '' Di Ray 4"}
	own := mapping.KeyRule{}
	for _, c := range []struct {
		name  string
		rule  mapping.KeyRule
		txs   [][]string
		want  string // rows that differ from the foreign ones, or the code of an error
		stays int    // foreign rows that are as they were
	}{
		{"the first natural key goes first", byMail, [][]string{{"+1 b@x An Lee 5"}}, "8 b@x An Lee 5", 3},
		{"the next where there is none", byMail, [][]string{{"+1 z@x Cy Ray 5"}, {"+2 - Di Ray -"}}, "10 - Di Ray -; 9 z@x Cy Ray 5", 2},
		{"what is empty matches nothing", byMail, [][]string{{"+1 '' - Ray 5", "+2 - '' Ray 6"}}, "101  - Ray 5; 102 -  Ray 6", 4},
		{"a new key where nothing matches", byMail, [][]string{{"+7 z@x - - 5"}}, "101 z@x - - 5", 4},
		{"later changes and the delete follow", byMail, [][]string{{"+1 a@x Al Lee 5"}, {"1 a@x Al Lee 5>2 c@x Al Lee 5"}, {"2 c@x Al Lee 5>2 c@x Al Lee 6"}, {"+1 b@x - - -"}, {"-1 b@x - - -"}},
			"7 c@x Al Lee 6", 2},
		{"many in one transaction", byMail, [][]string{{"+1 a@x - - 1", "+2 b@x - - 2", "+3 - Cy Ray 3", "+4 q@x - - 4"}}, "101 q@x - - 4; 7 a@x - - 1; 8 b@x - - 2", 2},
		{"two rows of one transaction that are one", byMail, [][]string{{"+1 a@x - - 1", "+2 a@x - - 2"}}, "RF-5041", 4},
		{"two new rows of one transaction that are one", byMail, [][]string{{"+1 n@x - - 1", "+2 n@x - - 2"}}, "RF-5041", 4},
		{"two new rows that differ in case", byMail, [][]string{{"+1 n@x - - 1", "+2 N@x - - 2"}}, "101 n@x - - 1; 102 N@x - - 2", 4},
		{"two rows that are one", byMail, [][]string{{"+1 a@x - - 1"}, {"+2 a@x - - 2"}}, "RF-5041", 3},
		{"a row that came is met by none", byMail, [][]string{{"+1 n@x - - 1"}, {"+2 n@x - - 2"}}, "RF-5041", 4},
		{"a value that moves in one transaction", byMail, [][]string{{"+1 a@x - - 1"}, {"-1 a@x - - 1", "+2 a@x - - 2"}}, "101 a@x - - 2", 3},
		{"a value that is given up in one transaction", byMail, [][]string{{"+1 a@x - - 1"}, {"1 a@x - - 1>1 m@x - - 1", "+2 a@x - - 2", "+3 b@x - - 3"}}, "101 a@x - - 2; 7 m@x - - 1; 8 b@x - - 3", 2},
		{"a value that is taken in one transaction", byMail, [][]string{{"+1 a@x - - 1"}, {"1 a@x - - 1>1 m@x - - 1", "+2 m@x - - 2"}}, "RF-5041", 3},
		{"a value that is not told", byMail, [][]string{{"+1 a@x F L 1"}, {"1 ? ? ? ?>1 ? G ? ?", "+2 - G L 2"}}, "RF-5042", 3},
		{"refused where it meets one", with(byMail, mapping.RefuseDuplicates), [][]string{{"+1 a@x - - 1"}}, "RF-3006", 4},
		{"skip", with(byMail, mapping.SkipDuplicates), [][]string{{"+1 a@x - - 9"}, {"1 a@x - - 9>2 a@y - - 9"}, {"-2 a@y - - 9"}, {"+3 a@x - - 9"}, {"+4 n@x - - 9"}, {"4 n@x - - 9>4 n@x - - 8"}}, "101 n@x - - 8", 4},
		{"merge", with(byMail, mapping.MergeDuplicates), [][]string{{"+1 a@x '' - 9"}, {"1 a@x '' - 9>1 a@x '' - 8"}, {"1 a@x '' - 8>1 a@x Ed - 8"}, {"1 a@x Ed - 8>1 a@x - - 8"}}, "7 a@x - Lee 8", 3},
		{"merge, then deleted", with(byMail, mapping.MergeDuplicates), [][]string{{"+1 a@x '' - 9"}, {"-1 a@x '' - 9"}}, "", 3},
		{"under the same key: refused by the target", mapping.KeyRule{Duplicates: mapping.UpdateDuplicates}, [][]string{{"+7 q@x - - 1"}, {"+11 - - - -"}, {"11 - - - ->7 - - - -"}}, "RF-5004", 3},
		{"under the same key: update", mapping.KeyRule{Duplicates: mapping.UpdateDuplicates}, [][]string{{"+7 q@x - - 1", "+20 - - - -"}, {"7 q@x - - 1>7 q@x - - 2"}, {"7 q@x - - 2>21 q@x - - 2", "-20 - - - -", "+20 b - - -", "+8 '' - - -"}},
			"20 b - - -; 21 q@x - - 2; 8  - - -", 2},
		{"under the same key: merge", with(own, mapping.MergeDuplicates), [][]string{{"+7 '' Bo - 1"}, {"7 '' Bo - 1>7 '' Bo - 5"}}, "7 a@x Bo Lee 5", 3},
		{"under the same key: skip", with(own, mapping.SkipDuplicates), [][]string{{"+7 '' Bo - 1"}, {"7 '' Bo - 1>27 '' Bo - 5"}, {"-27 '' Bo - 5"}, {"+7 - - - -"}}, "", 4},
		{"under a number more: update", mapping.KeyRule{Key: mapping.Offset, Offset: 5, Duplicates: mapping.UpdateDuplicates}, [][]string{{"+2 q@x - - 1", "+9 - - - -"}}, "14 - - - -; 7 q@x - - 1", 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			w := people(t, c.rule, foreign...)
			var err error
			for _, tx := range c.txs {
				if err = w.bring(tx...); err != nil {
					break
				}
			}
			stays := 0
			w.target["people"] = slices.DeleteFunc(w.target["people"], func(r rowferry.Row) bool {
				own := slices.ContainsFunc(foreign, func(f string) bool { return slices.Equal(person(f), r) })
				if own {
					stays++
				}
				return own
			})
			got := w.rows()
			if err != nil {
				got = string(rowferry.CodeOf(err))
			}
			if got != c.want || stays != c.stays {
				t.Errorf("%s, and %d of the target's rows stay; want %s, and %d\n%v", got, stays, c.want, c.stays, err)
			}
		})
	}
}

// TestMatchAmbiguous: several rows that match are named.
func TestMatchAmbiguous(t *testing.T) {
	w := people(t, byMail, "7 a@x - - -", "8 a@x - - -", "9 b@x - - -")
	err := w.bring("+1 b@x - - -", "+2 a@x - - -")
	if rowferry.CodeOf(err) != rowferry.CodeMatchAmbiguous || !strings.Contains(fmt.Sprintf("%+v", err.(*rowferry.Error).Facts), "[8]") {
		t.Errorf("got %v", err)
	}
	if err := w.bring("+1 b@x - - 5"); err != nil {
		t.Error(err)
	}
}

// TestAdopted: the notes tell rows that others made from our own.
func TestAdopted(t *testing.T) {
	w := people(t, with(byMail, mapping.SkipDuplicates), "7 a@x - - -")
	for _, tx := range []string{"+1 a@x - - -", "+2 n@x - - -", "1 a@x - - ->3 a@x - - -"} {
		if err := w.bring(tx); err != nil {
			t.Fatal(err)
		}
	}
	var got []string
	err := w.reader().Pairs(t.Context(), "shop.people", func(p mapping.Pair) error {
		got = append(got, fmt.Sprint(p.Key, p.Target, p.Met != ""))
		return nil
	})
	if want := "[[2] [101] false [3] [7] true]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	f, err := w.reader().LookupTarget(t.Context(), "shop.people", "7")
	if err != nil || text(f.Key) != "3" {
		t.Errorf("the target's 7 is %+v, %v", f, err)
	}
}

// TestSkippedMoves: a row that is left as it is keeps its key in the target.
func TestSkippedMoves(t *testing.T) {
	w := people(t, mapping.KeyRule{Duplicates: mapping.SkipDuplicates}, "7 a@x - - -")
	for _, tx := range []string{"+7 - - - -", "7 - - - ->9 - - - -"} {
		if err := w.bring(tx); err != nil {
			t.Fatal(err)
		}
	}
	if f, err := w.reader().Lookup("shop.people", "9"); err != nil || text(f.Target) != "7" {
		t.Errorf("the row is %+v, %v", f, err)
	}
}

// TestMatchRefused: tables and targets that it is not for.
func TestMatchRefused(t *testing.T) {
	r := rules(t, mapping.Options{Tables: []string{"shop.*"}, Namespaces: true, Entities: map[string]mapping.Entity{"shop.people": {Keys: byMail}}})
	if _, err := mapping.NewResolver(r, &counter{}, mapping.Limits{}); rowferry.CodeOf(err) != rowferry.CodeKeyRefused {
		t.Errorf("a target in which nothing is found: %v", err)
	}
	for _, words := range []string{"people id! mail$? first$?", "people id!$ mail$? first$? last$?", "people a! b! mail$? first$? last$?"} {
		w := people(t, byMail)
		s := worded(t, words)
		_, err := w.resolver.Resolve(nil, &rowferry.Mutation{Op: rowferry.Shape, Table: s, Source: s.Name}, w.notes)
		if rowferry.CodeOf(err) != rowferry.CodeKeyRefused {
			t.Errorf("%s: %v", words, err)
		}
	}
}

// twin makes two rows of each.
type twin struct{}

func (twin) Target(n schema.Name) schema.Name { return n }

func (twin) Handle(dst []rowferry.Mutation, c *rowferry.Change) ([]rowferry.Mutation, error) {
	m := rowferry.Mutation{Op: c.Op, Table: c.Table, Source: c.Table.Name}
	if c.Op == rowferry.Shape {
		return append(dst, m), nil
	}
	for i := range int64(2) {
		m.After = rowferry.Row{rowferry.IntValue(2*c.After[0].Int() + i), rowferry.IntValue(c.After[1].Int() + i)}
		dst = append(dst, m)
	}
	return dst, nil
}

// TestMatchTwins: each of the rows that a handler makes of one is looked up by itself.
func TestMatchTwins(t *testing.T) {
	rule := mapping.KeyRule{Key: mapping.Match, Match: [][]string{{"uid"}}}
	for _, there := range []int64{50, 51} {
		w := emptyWorld(t, 1)
		w.begin([]string{"p id! uid"}, mapping.Options{
			Tables: []string{"shop.*"}, Namespaces: true, Custom: []mapping.Custom{{Tables: "shop.p", Handler: twin{}}},
			Entities: map[string]mapping.Entity{"shop.p": {Keys: rule}},
		})
		table := w.tables["p"]
		w.target["p"] = []rowferry.Row{{rowferry.IntValue(7), rowferry.IntValue(there)}}
		if _, err := w.resolve([]rowferry.Change{{Op: rowferry.Shape, Table: table}}, &rowferry.Origin{Tx: "0"}, w.notes); err != nil {
			t.Fatal(err)
		}
		w.apply(rowferry.Change{Op: rowferry.Insert, Table: table, After: rowferry.Row{rowferry.IntValue(1), rowferry.IntValue(50)}})
		keys := map[int64][]int64{}
		for _, row := range w.target["p"] {
			keys[row[1].Int()] = append(keys[row[1].Int()], row[0].Int())
		}
		if len(w.target["p"]) != 2 || !slices.Equal(keys[there], []int64{7}) || len(keys[50]) != 1 || len(keys[51]) != 1 {
			t.Errorf("the target had %d: keys by uid are %v", there, keys)
		}
	}
}
