package checkpoint

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func randomValue(r *rand.Rand) rowferry.Value {
	text := func() string {
		b := make([]byte, r.IntN(40))
		for i := range b {
			b[i] = byte(r.Uint32())
		}
		return string(b)
	}
	switch r.IntN(9) {
	case 0:
		return rowferry.Value{}
	case 1:
		return rowferry.NullValue()
	case 2:
		return rowferry.IntValue(int64(r.Uint64()) >> r.IntN(64))
	case 3:
		return rowferry.UintValue(r.Uint64() >> r.IntN(64))
	case 4:
		return rowferry.FloatValue(math.Float64frombits(r.Uint64()))
	case 5:
		return []rowferry.Value{rowferry.IntValue(math.MinInt64), rowferry.IntValue(math.MaxInt64), rowferry.UintValue(math.MaxUint64), rowferry.FloatValue(math.Inf(-1)), rowferry.TextValue("")}[r.IntN(5)]
	case 6:
		return rowferry.BytesValue(text())
	default:
		return rowferry.TextValue(text())
	}
}

func randomRow(r *rand.Rand) rowferry.Row {
	switch r.IntN(4) {
	case 0:
		return nil
	case 1:
		return rowferry.Row{}
	}
	row := make(rowferry.Row, r.IntN(30))
	if r.IntN(50) == 0 {
		row = make(rowferry.Row, 5000)
	}
	for i := range row {
		row[i] = randomValue(r)
	}
	return row
}

func randomChanges(r *rand.Rand, tables []*schema.Table, n int) []rowferry.Change {
	cs := make([]rowferry.Change, n)
	for i := range cs {
		cs[i] = rowferry.Change{Op: rowferry.Insert + rowferry.Op(r.IntN(6)), Table: tables[r.IntN(len(tables))],
			Before: randomRow(r), After: randomRow(r), ChecksOff: r.IntN(2) == 0, ChecksLate: r.IntN(2) == 0}
	}
	return cs
}

func sameRow(a, b rowferry.Row) bool {
	// == on the carried form: equal floats are equal bits, NaN included.
	return (a == nil) == (b == nil) && slices.Equal(a, b)
}

func sameChange(a, b *rowferry.Change) bool {
	return a.Op == b.Op && a.Table == b.Table && a.ChecksOff == b.ChecksOff && a.ChecksLate == b.ChecksLate && sameRow(a.Before, b.Before) && sameRow(a.After, b.After)
}

