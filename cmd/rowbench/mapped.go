package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/rowferry/rowferry/checkpoint"
	"github.com/rowferry/rowferry/internal/testdb"
)

// What keys of the target's own may cost: the rate with them in times the one
// with the source's keys, and the processor time a row with a large map in times
// the one with a small map.
const (
	allocateReach = 0.6
	mapReach      = 1.3
)

// How many rows have a key in the map, before it is scaled.
const (
	largeMap = 10_000_000
	smallMap = 10_000
)

// fkAllocated is fk with keys that a target counts.
func fkAllocated() *workload {
	w := fk()
	w.name = "fk allocate"
	for i, t := range w.tables {
		w.tables[i] = strings.Replace(t, "id BIGINT NOT NULL PRIMARY KEY", "id BIGINT NOT NULL AUTO_INCREMENT PRIMARY KEY", 1)
	}
	w.allocated = []string{"orders", "items", "payments"}
	order := "o.customer, o.state, o.total, EXTRACT(MONTH FROM o.made), EXTRACT(DAY FROM o.made), EXTRACT(MINUTE FROM o.made)"
	w.same = []string{
		"CONCAT_WS(' ', " + order + ") FROM bench.orders o",
		"CONCAT_WS(' ', " + order + ", i.sku, i.pieces, i.price) FROM bench.items i JOIN bench.orders o ON o.id = i.order_id",
		"CONCAT_WS(' ', " + order + ", p.amount, EXTRACT(DAY FROM p.paid)) FROM bench.payments p JOIN bench.orders o ON o.id = p.order_id",
	}
	return w
}

// keyGroups are about rows that get keys of the target's own.
func keyGroups(o *options) []*group {
	const source = testdb.MariaDB1011
	g := &group{source: source, work: fkAllocated(), kept: true}
	for _, target := range []testdb.Kind{testdb.Postgres15, source} {
		for _, d := range []durability{durable, relaxed} {
			if d == relaxed || !o.short {
				g.rows = append(g.rows, &row{source: source, target: target, workload: g.work.name, durability: d, figure: figure{reach: allocateReach}, method: byKeys})
			}
		}
	}
	return []*group{g, {source: source, work: visits(largeMap), rows: []*row{{
		source: source, target: source, workload: "map", durability: relaxed, figure: figure{reach: mapReach, lower: true}, method: byMap,
	}}}}
}

// entities writes a configuration that gives a workload's rows keys of the
// target's own, and returns its path.
func (w *workload) entities(dir string) (string, error) {
	text := "entities:\n"
	for _, t := range w.allocated {
		text += fmt.Sprintf("  %s.%s: {key: allocate}\n", database, t)
	}
	path := filepath.Join(dir, "entities.yaml")
	return path, os.WriteFile(path, []byte(text), 0o600)
}

// sameRows reports an error unless a target's rows say the same as the source's,
// each with those that it refers to. Their keys are others, so that the equal
// program cannot tell.
func (l *sourceLog) sameRows(ctx context.Context, target *testdb.Server) error {
	for _, query := range l.work.same {
		var sums [2]string
		for i, s := range []*testdb.Server{l.server, target} {
			digest := "CAST(CONV(SUBSTR(MD5(%s), 1, 8), 16, 10) AS UNSIGNED)"
			if s.Kind.Flavor() == testdb.Postgres {
				digest = "('x' || substr(md5(%s), 1, 8))::bit(32)::bigint"
			}
			text, from, _ := strings.Cut(query, " FROM bench")
			q := fmt.Sprintf("SELECT CONCAT_WS(' ', COUNT(*), SUM(%s)) FROM bench%s", fmt.Sprintf(digest, text), from)
			if err := s.DB().QueryRowContext(ctx, q).Scan(&sums[i]); err != nil {
				return fmt.Errorf("%s: %s: %w", s.Kind, q, err)
			}
		}
		if sums[0] != sums[1] {
			return fmt.Errorf("count and digest of %s are %s at the source and %s in the target", query, sums[0], sums[1])
		}
	}
	return nil
}

