package main

import (
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// tinyScale keeps the tables small.
const tinyScale = 0.001

func everyWorkload() []*workload {
	return append(append(workloads(), postgresWorkloads()...), fkAllocated(), visits(largeMap))
}

// mostRows is after how many rows a writer's statements are enough, however few
// its transactions: those of bulk have a thousand each.
const mostRows = 4000

// statements are a writer's: of its rows before the clock, then so many
// transactions, or those of mostRows.
func statements(t *testing.T, w writer, txs int) (seeds, later []string, rows int) {
	t.Helper()
	err := w.seed(func(sql string, n int) error {
		if n < 1 || n > seedTx {
			t.Errorf("a transaction of %d rows before the clock", n)
		}
		seeds = append(seeds, sql)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	for len(later) < txs && rows < mostRows {
		sql, n := w.next(nil)
		if n < 1 {
			t.Errorf("a transaction changes %d rows: %s", n, sql)
		}
		later = append(later, string(sql))
		rows += n
	}
	return seeds, later, rows
}

// The same part of a workload writes the same log twice, another part another.
func TestWritersAreSeeded(t *testing.T) {
	for _, w := range everyWorkload() {
		t.Run(w.name, func(t *testing.T) {
			seedsA, a, _ := statements(t, w.newWriter(0, tinyScale), 30)
			seedsB, b, _ := statements(t, w.newWriter(0, tinyScale), 30)
			_, other, _ := statements(t, w.newWriter(1, tinyScale), 30)
			if !slices.Equal(seedsA, seedsB) || !slices.Equal(a, b) {
				t.Error("the same writer writes something else")
			}
			if slices.Equal(a, other) {
				t.Error("two parts write the same")
			}
		})
	}
}

// keyed finds the keys that statements insert or name.
var keyed = regexp.MustCompile(`\((\d+),|\bid=(\d+);`)

// Two parts share no key, so that they need not wait for each other and the
// rows at the end do not depend on their turns.
func TestPartsShareNoKey(t *testing.T) {
	for _, w := range everyWorkload() {
		t.Run(w.name, func(t *testing.T) {
			of := map[string]int{}
			for part := range writers {
				seeds, later, _ := statements(t, w.newWriter(part, tinyScale), 40)
				for _, m := range keyed.FindAllStringSubmatch(strings.Join(append(seeds, later...), "\n"), -1) {
					key := m[1] + m[2]
					if was, there := of[key]; there && was != part {
						t.Fatalf("key %s is of parts %d and %d", key, was, part)
					}
					of[key] = part
				}
			}
			if len(of) < writers {
				t.Errorf("%d keys seen", len(of))
			}
		})
	}
}

// A change of what is written changes the digest.
func TestDigest(t *testing.T) {
	seen := map[string]string{}
	for _, w := range append(everyWorkload(), many(10), oltp(9)) {
		d, err := w.digest()
		if err != nil {
			t.Fatal(err)
		}
		if was := seen[d]; was != "" {
			t.Errorf("%s has the digest of %s", w.name, was)
		}
		seen[d] = w.name
		if again, _ := w.digest(); again != d {
			t.Errorf("%s has digests %s and %s", w.name, d, again)
		}
	}
}

// What bulk inserts stays for more transactions than may be grouped.
func TestBulkKeepsBlocks(t *testing.T) {
	const parts = bulkKept / 4 // so many that each has few
	w := bulk("x'").writer(rand.New(rand.NewPCG(1, 1)), 0, parts, 1)
	var inserted []int // when, by block; the oldest is deleted first
	deleted := 0
	var sql []byte
	for at := range 20 {
		sql, _ = w.next(sql[:0])
		if !strings.HasPrefix(string(sql), "DELETE") {
			inserted = append(inserted, at)
			continue
		}
		if apart := (at - inserted[deleted]) * parts; apart < mostGrouped {
			t.Fatalf("a block is deleted %d transactions after it was inserted", apart)
		}
		deleted++
	}
	if deleted == 0 {
		t.Error("nothing was deleted")
	}
}
