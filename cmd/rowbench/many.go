package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// manyTables is how many tables there are beside the eight that change.
const manyTables = 10_000 - oltpTables

// manyReach is how many times the processor time a row may take that it takes
// with eight tables alone.
const manyReach = 1.3

// crowdTime is how long a turn lasts: long enough for starting, at which every
// table is looked at, to be little of it.
func (o *options) crowdTime() time.Duration { return min(o.time(), max(o.time()/3, 5*time.Second)) }

// many is oltp among tables that never change.
func many(tables int) *workload {
	w := oltp(oltpTables)
	w.name = "many"
	for i := range tables {
		w.tables = append(w.tables, fmt.Sprintf("CREATE TABLE quiet%d (id BIGINT NOT NULL PRIMARY KEY, a INT NOT NULL, b VARCHAR(50) NOT NULL, c DATETIME NULL)", i))
	}
	return w
}

// measureMany compares Rowferry's processor time a row with that where the
// eight tables are alone.
func measureMany(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	e, err := s.costAgainst(ctx, r, oltp(oltpTables), "eight tables")
	if err != nil {
		return nil, err
	}
	e.Figures["tables"] = float64(len(s.log.work.tables))
	return []*entry{e}, nil
}

// costAgainst compares Rowferry's processor time a row with that where there is
// less: another workload, on a source of its own.
func (s *stage) costAgainst(ctx context.Context, r *row, less *workload, name string) (e *entry, err error) {
	few, err := openStage(ctx, s.b, s.log.server.Kind, less)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, few.close()) }()
	if err := few.prepare(ctx, false, map[testdb.Kind]bool{r.target: true}); err != nil {
		return nil, err
	}
	if err := few.broken[r.target]; err != nil {
		return nil, err
	}
	if err := few.stretch(ctx, few.ferries[r.target], r.durability, s.b.opts.crowdTime()); err != nil {
		return nil, err
	}
	if err := s.log.grow(ctx, few.log.rows); err != nil {
		return nil, err
	}
	var crowd, alone []*voyage
	var ratios []float64
	for range s.b.opts.turns {
		a, err := few.ferryTurn(ctx, few.ferries[r.target], r.durability, 0, nil)
		if err != nil {
			return nil, err
		}
		c, err := s.ferryTurn(ctx, s.ferries[r.target], r.durability, 0, nil)
		if err != nil {
			return nil, err
		}
		alone, crowd = append(alone, a), append(crowd, c)
		ratios = append(ratios, c.cpu.Seconds()/float64(s.log.rows)/(a.cpu.Seconds()/float64(few.log.rows)))
	}
	e = newEntry(r)
	e.setRatio("processor time a row, to that with "+name, ratios)
	e.setRowferry(s.log, crowd)
	side := ferrySide(few.log, alone)
	e.Figures = map[string]float64{
		name + ", rows/s": side.RowsPerSecond.Median, name + ", processor seconds, a million rows": side.CPUSeconds.Median,
		name + ", peak anonymous memory, MiB": float64(side.PeakAnonymous) / (1 << 20),
	}
	return e, nil
}
