package main

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
)

// measureCost tells what a million rows cost Rowferry. What it allocates is
// told from inside: by this program, which then runs the same engine.
func measureCost(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	f := s.ferries[r.target]
	if err := s.stretch(ctx, f, r.durability, s.b.opts.aloneTime()); err != nil {
		return nil, err
	}
	path := filepath.Join(s.b.dir, "memstats.json")
	if err := os.Setenv(memstatsFile, path); err != nil {
		return nil, err
	}
	self, err := os.Executable()
	if err != nil {
		return nil, err
	}
	inside := *f
	inside.engine = []string{self, engineChild}
	if _, err := s.ferryTurn(ctx, &inside, r.durability, 0, nil); err != nil {
		return nil, err
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var a allocated
	if err := json.Unmarshal(data, &a); err != nil {
		return nil, err
	}
	var voyages []*voyage
	for range s.b.opts.turns {
		v, err := s.ferryTurn(ctx, f, r.durability, 0, nil)
		if err != nil {
			return nil, err
		}
		voyages = append(voyages, v)
	}
	e := newEntry(r)
	e.setRowferry(s.log, voyages)
	perMillion := 1e6 / float64(s.log.rows)
	e.Figures = map[string]float64{
		"allocations, a million rows":       float64(a.Objects) * perMillion,
		"allocated bytes, a million rows":   float64(a.Bytes) * perMillion,
		"processor seconds, a million rows": e.Rowferry.CPUSeconds.Median,
		"peak anonymous memory, MiB":        float64(e.Rowferry.PeakAnonymous) / (1 << 20),
	}
	return []*entry{e}, nil
}
