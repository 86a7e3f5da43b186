package main

import (
	"context"
	"fmt"
	"strconv"
)

// What decoding is asked to reach, in times go-mysql's rate.
const (
	wireReach = 1.5
	fileReach = 1.2
)

// decodeGuess is how many rows a second a reader may decode: the log is for
// that, and a share of a native turn's time.
const decodeGuess = 200_000

// growToDecode makes the log long enough for readers alone.
func (l *sourceLog) growToDecode(ctx context.Context, o *options) error {
	rows := int(decodeGuess * o.time().Seconds() / 6)
	return l.grow(ctx, min(rows, l.work.guess*int(1+o.seconds)))
}

// measureDecoding compares our reader with go-mysql's on the same log, each in
// a process of its own on one core.
func measureDecoding(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	if err := s.log.growToDecode(ctx, s.b.opts); err != nil {
		return nil, err
	}
	job, err := s.decodeJob(ctx)
	if err != nil {
		return nil, err
	}
	var all []*entry
	for _, wire := range []bool{true, false} {
		e, err := s.decodeBy(ctx, r, *job, wire)
		if err != nil {
			return nil, err
		}
		all = append(all, e)
	}
	return all, nil
}

// decodeJob is the log after the rows before the clock.
func (s *stage) decodeJob(ctx context.Context) (*decodeJob, error) {
	l := s.log
	files, err := l.server.BinlogFiles()
	if err != nil {
		return nil, err
	}
	o, ok := l.origin.(*mysqlOrigin)
	if !ok {
		return nil, fmt.Errorf("%s has no log of files", l.server.Kind)
	}
	from, err := strconv.ParseUint(o.beginOffset, 10, 32)
	if err != nil {
		return nil, err
	}
	file, offset, err := o.place(ctx)
	if err != nil {
		return nil, err
	}
	to, err := strconv.ParseUint(offset, 10, 32)
	if err != nil {
		return nil, err
	}
	path, err := schemaOf(l.work, s.b.dir)
	if err != nil {
		return nil, err
	}
	return &decodeJob{
		URL: o.url(), MariaDB: isMariaDB(l.server), Port: l.server.Port, Files: files, Schema: path,
		From: o.beginFile, FromAt: uint32(from), To: file, ToAt: uint32(to),
	}, nil
}

func (s *stage) decodeBy(ctx context.Context, r *row, job decodeJob, wire bool) (*entry, error) {
	one := *r
	one.workload, one.figure = "decode "+s.log.work.name+", files", figure{reach: fileReach}
	if job.Wire = wire; wire {
		one.workload, one.figure = "decode "+s.log.work.name+", wire", figure{reach: wireReach}
	}
	e := newEntry(&one)
	var ratios, ours, theirs []float64
	var last [2]*decoded
	for range s.b.opts.turns {
		for i, reader := range []string{"rowferry", "go-mysql"} {
			job.Reader = reader
			d, err := job.run(ctx)
			if err != nil {
				return nil, err
			}
			if want := s.log.rows + int(s.log.marker) - 1; d.Rows != want {
				return nil, fmt.Errorf("%s decoded %d rows of %d", reader, d.Rows, want)
			}
			last[i] = d
		}
		if last[0].Values != last[1].Values {
			return nil, fmt.Errorf("rowferry decoded %d values, go-mysql %d", last[0].Values, last[1].Values)
		}
		ours = append(ours, float64(last[0].Rows)/last[0].Seconds)
		theirs = append(theirs, float64(last[1].Rows)/last[1].Seconds)
		ratios = append(ratios, last[1].Seconds/last[0].Seconds)
	}
	e.setRatio("rows a second, to go-mysql's parser", ratios)
	e.Log = s.log.size()
	e.Figures = map[string]float64{"rowferry, rows/s": spreadOf(ours).Median, "go-mysql, rows/s": spreadOf(theirs).Median}
	for i, name := range []string{"rowferry", "go-mysql"} {
		e.Figures[name+", rows/processor second"] = float64(last[i].Rows) / last[i].Processor
		e.Figures[name+", allocations/row"] = float64(last[i].Allocated.Objects) / float64(last[i].Rows)
		e.Figures[name+", allocated bytes/row"] = float64(last[i].Allocated.Bytes) / float64(last[i].Rows)
	}
	return e, nil
}
