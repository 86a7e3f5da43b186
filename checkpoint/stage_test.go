package checkpoint

import (
	"cmp"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var stageTables = []*schema.Table{
	{Name: schema.Name{Schema: "s", Table: "a"}, Columns: make([]schema.Column, 3), PrimaryKey: []int{0, 1}},
	{Name: schema.Name{Schema: "s", Table: "ab"}, Columns: make([]schema.Column, 3), PrimaryKey: []int{0, 1}},
}

// stagedWorld is a stage, and what has to be in it.
type stagedWorld struct {
	t     *testing.T
	stage rowferry.Stage
	rows  [2]map[string]rowferry.Row
	keys  [2]map[string][]rowferry.Value
}

func openStage(t *testing.T, s *Store, fresh bool) rowferry.Stage {
	t.Helper()
	stage, err := s.Stage(fresh)
	if err != nil {
		t.Fatal(err)
	}
	return stage
}

// put sets or removes some rows, large ones among them.
func (w *stagedWorld) put(rnd *rand.Rand) {
	w.t.Helper()
	table := rnd.IntN(2)
	t := stageTables[table]
	byKey := map[string]rowferry.StagedRow{}
	for range 1 + rnd.IntN(40) {
		key := []rowferry.Value{rowferry.IntValue(int64(rnd.IntN(30) - 15)), rowferry.TextValue(strings.Repeat("\x00", rnd.IntN(3)) + strings.Repeat("x", rnd.IntN(3)))}
		r := rowferry.StagedRow{Key: key}
		if rnd.IntN(4) > 0 {
			size := rnd.IntN(50)
			if rnd.IntN(10) == 0 {
				size = rnd.IntN(4 * pieceSize)
			}
			r.Row = rowferry.Row{key[0], key[1], rowferry.BytesValue(strings.Repeat(string(rune('a'+rnd.IntN(26))), size))}
		}
		byKey[fmt.Sprint(key)] = r
	}
	var rows []rowferry.StagedRow
	for k, r := range byKey {
		rows = append(rows, r)
		delete(w.rows[table], k)
		if r.Row != nil {
			w.rows[table][k], w.keys[table][k] = r.Row, r.Key
		}
	}
	if err := w.stage.Put(t, rows); err != nil {
		w.t.Fatal(err)
	}
}

// check reads all rows, in pieces, and some one by one.
func (w *stagedWorld) check(rnd *rand.Rand) {
	w.t.Helper()
	for i, t := range stageTables {
		var want []string
		for k := range w.rows[i] {
			want = append(want, k)
		}
		slices.SortFunc(want, func(a, b string) int {
			x, y := w.keys[i][a], w.keys[i][b]
			return cmp.Or(cmp.Compare(x[0].Int(), y[0].Int()), cmp.Compare(x[1].Str(), y[1].Str()))
		})
		var got []string
		for after, stop := "", fmt.Errorf("enough"); ; {
			most := 1 + rnd.IntN(20)
			err := w.stage.Each(t, after, func(place string, r rowferry.Row) error {
				if most == 0 {
					return stop
				}
				most--
				k := fmt.Sprint([]rowferry.Value(r[:2]))
				if !slices.Equal(r, w.rows[i][k]) {
					w.t.Fatalf("row %q is %.80q, want %.80q", k, fmt.Sprint(r), fmt.Sprint(w.rows[i][k]))
				}
				got, after = append(got, k), place
				return nil
			})
			if err == nil {
				break
			}
			if err != stop {
				w.t.Fatal(err)
			}
		}
		if !slices.Equal(got, want) {
			w.t.Fatalf("table %d has %q, want %q", i, got, want)
		}
		for range 20 {
			key := []rowferry.Value{rowferry.IntValue(int64(rnd.IntN(30) - 15)), rowferry.TextValue("x")}
			r, err := w.stage.Get(t, key)
			if want := w.rows[i][fmt.Sprint(key)]; err != nil || !slices.Equal(r, want) || (r == nil) != (want == nil) {
				w.t.Fatalf("row %v is %.80q, %v; want %.80q", key, fmt.Sprint(r), err, fmt.Sprint(want))
			}
		}
	}
}

// TestStage: rows of any size are there as they were put last, in the order of their
// keys, from any place on, and after the directory was opened again.
func TestStage(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	if _, err := s.Stage(false); rowferry.CodeOf(err) != rowferry.CodeStateNeeded {
		t.Fatalf("a stage that is not there: %v", err)
	}
	rnd := rand.New(rand.NewPCG(1, 2))
	w := &stagedWorld{t: t, stage: openStage(t, s, true)}
	for i := range w.rows {
		w.rows[i], w.keys[i] = map[string]rowferry.Row{}, map[string][]rowferry.Value{}
	}
	var chunks []rowferry.Chunk
	for n := range 30 {
		w.put(rnd)
		c := rowferry.Chunk{Table: stageTables[n%2].Name, Number: n / 2, Upto: fmt.Sprint("u", n), Done: n%3 > 0, Rows: int64(n)}
		chunks = append(chunks, c)
		if err := w.stage.Note(c); err != nil {
			t.Fatal(err)
		}
		if n%10 == 9 {
			w.check(rnd)
			if err := w.stage.Close(); err != nil {
				t.Fatal(err)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = open(t, dir)
			w.stage = openStage(t, s, false)
			w.check(rnd)
		}
	}
	slices.SortStableFunc(chunks, func(a, b rowferry.Chunk) int { return a.Table.Compare(b.Table) })
	if got, err := w.stage.Chunks(); err != nil || !slices.Equal(got, chunks) {
		t.Errorf("the chunks are %v, %v; want %v", got, err, chunks)
	}
	if err := w.stage.Clear(stageTables[0]); err != nil {
		t.Fatal(err)
	}
	w.rows[0] = map[string]rowferry.Row{}
	w.check(rnd)
	if err := w.stage.Close(); err != nil {
		t.Fatal(err)
	}
	fresh := openStage(t, s, true)
	w.stage, w.rows[1] = fresh, map[string]rowferry.Row{}
	w.check(rnd)
	if err := fresh.Close(); err != nil {
		t.Fatal(err)
	}
	if err := s.Reset(); err != nil {
		t.Fatal(err)
	}
	if _, err := s.Stage(false); rowferry.CodeOf(err) != rowferry.CodeStateNeeded {
		t.Errorf("the stage of a pipeline that is forgotten: %v", err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}
