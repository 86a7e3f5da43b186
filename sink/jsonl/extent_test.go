package jsonl_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/sink/jsonl"
)

func read(t *testing.T, path string) string {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func write(t *testing.T, path, content string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func shut(t *testing.T, s *jsonl.Sink) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// written makes a file with two batches and returns its path, which has a
// space, the extent after the first batch and the one after the second.
func written(t *testing.T) (path, first, second string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "my events.jsonl")
	s := open(t, path)
	if err := s.Adopt(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	commit(t, s, insert(1), insert(2))
	first = s.Extent()
	commit(t, s, insert(3), insert(4))
	second = s.Extent()
	shut(t, s)
	return path, first, second
}

// TestKilledBatchIsNotThereTwice kills the second batch after each of its
// bytes, before its extent was recorded, and applies it again.
func TestKilledBatchIsNotThereTwice(t *testing.T) {
	path, first, second := written(t)
	whole := read(t, path)
	var size int
	if _, err := fmt.Sscanf(strings.TrimPrefix(first, path), "%d", &size); err != nil || size == 0 || size >= len(whole) {
		t.Fatalf("extent %q: %v", first, err)
	}
	for end := size; end <= len(whole); end++ {
		write(t, path, whole[:end])
		s := open(t, path)
		if err := s.Adopt(t.Context(), first); err != nil {
			t.Fatalf("killed at %d: %v", end, err)
		}
		if got := s.Extent(); got != first {
			t.Fatalf("killed at %d: extent %q, want %q", end, got, first)
		}
		commit(t, s, insert(3), insert(4))
		if got := s.Extent(); got != second {
			t.Fatalf("killed at %d: extent %q, want %q", end, got, second)
		}
		shut(t, s)
		if got := read(t, path); got != whole {
			t.Fatalf("killed at %d: got\n%s\nwant\n%s", end, got, whole)
		}
	}
}

// TestAdoptRefuses: a target that is not the recorded one is left as it is.
func TestAdoptRefuses(t *testing.T) {
	path, first, second := written(t)
	whole := read(t, path)
	other := filepath.Join(t.TempDir(), "other.jsonl")
	for _, c := range []struct {
		name, path, content, extent string
		code                        rowferry.Code
		facts                       []string
	}{
		{"fresh, with events", path, whole, "", rowferry.CodeTargetOccupied, []string{path}},
		{"fresh, with a torn event", path, `{"sch`, "", rowferry.CodeTargetOccupied, nil},
		{"gone", path, "", second, rowferry.CodeTargetLost, []string{"recorded file: " + path, "found size: no file"}},
		{"another", other, "", second, rowferry.CodeTargetLost, []string{"file: " + other, "recorded file: " + path}},
		{"another, the same", other, whole, second, rowferry.CodeTargetLost, []string{"file: " + other}},
		{"shorter", path, whole[:len(whole)-1], second, rowferry.CodeTargetLost, []string{fmt.Sprintf("recorded size: %d; found size: %d", len(whole), len(whole)-1)}},
		{"other content", path, strings.Replace(whole, `"id":"0-1-1:3"`, `"id":"0-1-2:3"`, 1), second, rowferry.CodeTargetLost, nil},
		{"somebody's line behind", path, whole + "my thesis\n", first, rowferry.CodeTarget, []string{fmt.Sprintf("from byte: %d", len(whole))}},
		{"no extent", path, whole, "x 1", rowferry.CodeStateCorrupt, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.RemoveAll(c.path); err != nil {
				t.Fatal(err)
			}
			if c.content != "" {
				write(t, c.path, c.content)
			}
			s := open(t, c.path)
			err := s.Adopt(t.Context(), c.extent)
			if rowferry.CodeOf(err) != c.code {
				t.Fatalf("got %v, want %s", err, c.code)
			}
			for _, f := range c.facts {
				if !strings.Contains(err.Error(), f) {
					t.Errorf("%v does not say %q", err, f)
				}
			}
			shut(t, s)
			left, rerr := os.ReadFile(c.path)
			if string(left) != c.content || c.content == "" && !os.IsNotExist(rerr) {
				t.Errorf("left %q (%v), want %q", left, rerr, c.content)
			}
		})
	}
}

// TestAdoptOfNothingYet: a pipeline that was begun and has no batch.
func TestAdoptOfNothingYet(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	if err := s.Adopt(t.Context(), ""); err != nil {
		t.Fatal(err)
	}
	begun := s.Extent()
	if tx, err := s.Begin(t.Context()); err != nil {
		t.Fatal(err)
	} else if err := s.Adopt(t.Context(), begun); rowferry.CodeOf(err) != rowferry.CodeInternal {
		t.Errorf("adopting in a batch: %v", err)
	} else if err := tx.Rollback(); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	for _, before := range []func() error{func() error { return nil }, func() error { return os.Remove(path) }} {
		if err := before(); err != nil {
			t.Fatal(err)
		}
		s := open(t, path)
		if err := s.Adopt(t.Context(), begun); err != nil {
			t.Fatal(err)
		}
		shut(t, s)
	}
}

// TestSameFileByAnotherName: it is the file that counts.
func TestSameFileByAnotherName(t *testing.T) {
	path, _, extent := written(t)
	link := filepath.Join(t.TempDir(), "link")
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	t.Chdir(filepath.Dir(path))
	for _, name := range []string{filepath.Base(path), link} {
		s := open(t, name)
		if err := s.Adopt(t.Context(), extent); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		shut(t, s)
	}
}

// TestStreamHasNoExtent, and is not a file that was written to before.
func TestStreamHasNoExtent(t *testing.T) {
	_, _, extent := written(t)
	for _, s := range []*jsonl.Sink{jsonl.Stream(&strings.Builder{}, "test", jsonl.Options{}), open(t, os.DevNull)} {
		commit(t, s, insert(1))
		if got := s.Extent(); got != "" {
			t.Errorf("extent %q", got)
		}
		if err := s.Adopt(t.Context(), ""); err != nil {
			t.Error(err)
		}
		if err := s.Adopt(t.Context(), extent); rowferry.CodeOf(err) != rowferry.CodeTargetLost {
			t.Errorf("got %v, want %s", err, rowferry.CodeTargetLost)
		}
		shut(t, s)
	}
}

// TestOneWriter: a file that a sink has open is not opened by another.
func TestOneWriter(t *testing.T) {
	path := filepath.Join(t.TempDir(), "events.jsonl")
	s := open(t, path)
	commit(t, s, insert(1))
	if _, err := jsonl.Open(path, jsonl.Options{}); rowferry.CodeOf(err) != rowferry.CodeTargetHeld || rowferry.ClassOf(err) != rowferry.ClassHeld {
		t.Errorf("got %v, want %s", err, rowferry.CodeTargetHeld)
	}
	shut(t, s)
	shut(t, open(t, path))
}

// TestOthersWriteIsKept: a writer that knows no lock is met by refusing to cut
// and to commit, since what would be cut off could be its own.
func TestOthersWriteIsKept(t *testing.T) {
	for name, end := range map[string]func(rowferry.SinkTx) error{
		"rollback": rowferry.SinkTx.Rollback,
		"commit":   func(tx rowferry.SinkTx) error { return tx.Commit(context.Background(), rowferry.Checkpoint{}) },
	} {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		s := open(t, path)
		commit(t, s, insert(1))
		tx, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		big := insert(2)
		big.After[5] = rowferry.BytesValue(strings.Repeat("x", 1<<20)) // so that it is written before the end
		if err := tx.Write(t.Context(), []rowferry.Mutation{big}); err != nil {
			t.Fatal(err)
		}
		other, err := os.OpenFile(path, os.O_WRONLY|os.O_APPEND, 0)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := other.WriteString("theirs\n"); err != nil {
			t.Fatal(err)
		}
		if err := other.Close(); err != nil {
			t.Fatal(err)
		}
		if err := end(tx); rowferry.CodeOf(err) != rowferry.CodeTargetHeld {
			t.Errorf("%s: got %v, want %s", name, err, rowferry.CodeTargetHeld)
		}
		if err := s.Close(); name == "commit" && rowferry.CodeOf(err) != rowferry.CodeTargetHeld {
			t.Errorf("%s: closing: %v", name, err)
		}
		if !strings.HasSuffix(read(t, path), "theirs\n") {
			t.Errorf("%s: their line is gone", name)
		}
	}
}

// TestMovedWhileWritten: a batch is not committed to a file that its path no
// longer names.
func TestMovedWhileWritten(t *testing.T) {
	for name, away := range map[string]func(path string) error{
		"removed":  os.Remove,
		"moved":    func(path string) error { return os.Rename(path, path+".1") },
		"replaced": func(path string) error { return os.Rename(path+".new", path) },
	} {
		path := filepath.Join(t.TempDir(), "events.jsonl")
		write(t, path+".new", "")
		s := open(t, path)
		commit(t, s, insert(1))
		extent := s.Extent()
		if err := away(path); err != nil {
			t.Fatal(err)
		}
		tx, err := s.Begin(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if err := tx.Write(t.Context(), []rowferry.Mutation{insert(2)}); err != nil {
			t.Fatal(err)
		}
		if err := tx.Commit(t.Context(), rowferry.Checkpoint{}); rowferry.CodeOf(err) != rowferry.CodeTargetLost {
			t.Errorf("%s: got %v, want %s", name, err, rowferry.CodeTargetLost)
		}
		if got := s.Extent(); got != extent {
			t.Errorf("%s: extent %q, want %q", name, got, extent)
		}
		shut(t, s)
	}
}

// TestLongLinesBeyondTheExtent: whole events of any length are cut off, and a
// cancelled context leaves them.
func TestLongLinesBeyondTheExtent(t *testing.T) {
	path, first, _ := written(t)
	s := open(t, path)
	big := insert(5)
	big.After[5] = rowferry.BytesValue(strings.Repeat("x", 1<<20))
	commit(t, s, big, insert(6))
	shut(t, s)
	whole := read(t, path)
	s = open(t, path)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := s.Adopt(gone, first); err != context.Canceled || read(t, path) != whole {
		t.Errorf("got %v", err)
	}
	if err := s.Adopt(t.Context(), first); err != nil {
		t.Fatal(err)
	}
	shut(t, s)
	if got := lines(t, path); len(got) != 2 {
		t.Errorf("%d lines, want 2", len(got))
	}
}
