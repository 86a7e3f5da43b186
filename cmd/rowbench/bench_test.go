package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

func TestMain(m *testing.M) {
	if code, is := child(os.Args[1:]); is {
		os.Exit(code)
	}
	os.Exit(m.Run())
}

// progress is what the program says, and ends it at a word.
type progress struct {
	mu   sync.Mutex
	text bytes.Buffer
	word string
	cut  func()
}

func (p *progress) Write(data []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.word != "" && bytes.Contains(data, []byte(p.word)) {
		p.cut()
	}
	return p.text.Write(data)
}

// A bench of the least size: cut in the middle it leaves nothing behind, it
// measures when run again, and after that what was measured stands.
func TestBench(t *testing.T) {
	dir := t.TempDir()
	bin := filepath.Join(dir, "rowferry")
	if out, err := exec.Command("go", "build", "-o", bin, "github.com/rowferry/rowferry/cmd/rowferry").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	args := []string{
		"-seconds", "0.2", "-turns", "1", "-scale", "0.001", "-rowferry", bin, "-out", dir, "-book", filepath.Join(dir, "book.json"),
		"-run", "^(mariadb10.11(/decode-oltp|-mariadb10.11/(oltp|map)/relaxed)|postgres15(/decode-bulk|-postgres15/bulk/durable))$",
	}
	bench := func(cutAt string) (string, string, error) {
		ctx, cancel := context.WithCancel(t.Context())
		defer cancel()
		var table bytes.Buffer
		said := &progress{word: cutAt, cut: cancel}
		err := program(ctx, args, &table, said)
		return table.String(), said.text.String(), err
	}
	if _, said, err := bench("calibration"); err == nil || strings.Contains(said, "oltp, relaxed: ") {
		t.Fatalf("cut: %v\n%s", err, said)
	}
	if left := leftBehind(t); len(left) > 0 {
		t.Errorf("cut, it leaves %q", left)
	}
	table, said, err := bench("")
	if err != nil {
		t.Fatalf("%v\n%s", err, said)
	}
	checkResults(t, filepath.Join(dir, "results.json"))
	if _, err := os.Stat(filepath.Join(dir, "results.svg")); err != nil {
		t.Error(err)
	}
	again, said, err := bench("")
	if err != nil || strings.Count(said, " stands\n") != 5 || strings.Contains(said, "before the clock") {
		t.Errorf("again: %v\n%s", err, said)
	}
	// The machine is looked at anew, in the first line.
	if _, rows, _ := strings.Cut(table, "\n"); !strings.HasSuffix(again, rows) {
		t.Errorf("the table was\n%s\nand is\n%s", table, again)
	}
	if left := leftBehind(t); len(left) > 0 {
		t.Errorf("it leaves %q", left)
	}
}

// leftBehind are files of this process's benches, and of its servers.
func leftBehind(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, pattern := range []string{dirPrefix + "%d-*", "rowferry-testdb-%d-*"} {
		left, err := filepath.Glob(filepath.Join(os.TempDir(), fmt.Sprintf(pattern, os.Getpid())))
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, left...)
	}
	return all
}

func checkResults(t *testing.T, path string) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var r report
	if err := json.Unmarshal(data, &r); err != nil {
		t.Fatal(err)
	}
	if len(r.Results) != 6 {
		t.Fatalf("%d results, want decoding by wire, files and slot, two ratios, and the map\n%s", len(r.Results), data)
	}
	for i, e := range r.Results {
		if e.Log.Rows == 0 {
			t.Errorf("%+v", e)
		}
		if i != 3 && (e.RatioMedian == nil || *e.RatioMedian <= 0 || e.Reach == nil) {
			t.Errorf("%+v", e)
		}
	}
	mariadb, slot, postgres, keys := r.Results[2], r.Results[3], r.Results[4], r.Results[5]
	if mariadb.Native.Workers == nil || mariadb.Rowferry.PeakAnonymous == 0 || len(mariadb.Rowferry.Tables) < oltpTables || mariadb.Settings["log_bin"] != "OFF" {
		t.Errorf("%+v", mariadb)
	}
	if slot.RatioMedian != nil || slot.Figures["rowferry, rows/s"] <= 0 {
		t.Errorf("%+v", slot)
	}
	if postgres.Native.Options == "" || postgres.Native.Workers != nil || len(postgres.Rowferry.Tables) == 0 || postgres.Settings["synchronous_commit"] != "on" {
		t.Errorf("%+v", postgres)
	}
	if keys.Figures["lookups, p99, µs"] <= 0 || keys.Figures["entries of the map"] < largeMap*0.001 || keys.Better != "lower" {
		t.Errorf("%+v", keys)
	}
}
