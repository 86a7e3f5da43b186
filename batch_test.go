package rowferry

import (
	"testing"
	"time"
)

// TestBatchDuration: commit times need not rise along the log.
func TestBatchDuration(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		offsets []time.Duration
		want    time.Duration
	}{
		{[]time.Duration{0}, 0},
		{[]time.Duration{0, 200, 900}, 900},
		{[]time.Duration{500, 900, 100, 300}, 800},
		{[]time.Duration{900, 0}, 900},
	} {
		b := &batch{}
		for _, o := range c.offsets {
			b.txs = append(b.txs, &txn{end: &Tx{CommitTime: at.Add(o)}})
		}
		if got := b.duration(); got != c.want {
			t.Errorf("%v span %v, want %v", c.offsets, got, c.want)
		}
	}
}

// TestProgressOfBatches: the largest batch and the longest one are kept apart,
// and what was written is summed up.
func TestProgressOfBatches(t *testing.T) {
	at := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	commits := func(offsets ...time.Duration) *batch {
		b := &batch{}
		for _, o := range offsets {
			b.txs = append(b.txs, &txn{end: &Tx{CommitTime: at.Add(o)}})
		}
		return b
	}
	var s stats
	s.committed(commits(0, 0, 0), tally{mutations: 9, written: 4}, Checkpoint{})
	s.committed(commits(0, time.Second), tally{mutations: 2, written: 2}, Checkpoint{})
	s.committed(commits(time.Minute), tally{}, Checkpoint{})
	p := s.progress
	if p.MostTransactions != 3 || p.LongestSpan != time.Second || p.Mutations != 11 || p.Written != 6 || p.Batches != 3 || p.Transactions != 6 {
		t.Errorf("progress %+v", p)
	}
}