// measureKeys compares Rowferry's rate where rows get keys of the target's own
// with the one where they keep the source's.
func measureKeys(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	if err := s.stretch(ctx, s.kept[r.target], r.durability, s.b.opts.tripTime()); err != nil {
		return nil, err
	}
	var given, kept []*voyage
	var ratios []float64
	for range s.b.opts.turns {
		k, err := s.ferryTurn(ctx, s.kept[r.target], r.durability, 0, nil)
		if err != nil {
			return nil, fmt.Errorf("keys kept: %w", err)
		}
		g, err := s.ferryTurn(ctx, s.ferries[r.target], r.durability, 0, nil)
		if err != nil {
			return nil, fmt.Errorf("keys given: %w", err)
		}
		kept, given = append(kept, k), append(given, g)
		ratios = append(ratios, k.took.Seconds()/g.took.Seconds())
	}
	e := newEntry(r)
	e.setRatio("rows a second, to those with the source's keys", ratios)
	e.setRowferry(s.log, given)
	other := ferrySide(s.log, kept)
	e.Figures = map[string]float64{
		"key: allocate, processor seconds, a million rows": e.Rowferry.CPUSeconds.Median,
		"key: keep, rows/s":                            other.RowsPerSecond.Median,
		"key: keep, processor seconds, a million rows": other.CPUSeconds.Median,
		"key: keep, peak anonymous memory, MiB":        float64(other.PeakAnonymous) / (1 << 20),
	}
	return []*entry{e}, nil
}

// measureMap compares Rowferry's processor time a row with a large map of keys
// with that with a small one, and times lookups in the large one.
func measureMap(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	e, err := s.costAgainst(ctx, r, visits(smallMap), "a small map")
	if err != nil {
		return nil, err
	}
	for from, recent := range map[string]int{"": checkpoint.DefaultRecent, " past what the store knows": 1} {
		entries, took, err := lookups(ctx, s.ferries[r.target].state(), recent)
		if err != nil {
			return nil, fmt.Errorf("lookups: %w", err)
		}
		e.Figures["entries of the map"] = float64(entries)
		e.Figures["lookups"+from+", p50, µs"] = float64(took[len(took)/2].Nanoseconds()) / 1e3
		e.Figures["lookups"+from+", p99, µs"] = float64(took[len(took)*99/100].Nanoseconds()) / 1e3
	}
	e.Figures["peak anonymous memory, MiB"] = float64(e.Rowferry.PeakAnonymous) / (1 << 20)
	return []*entry{e}, nil
}

// mostLookups is how many keys are looked up.
const mostLookups = 200_000

// lookups times Gets of keys drawn from those in a state directory, each of which
// was looked up before, in ascending order, by a store with so many bytes for notes that
// it knows. It also returns how many there are.
func lookups(ctx context.Context, dir string, recent int) (entries int, took []time.Duration, err error) {
	store, err := checkpoint.Open(ctx, checkpoint.Options{Dir: dir, ReadOnly: true, Recent: recent})
	if err != nil {
		return 0, nil, err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	random := rand.New(rand.NewPCG(1, 1))
	var keys [][]byte
	err = store.Scan(nil, func(key, _ []byte) error { // each key is as likely to be drawn
		entries++
		if len(keys) < mostLookups {
			keys = append(keys, slices.Clone(key))
		} else if at := random.IntN(entries); at < mostLookups {
			keys[at] = slices.Clone(key)
		}
		return nil
	})
	if err != nil || entries == 0 {
		return 0, nil, errors.Join(err, fmt.Errorf("%d notes", entries))
	}
	random.Shuffle(len(keys), func(i, k int) { keys[i], keys[k] = keys[k], keys[i] })
	took = make([]time.Duration, len(keys))
	for range 2 {
		for i, key := range keys {
			begun := time.Now()
			value, err := store.Get(key)
			took[i] = time.Since(begun)
			if value == nil || err != nil {
				return 0, nil, errors.Join(err, fmt.Errorf("no note %q", key))
			}
		}
	}
	slices.Sort(took)
	return entries, took, nil
}
