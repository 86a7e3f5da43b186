package checkpoint

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

func init() { roles["crash"] = crashRole }

// crashNewest is the last sequence that crashRole records.
const crashNewest = 40

// crashRole makes a directory with tables, and then a log that holds
// something, and dies.
func crashRole(dir string) error {
	var seq uint64
	for range 3 { // each Close makes a table
		s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, unsynced: true, retain: 20})
		if err != nil {
			return err
		}
		for range 10 {
			seq++
			if err := s.Record(crashRecord(seq)); err != nil {
				return err
			}
		}
		if err := s.Close(); err != nil {
			return err
		}
	}
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, unsynced: true, retain: 20})
	if err != nil {
		return err
	}
	for seq < crashNewest {
		seq++
		r := crashRecord(seq)
		r.Shapes = r.Shapes[:1]
		if err := s.Record(r); err != nil {
			return err
		}
	}
	return syscall.Kill(os.Getpid(), syscall.SIGKILL)
}

// crashed returns a directory as a crash leaves it, and its newest sequence.
func crashed(t testing.TB) (string, uint64) {
	t.Helper()
	dir := stateDir(t)
	cmd := victim("crash", dir)
	if out, _ := cmd.CombinedOutput(); !signalled(cmd.ProcessState, syscall.SIGKILL) {
		t.Fatalf("%v: %s", cmd.ProcessState, out)
	}
	return dir, crashNewest
}

// databaseFiles returns the files of the database and how much of each is in
// use.
func databaseFiles(t testing.TB, dir string) map[string]int {
	t.Helper()
	sizes := map[string]int{}
	entries, err := os.ReadDir(filepath.Join(dir, badgerName))
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		b, err := os.ReadFile(filepath.Join(dir, badgerName, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		sizes[e.Name()] = len(strings.TrimRight(string(b), "\x00"))
	}
	return sizes
}

// tryDamaged opens a damaged directory. What it holds must be what was
// recorded up to some sequence, or the damage must be named.
func tryDamaged(t *testing.T, what, dir string, newest uint64) (opened bool) {
	t.Helper()
	s, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, retain: 20, unsynced: true})
	if err != nil {
		if rowferry.CodeOf(err) != rowferry.CodeStateCorrupt {
			t.Fatalf("%s: %v", what, err)
		}
		return false
	}
	defer s.Close()
	r, err := s.Load(rowferry.MaxSequence)
	if err != nil {
		if c := rowferry.CodeOf(err); c != rowferry.CodeStateCorrupt && c != rowferry.CodeStateNeeded {
			t.Fatalf("%s: %v", what, err)
		}
		return false
	}
	if r == nil {
		return true
	}
	seq := r.Checkpoint.Sequence
	if seq > newest || len(r.Shapes) == 0 || len(r.Shapes[0].Columns) != int(seq) {
		t.Fatalf("%s: sequence %d of %d with %d tables", what, seq, newest, len(r.Shapes))
	}
	if w := min(seq, 30) - min(seq, 30)%3; w > 0 && (len(r.Shapes) != 2 || len(r.Shapes[1].Columns) != int(1000+w)) {
		t.Fatalf("%s: sequence %d lacks the shape of %d", what, seq, w)
	}
	wantDamagedNotes(t, what, s, seq)
	if err := s.Record(recordOf(seq+1, &schema.Table{Name: schema.Name{Table: "z"}})); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	return true
}

// wantDamagedNotes checks that the notes are those of the sequence, or that
// reading them names the damage: a block that nothing else reads.
func wantDamagedNotes(t *testing.T, what string, s *Store, seq uint64) {
	t.Helper()
	got := map[string]string{}
	err := s.Scan(nil, func(k, v []byte) error { got[string(k)] = string(v); return nil })
	switch {
	case err != nil:
		if rowferry.CodeOf(err) != rowferry.CodeStateCorrupt {
			t.Fatalf("%s: %v", what, err)
		}
	case !maps.Equal(got, crashNotes(seq)):
		t.Fatalf("%s: the notes of sequence %d are %.200q", what, seq, fmt.Sprint(got))
	}
}

// TestDamage (C6) truncates and overwrites every file of the database at many
// places.
func TestDamage(t *testing.T) {
	sound, newest := crashed(t)
	damageAll(t, sound, newest)
}

// TestDamageAfterShutdown: after a clean shutdown nothing may be missing, not
// even from the end.
func TestDamageAfterShutdown(t *testing.T) {
	crash, newest := crashed(t)
	mustClose(t, open(t, crash, func(o *Options) { o.retain = 20 }))
	damageAll(t, crash, newest)
	manifest := filepath.Join(badgerName, "MANIFEST")
	whole, err := os.ReadFile(filepath.Join(crash, manifest))
	if err != nil {
		t.Fatal(err)
	}
	step := max(1, len(whole)/scaled(200))
	for at := 0; at < len(whole); at += step {
		dir := snapshot(t, crash)
		before := databaseFiles(t, dir)
		if err := os.WriteFile(filepath.Join(dir, manifest), whole[:at], 0o600); err != nil {
			t.Fatal(err)
		}
		before["MANIFEST"] = len(strings.TrimRight(string(whole[:at]), "\x00"))
		if tryDamaged(t, fmt.Sprint("MANIFEST cut at ", at), dir, newest) {
			t.Fatalf("a manifest cut at %d of %d opens", at, len(whole))
		}
		if after := databaseFiles(t, dir); !reflect.DeepEqual(before, after) {
			t.Fatalf("what is damaged was changed from %v to %v", before, after)
		}
		os.RemoveAll(dir)
	}
}

