package main

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// Steady load for latencies, and what the control must be under for them to
// count.
const (
	steadyEvery = 5 * time.Millisecond // 200 transactions a second
	mostControl = 0.1                  // milliseconds, at p50
)

// latencyTime is how long the load lasts.
func (o *options) latencyTime() time.Duration { return min(o.time(), max(o.time()/6, 2*time.Second)) }

// latencies are in milliseconds, from a commit's answer until a reader sees it.
type latencies struct{ p50, p99 float64 }

// measureLatency compares commit to visible: on the native replica, on
// Rowferry's target, and as a control on the source itself.
func measureLatency(ctx context.Context, s *stage, r *row) ([]*entry, error) {
	f := s.ferries[r.target]
	var control, replica, ferry []latencies
	for range s.b.opts.turns {
		c, err := s.steady(ctx, s.log.server)
		if err != nil {
			return nil, fmt.Errorf("control: %w", err)
		}
		n, err := s.nativeLatency(ctx, r.durability)
		if err != nil {
			return nil, fmt.Errorf("native replica: %w", err)
		}
		o, err := s.ferryLatency(ctx, f, r.durability)
		if err != nil {
			return nil, fmt.Errorf("rowferry: %w", err)
		}
		s.b.say("  p50 and p99 in ms: control %.3f %.3f, native %.3f %.3f, rowferry %.3f %.3f", c.p50, c.p99, n.p50, n.p99, o.p50, o.p99)
		control, replica, ferry = append(control, c), append(replica, n), append(ferry, o)
	}
	return []*entry{
		latencyEntry(r, "latency p50", control, replica, ferry, func(l latencies) float64 { return l.p50 }),
		latencyEntry(r, "latency p99", control, replica, ferry, func(l latencies) float64 { return l.p99 }),
	}, nil
}

func latencyEntry(r *row, name string, control, replica, ferry []latencies, of func(latencies) float64) *entry {
	one := *r
	one.workload, one.figure = name, figure{reach: 3, lower: true}
	e := newEntry(&one)
	var ratios []float64
	var all [3][]float64
	for i := range control {
		ratios = append(ratios, of(ferry[i])/of(replica[i]))
		for k, l := range []latencies{control[i], replica[i], ferry[i]} {
			all[k] = append(all[k], of(l))
		}
	}
	e.setRatio("commit to visible, to the native replica's", ratios)
	e.Figures = map[string]float64{
		"control, ms": spreadOf(all[0]).Median, "native, ms": spreadOf(all[1]).Median, "rowferry, ms": spreadOf(all[2]).Median,
	}
	var medians []float64
	for _, l := range control {
		medians = append(medians, l.p50)
	}
	if m := spreadOf(medians).Median; m >= mostControl {
		e.Void = fmt.Sprintf("the control's p50 is %.3f ms, not under %g", m, mostControl)
	}
	return e
}

// nativeLatency has the native replica follow. It applies with one thread,
// which is as quick as it gets at this load.
func (s *stage) nativeLatency(ctx context.Context, d durability) (l latencies, err error) {
	n := s.native
	if err := n.begin(ctx, d, waysOf(s.log.server.Kind)[0]); err != nil {
		return l, err
	}
	if err := n.start(ctx); err != nil {
		return l, err
	}
	if err := s.log.awaitMarker(ctx, n); err != nil {
		return l, err
	}
	if l, err = s.steady(ctx, n.host()); err != nil {
		return l, err
	}
	return l, errors.Join(s.b.judge.equal(ctx, s.log, judged(n.host()), dialectOf(n.host())), n.stop())
}

