package main

import (
	"context"
	"fmt"
)

// measureReading tells how fast our reader alone reads what a PostgreSQL server
// decodes. There is nothing that it is compared with.
func measureReading(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	if err := s.log.growToDecode(ctx, s.b.opts); err != nil {
		return nil, err
	}
	origin, ok := s.log.origin.(*postgresOrigin)
	if !ok {
		return nil, fmt.Errorf("%s has no slots", s.log.server.Kind)
	}
	var rates, processor, objects, bytes []float64
	for range s.b.opts.turns {
		slot, err := origin.slot(ctx, false)
		if err != nil {
			return nil, err
		}
		// The slot begins before the first marker.
		job := decodeJob{Reader: "rowferry", Wire: true, URL: s.log.server.URL(postgresDatabase), Slot: slot, Rows: s.log.rows + int(s.log.marker)}
		d, err := job.run(ctx)
		if err != nil {
			return nil, err
		}
		if d.Rows != job.Rows {
			return nil, fmt.Errorf("rowferry decoded %d rows of %d", d.Rows, job.Rows)
		}
		rows := float64(d.Rows)
		rates, processor = append(rates, rows/d.Seconds), append(processor, rows/d.Processor)
		objects, bytes = append(objects, float64(d.Allocated.Objects)/rows), append(bytes, float64(d.Allocated.Bytes)/rows)
	}
	e := newEntry(r)
	e.Log = s.log.size()
	e.Figures = map[string]float64{
		"rowferry, rows/s": spreadOf(rates).Median, "rowferry, rows/processor second": spreadOf(processor).Median,
		"rowferry, allocations/row": spreadOf(objects).Median, "rowferry, allocated bytes/row": spreadOf(bytes).Median,
	}
	return []*entry{e}, nil
}
