package jsonl_test

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/jsonl"
	"github.com/rowferry/rowferry/sink/sinktest"
)

func TestConformance(t *testing.T) {
	paths := map[rowferry.Sink]string{}
	sinktest.Run(t, func(t *testing.T) rowferry.Sink {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		s := open(t, path)
		paths[s] = path
		return s
	}, sinktest.Options{Count: func(t *testing.T, s rowferry.Sink) int { return len(lines(t, paths[s])) }})
}

func open(t *testing.T, path string) *jsonl.Sink {
	t.Helper()
	s, err := jsonl.Open(path, jsonl.Options{Now: clock})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// lines returns the file's lines, each of which has to be whole and JSON.
func lines(t *testing.T, path string) []string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if len(b) == 0 {
		return nil
	}
	if b[len(b)-1] != '\n' {
		t.Fatalf("%s does not end in a line feed", path)
	}
	all := strings.Split(strings.TrimSuffix(string(b), "\n"), "\n")
	for _, l := range all {
		if !json.Valid([]byte(l)) {
			t.Fatalf("not JSON: %s", l)
		}
	}
	return all
}

func insert(id int64) rowferry.Mutation {
	return rowferry.Mutation{Op: rowferry.Insert, Table: shopTable(), After: shopRow(id), Source: schema.Name{Schema: "shop", Table: "orders"},
		Origin: &rowferry.Origin{Tx: "0-1-1"}, Index: int(id)}
}

func commit(t *testing.T, s *jsonl.Sink, ms ...rowferry.Mutation) {
	t.Helper()
	tx, err := s.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Write(context.Background(), ms); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(context.Background(), rowferry.Checkpoint{}); err != nil {
		t.Fatal(err)
	}
}

// TestTornLineIsCutOff tears the file around the ends of its lines, and here
// and there inside them.
func TestTornLineIsCutOff(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	commit(t, s, insert(1), insert(2))
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := bytes.IndexByte(whole, '\n') + 1
	for end := range len(whole) + 1 {
		if near := min(abs(end-first), end, len(whole)-end); near > 15 && end%37 != 0 {
			continue
		}
		if err := os.WriteFile(path, whole[:end], 0o644); err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		commit(t, s, insert(3))
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		want := 1
		if end >= first {
			want++
		}
		if end == len(whole) {
			want++
		}
		if got := lines(t, path); len(got) != want {
			t.Fatalf("cut at %d: %d lines, want %d", end, len(got), want)
		}
	}
}

func abs(n int) int { return max(n, -n) }

func TestForeignFileIsLeftAlone(t *testing.T) {
	for _, content := range []string{"my thesis", "{\"schema\":1,\"id\":1}\nmy thesis", "{\"other\":1"} {
		path := filepath.Join(t.TempDir(), "thesis.txt")
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := jsonl.Open(path, jsonl.Options{}); rowferry.CodeOf(err) != rowferry.CodeTarget {
			t.Errorf("%q: got %v", content, err)
		}
		if b, err := os.ReadFile(path); err != nil || string(b) != content {
			t.Errorf("%q became %q", content, b)
		}
	}
}

func TestCloseRollsBack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	commit(t, s, insert(1))
	tx, err := s.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	big := insert(2)
	big.After[5] = rowferry.BytesValue(strings.Repeat("x", 1<<20))
	if err := tx.Write(context.Background(), []rowferry.Mutation{big}); err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	if got := lines(t, path); len(got) != 1 {
		t.Errorf("%d lines, want 1", len(got))
	}
}

// TestFullDisk writes to the device that is always full.
func TestFullDisk(t *testing.T) {
	s, err := jsonl.Open("/dev/full", jsonl.Options{})
	if err != nil {
		t.Fatal(err)
	}
	tx, err := s.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Write(context.Background(), []rowferry.Mutation{insert(1)}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Commit(context.Background(), rowferry.Checkpoint{}); rowferry.CodeOf(err) != rowferry.CodeTargetFull {
		t.Errorf("got %v, want %s", err, rowferry.CodeTargetFull)
	}
	if err := tx.Rollback(); err != nil {
		t.Error(err)
	}
}

func TestStream(t *testing.T) {
	var out bytes.Buffer
	s := jsonl.Stream(&out, "test", jsonl.Options{Now: clock})
	commit(t, s, insert(1), insert(2))
	tx, err := s.Begin(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if err := tx.Write(context.Background(), []rowferry.Mutation{insert(3)}); err != nil {
		t.Fatal(err)
	}
	if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(out.String(), "\n"); n != 2 {
		t.Errorf("%d lines, want 2", n)
	}
}

func TestOpenRefusals(t *testing.T) {
	for _, path := range []string{t.TempDir(), filepath.Join(t.TempDir(), "missing", "events.jsonl")} {
		if _, err := jsonl.Open(path, jsonl.Options{}); rowferry.CodeOf(err) != rowferry.CodeTarget {
			t.Errorf("%s: got %v, want %s", path, err, rowferry.CodeTarget)
		}
	}
}