// ferryLatency has Rowferry follow, and ends it as an operator would.
func (s *stage) ferryLatency(ctx context.Context, f *ferry, d durability) (l latencies, err error) {
	if err := f.begin(ctx, d); err != nil {
		return l, err
	}
	cmd := f.command(ctx, 0)
	var logged strings.Builder
	cmd.Stderr = &logged
	going, stop := context.WithCancel(ctx)
	defer stop()
	ended, err := startChild(cmd, stop)
	if err != nil {
		return l, err
	}
	err = await(going, f.pause, func() (bool, error) { return f.goal.marker(s.log.marker)(going) })
	if err == nil {
		l, err = s.steady(going, f.goal.host())
	}
	err = errors.Join(err, cmd.Process.Signal(syscall.SIGTERM), <-ended)
	if err != nil {
		return l, fmt.Errorf("%w\n%s", err, tail(logged.String()))
	}
	return l, errors.Join(s.b.judge.equal(ctx, s.log, f.goal.judge(), f.goal.dialect()), f.goal.stop())
}

// steady writes at a steady rate while a server that follows, or the source
// itself, is asked without a pause how far it is.
func (s *stage) steady(ctx context.Context, at *testdb.Server) (l latencies, err error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	count := max(50, int(s.b.opts.latencyTime()/steadyEvery))
	first := s.log.marker + 1
	last := first + int64(count) - 1
	var committed, seen []time.Time
	var writeErr, readErr error
	var both sync.WaitGroup
	both.Go(func() {
		if seen, readErr = watchMarker(ctx, at, first, last); readErr != nil {
			cancel()
		}
	})
	if committed, writeErr = s.log.beat(ctx, count); writeErr != nil {
		cancel()
	}
	both.Wait()
	if err := errors.Join(writeErr, readErr); err != nil {
		return l, err
	}
	waits := make([]float64, count)
	for i := range waits {
		waits[i] = max(0, seen[i].Sub(committed[i]).Seconds()*1000)
	}
	slices.Sort(waits)
	return latencies{p50: waits[count/2], p99: waits[count*99/100]}, nil
}

// beat writes transactions at a steady rate, each of which moves the marker,
// and returns when each was answered.
func (l *sourceLog) beat(ctx context.Context, count int) (at []time.Time, err error) {
	tick := time.NewTicker(steadyEvery)
	defer tick.Stop()
	for range count {
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-tick.C:
		}
		sql, rows := l.writers[0].next(nil)
		l.marker++
		text := strings.TrimSuffix(string(sql), "COMMIT;") + fmt.Sprintf("UPDATE marker SET n = %d WHERE id = 1;COMMIT;", l.marker)
		if err := l.run(ctx, l.conns[0], text, rows+1); err != nil {
			return nil, err
		}
		at = append(at, time.Now())
		l.rows += rows
		l.txs++
	}
	return at, nil
}

// watchMarker asks a server without a pause and returns when each number of the
// marker, or a later one, was seen first.
func watchMarker(ctx context.Context, s *testdb.Server, first, last int64) (seen []time.Time, err error) {
	conn, err := s.DB().Conn(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, conn.Close()) }()
	err = conn.Raw(func(c any) error {
		for next := first; next <= last; {
			n, err := askMarker(ctx, c.(driver.QueryerContext))
			now := time.Now()
			if err != nil {
				return err
			}
			for ; next <= min(n, last); next++ {
				seen = append(seen, now)
			}
		}
		return nil
	})
	return seen, err
}

// askMarker asks through the driver alone, which takes the least time.
func askMarker(ctx context.Context, c driver.QueryerContext) (n int64, err error) {
	rows, err := c.QueryContext(ctx, markerQuery, nil)
	if err != nil {
		return 0, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	value := make([]driver.Value, 1)
	if err := rows.Next(value); err != nil {
		if errors.Is(err, io.EOF) {
			err = sql.ErrNoRows
		}
		return 0, err
	}
	text, ok := value[0].([]byte)
	if !ok {
		number, ok := value[0].(int64)
		if !ok {
			return 0, fmt.Errorf("the marker is a %T", value[0])
		}
		return number, nil
	}
	return lastNumber(string(text))
}
