package main

import (
	"context"
	"time"
)

// measureRatio compares Rowferry's rate with the native replica's.
func measureRatio(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	c, err := s.compare(ctx, r.durability)
	if err != nil {
		return nil, err
	}
	e := newEntry(r)
	var ratios []float64
	for i, v := range c.voyages {
		ratios = append(ratios, c.native[i].Seconds()/v.took.Seconds())
	}
	e.setRatio("rows a second, to the native replica's", ratios)
	e.Log = s.log.size()
	e.Native = &side{Workers: &c.workers}
	e.Native.setTimes(s.log.rows, c.native)
	e.Rowferry = ferrySide(s.log, c.voyages)
	e.Settings = c.settings
	return []*entry{e}, nil
}

func (l *sourceLog) size() *logSize { return &logSize{Rows: l.rows, Transactions: l.txs} }

func (s *side) setTimes(rows int, times []time.Duration) {
	var seconds, rates []float64
	for _, d := range times {
		seconds = append(seconds, d.Seconds())
		rates = append(rates, rate(rows, d))
	}
	s.Seconds, s.RowsPerSecond = spreadOf(seconds), spreadOf(rates)
}

// ferrySide is what Rowferry did in its turns; tables and groups are the last
// turn's.
func ferrySide(l *sourceLog, voyages []*voyage) *side {
	s := &side{}
	var times []time.Duration
	var cpu []float64
	for _, v := range voyages {
		times = append(times, v.took)
		cpu = append(cpu, v.cpu.Seconds()*1e6/float64(l.rows))
		s.PeakAnonymous = max(s.PeakAnonymous, v.peak)
	}
	s.setTimes(l.rows, times)
	s.CPUSeconds = spreadOf(cpu)
	last := voyages[len(voyages)-1]
	for _, t := range last.summary.Tables {
		if rows := t.Inserts + t.Updates + t.Deletes; rows > 0 {
			s.Tables = append(s.Tables, tableRate{t.Table, rows, float64(rows) / last.took.Seconds()})
		}
	}
	s.Groups = last.groups()
	return s
}

func (v *voyage) groups() *groupResult {
	g := &groupResult{Batches: v.summary.Batches, Fallbacks: v.summary.Fallbacks, Spilled: v.summary.Spilled}
	g.MostTransactions, g.LongestSeconds, g.Compaction = v.summary.MostTransactions, v.summary.LongestSeconds, v.summary.Compaction
	if g.Batches > 0 {
		g.MeanTransactions = float64(v.summary.Transactions) / float64(g.Batches)
	}
	return g
}
