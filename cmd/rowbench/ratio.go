package main

import (
	"context"
	"fmt"
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
	e.setRowferry(s.log, c.voyages)
	e.Native = c.way.side()
	e.Native.setTimes(s.log.rows, c.native)
	e.Settings = c.settings
	return []*entry{e}, nil
}

// side is a native replica's that applied in this way.
func (w way) side() *side {
	if w.options != "" {
		return &side{Options: w.options}
	}
	return &side{Workers: &w.workers}
}

// setRowferry puts Rowferry's turns on a log into the entry, and why they do not
// count, if so.
func (e *entry) setRowferry(l *sourceLog, voyages []*voyage) {
	e.Log, e.Rowferry = l.size(), ferrySide(l, voyages)
	e.Void = e.Rowferry.Groups.void()
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
// turn's, but the bounds of a group, which are all turns'.
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
	for _, v := range voyages {
		s.Groups.MostTransactions = max(s.Groups.MostTransactions, v.summary.MostTransactions)
		s.Groups.LongestSeconds = max(s.Groups.LongestSeconds, v.summary.LongestSeconds)
	}
	return s
}

func (v *voyage) groups() *groupResult {
	s := v.summary
	g := &groupResult{
		Batches: s.Batches, Fallbacks: s.Fallbacks, Splits: s.Splits, Spilled: s.Spilled,
		MostTransactions: s.MostTransactions, LongestSeconds: s.LongestSeconds, Compaction: s.Compaction,
	}
	if g.Batches > 0 {
		g.MeanTransactions = float64(v.summary.Transactions) / float64(g.Batches)
	}
	return g
}

// Bounds of a group of source transactions that commit together, without which
// a comparison would be of something else.
const (
	mostGrouped = 1000
	longestSpan = 1.0 // seconds between commits at the source, which are whole ones on MariaDB: less than that
)

// void tells why what was grouped so does not count, "" if it does.
func (g *groupResult) void() string {
	switch {
	case g.MostTransactions > mostGrouped:
		return fmt.Sprintf("a group of %d transactions", g.MostTransactions)
	case g.LongestSeconds >= longestSpan:
		return fmt.Sprintf("a group of %.3f seconds at the source", g.LongestSeconds)
	default:
		return ""
	}
}