func damageAll(t *testing.T, sound string, newest uint64) {
	tables := 0
	files := databaseFiles(t, sound)
	// Damaged thoroughly: the manifest, the logs, and one table of several.
	var table string
	for name := range files {
		if strings.HasSuffix(name, ".sst") && (table == "" || name < table) {
			table = name
		}
	}
	for name, size := range files {
		if strings.HasSuffix(name, ".sst") {
			tables++
		}
		t.Run(name, func(t *testing.T) {
			damageFile(t, sound, name, size, newest, name == table || name == "MANIFEST" || strings.HasSuffix(name, ".mem") || scaled(10) == 10)
		})
	}
	if tables == 0 {
		t.Fatal("there was no table to damage")
	}
	for name := range databaseFiles(t, sound) {
		dir := snapshot(t, sound)
		if err := os.Remove(filepath.Join(dir, badgerName, name)); err != nil {
			t.Fatal(err)
		}
		tryDamaged(t, name+" removed", dir, newest)
	}
	if !tryDamaged(t, "nothing", sound, newest) {
		t.Fatal("the sound directory does not open")
	}
}

// damageFile damages one file, of which size bytes are in use.
func damageFile(t *testing.T, sound, name string, size int, newest uint64, thorough bool) {
	r := rand.New(rand.NewPCG(5, uint64(size)))
	whole, err := os.ReadFile(filepath.Join(sound, badgerName, name))
	if err != nil {
		t.Fatal(err)
	}
	opened := 0
	damage := func(what string, content []byte) {
		dir := snapshot(t, sound)
		if err := os.WriteFile(filepath.Join(dir, badgerName, name), content, 0o600); err != nil {
			t.Fatal(err)
		}
		if tryDamaged(t, name+" "+what, dir, newest) {
			opened++
		}
		os.RemoveAll(dir)
	}
	offsets, overwrites := []int{0, size / 2}, 1
	if thorough {
		offsets, overwrites = []int{0, 8, 19, 20, size - 1, size, len(whole)}, scaled(100)
		for range scaled(60) {
			offsets = append(offsets, r.IntN(size+1))
		}
	}
	for _, at := range offsets {
		if at >= 0 && at <= len(whole) {
			damage(fmt.Sprintf("cut at %d", at), whole[:at])
		}
	}
	for range overwrites {
		at, b := r.IntN(max(size, 1)), append([]byte(nil), whole...)
		if len(b) == 0 {
			break
		}
		for i := at; i < min(at+1+r.IntN(64), len(b)); i++ {
			b[i] = byte(r.Uint32())
		}
		damage(fmt.Sprintf("overwritten at %d", at), b)
	}
	t.Logf("%d bytes of %d used, opened %d times", size, len(whole), opened)
}

// TestReadersChangeNothing: reading what a crash left neither repairs nor
// fails.
func TestReadersChangeNothing(t *testing.T) {
	dir, newest := crashed(t)
	before := listing(t, dir)
	s := open(t, dir, func(o *Options) { o.ReadOnly, o.retain = true, 20 })
	if got := mustLoad(t, s, rowferry.MaxSequence).Checkpoint.Sequence; got != newest {
		t.Fatalf("sequence %d is there, want %d", got, newest)
	}
	mustClose(t, s)
	if after := listing(t, dir); after != before {
		t.Fatalf("reading changed the directory from\n%s\nto\n%s", before, after)
	}
}

// TestLostVersionIsNoticed removes one key at a time behind the store's back.
func TestLostVersionIsNoticed(t *testing.T) {
	for _, kind := range []byte{markerPrefix, recordPrefix, shapePrefix, headKey} {
		dir := stateDir(t)
		s := open(t, dir)
		for seq := uint64(1); seq <= 5; seq++ {
			mustRecord(t, s, recordOf(seq, tableOf("a", int(seq))))
		}
		if err := s.remove(func(e entry) bool { return e.kind == kind && (e.seq == 3 || kind == headKey) }); err != nil {
			t.Fatal(err)
		}
		mustClose(t, s)
		if err := removeClosed(dir); err != nil { // it would tell the same
			t.Fatal(err)
		}
		_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline})
		wantCode(t, err, rowferry.CodeStateCorrupt)
		if !strings.Contains(err.Error(), "damaged") {
			t.Errorf("%c: %v", kind, err)
		}
	}
}

// TestOlderDatabaseIsNoticed: a database put back from a copy is whole, and
// yet not what was there when the directory was closed.
func TestOlderDatabaseIsNoticed(t *testing.T) {
	dir := stateDir(t)
	s := open(t, dir)
	mustRecord(t, s, recordOf(1))
	mustClose(t, s)
	older := snapshot(t, dir)
	s = open(t, dir)
	mustRecord(t, s, recordOf(2))
	mustClose(t, s)
	if err := os.RemoveAll(filepath.Join(dir, badgerName)); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(older, badgerName), filepath.Join(dir, badgerName)); err != nil {
		t.Fatal(err)
	}
	for _, readOnly := range []bool{true, false} {
		_, err := Open(context.Background(), Options{Dir: dir, Pipeline: pipeline, ReadOnly: readOnly})
		wantCode(t, err, rowferry.CodeStateCorrupt)
	}
}