// replayEqual replays s and compares with want, checking the promised bounds.
func replayEqual(t *testing.T, s rowferry.Spool, want []rowferry.Change) {
	t.Helper()
	var kept []rowferry.Change // slices are reused, rows are not
	err := s.Replay(func(cs []rowferry.Change) error {
		size := 0
		for i := range cs {
			size += cs[i].Size()
		}
		if len(cs) == 0 || len(cs) > 1000 || (size > 1<<20 && len(cs) > 1) {
			t.Errorf("a slice of %d changes and %d bytes", len(cs), size)
		}
		kept = append(kept, cs...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if len(kept) != len(want) || s.Len() != len(want) {
		t.Fatalf("replayed %d changes, Len is %d, appended %d", len(kept), s.Len(), len(want))
	}
	for i := range kept {
		if !sameChange(&kept[i], &want[i]) {
			t.Fatalf("change %d is %+v, was %+v", i, kept[i], want[i])
		}
	}
}

func TestSpoolReturnsWhatWasAppended(t *testing.T) {
	// Two shapes of equal content are two shapes: identity counts.
	tables := []*schema.Table{tableOf("a", 2), tableOf("a", 2), tableOf("b", 3), nil}
	for seed := range uint64(8) {
		r := rand.New(rand.NewPCG(seed, 1))
		s := newSpool(t.TempDir(), 1)
		s.limit = 300 << 10 // several segments
		var all []rowferry.Change
		for range 4 {
			cs := randomChanges(r, tables, r.IntN(1500))
			if r.IntN(2) == 0 {
				big := rowferry.TextValue(strings.Repeat("x", 200<<10+r.IntN(1<<20)))
				cs = append(cs, rowferry.Change{Op: rowferry.Insert, Table: tables[0], After: rowferry.Row{big, rowferry.IntValue(1)}})
			}
			if err := s.Append(cs); err != nil {
				t.Fatal(err)
			}
			all = append(all, cs...)
			replayEqual(t, s, all)
		}
		replayEqual(t, s, all)
		if len(all) > 1000 && len(s.segments) < 2 {
			t.Errorf("seed %d used %d segments", seed, len(s.segments))
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		if files, _ := os.ReadDir(s.dir); len(files) != 0 {
			t.Fatalf("Close left %d files", len(files))
		}
		wantCode(t, s.Append(all), rowferry.CodeInternal)
	}
}

func TestSpoolPassesOnErrors(t *testing.T) {
	s := newSpool(t.TempDir(), 1)
	defer s.Close()
	if err := s.Append(randomChanges(rand.New(rand.NewPCG(1, 1)), []*schema.Table{nil}, 5000)); err != nil {
		t.Fatal(err)
	}
	stop := errors.New("stop")
	calls := 0
	err := s.Replay(func([]rowferry.Change) error { calls++; return stop })
	if !errors.Is(err, stop) || calls != 1 {
		t.Fatalf("Replay returned %v after %d calls", err, calls)
	}
}

func TestSpoolNoticesDamage(t *testing.T) {
	dir := t.TempDir()
	s := newSpool(dir, 1)
	defer s.Close()
	r := rand.New(rand.NewPCG(7, 7))
	if err := s.Append(randomChanges(r, []*schema.Table{tableOf("a", 1)}, 200)); err != nil {
		t.Fatal(err)
	}
	if err := s.Replay(func([]rowferry.Change) error { return nil }); err != nil {
		t.Fatal(err)
	}
	path := s.path(len(s.segments) - 1)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	damage := func(name string, b []byte) {
		t.Helper()
		if err := os.WriteFile(path, b, 0o600); err != nil {
			t.Fatal(err)
		}
		err := s.Replay(func([]rowferry.Change) error { return nil })
		if rowferry.CodeOf(err) != rowferry.CodeStateCorrupt {
			t.Fatalf("%s: %v", name, err)
		}
	}
	for range 150 {
		at, bit := r.IntN(len(whole)), byte(1)<<r.IntN(8)
		b := slices.Clone(whole)
		b[at] ^= bit
		damage(fmt.Sprintf("bit %d of byte %d", bit, at), b)
		damage(fmt.Sprintf("cut at %d", at), whole[:at])
	}
}

func TestSpoolsAreApart(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	a, err := s.Spool()
	if err != nil {
		t.Fatal(err)
	}
	b, err := s.Spool()
	if err != nil {
		t.Fatal(err)
	}
	r := rand.New(rand.NewPCG(1, 2))
	ca, cb := randomChanges(r, []*schema.Table{nil}, 100), randomChanges(r, []*schema.Table{nil}, 50)
	if err := errors.Join(a.Append(ca), b.Append(cb)); err != nil {
		t.Fatal(err)
	}
	replayEqual(t, a, ca)
	replayEqual(t, b, cb)
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	replayEqual(t, b, cb)
	mustClose(t, s)
	open(t, dir)
	if files, _ := os.ReadDir(filepath.Join(dir, spoolName)); len(files) != 0 {
		t.Fatalf("opening left %d files of a spool that was not closed", len(files))
	}
}

func FuzzDecodeChange(f *testing.F) {
	r := rand.New(rand.NewPCG(3, 3))
	tables := []*schema.Table{tableOf("a", 2)}
	for _, c := range randomChanges(r, tables, 20) {
		f.Add(string(appendChange(nil, &c, 1)))
	}
	f.Fuzz(func(t *testing.T, s string) {
		var slab []rowferry.Value
		c, err := decodeChange(s, tables, &slab)
		if err != nil {
			return
		}
		var number uint64
		if c.Table != nil {
			number = 1
		}
		again, err := decodeChange(string(appendChange(nil, &c, number)), tables, &slab)
		if err != nil || !sameChange(&c, &again) {
			t.Fatalf("%+v became %+v, %v", c, again, err)
		}
	})
}

// benchmarkChanges are rows like those of a shop: 12 columns, 200 bytes.
func benchmarkChanges() ([]rowferry.Change, int) {
	table := tableOf("orders", 12)
	cs := make([]rowferry.Change, 1000)
	for i := range cs {
		row := make(rowferry.Row, 12)
		for j := range row {
			switch j % 4 {
			case 0:
				row[j] = rowferry.IntValue(int64(i * 1000))
			case 1:
				row[j] = rowferry.TextValue(strings.Repeat("a", 30+i%10))
			case 2:
				row[j] = rowferry.TextValue("2026-11-18 12:04:00")
			case 3:
				row[j] = rowferry.FloatValue(float64(i))
			}
		}
		cs[i] = rowferry.Change{Op: rowferry.Insert, Table: table, After: row}
	}
	bytes := 0
	for i := range cs {
		bytes += recordHeader + len(appendChange(nil, &cs[i], 1))
	}
	return cs, bytes
}

func BenchmarkSpoolAppend(b *testing.B) {
	cs, bytes := benchmarkChanges()
	b.SetBytes(int64(bytes))
	s := newSpool(b.TempDir(), 1)
	defer s.Close()
	b.ReportAllocs()
	for b.Loop() {
		if len(s.segments) > 8 {
			s.Close()
			s = newSpool(b.TempDir(), 1)
		}
		if err := s.Append(cs); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkSpoolReplay(b *testing.B) {
	cs, bytes := benchmarkChanges()
	s := newSpool(b.TempDir(), 1)
	defer s.Close()
	for range 1000 {
		if err := s.Append(cs); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(bytes) * 1000)
	b.ReportAllocs()
	for b.Loop() {
		if err := s.Replay(func([]rowferry.Change) error { return nil }); err != nil {
			b.Fatal(err)
		}
	}
}

func TestReplayMemoryIsBounded(t *testing.T) {
	cs, bytes := benchmarkChanges()
	s := newSpool(t.TempDir(), 1)
	defer s.Close()
	for range 200 {
		if err := s.Append(cs); err != nil {
			t.Fatal(err)
		}
	}
	// A row of absent values is 32 times as large in memory as in the file.
	absent := make([]rowferry.Change, 100)
	for i := range absent {
		absent[i] = rowferry.Change{Op: rowferry.Insert, After: make(rowferry.Row, 4000)}
	}
	if err := s.Append(absent); err != nil {
		t.Fatal(err)
	}
	// Large values, few to a row: as many as share a slab are 256 MiB.
	large := make([]rowferry.Change, 20)
	for i := range large {
		large[i] = rowferry.Change{Op: rowferry.Insert, After: rowferry.Row{rowferry.BytesValue(strings.Repeat("x", 64<<10))}}
	}
	for range 40 {
		if err := s.Append(large); err != nil {
			t.Fatal(err)
		}
	}
	var peak uint64
	var m runtime.MemStats
	calls := 0
	err := s.Replay(func([]rowferry.Change) error {
		if calls++; calls%15 == 0 {
			runtime.GC()
			runtime.ReadMemStats(&m)
			peak = max(peak, m.HeapAlloc)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if limit := uint64(12 << 20); peak > limit {
		t.Fatalf("replaying %d MiB held %d MiB", bytes*200>>20, peak>>20)
	}
}
