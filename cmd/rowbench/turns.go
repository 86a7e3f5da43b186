package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// stage is a source with a workload's log and those that apply it.
type stage struct {
	b       *bench
	log     *sourceLog
	native  *native
	ferries map[testdb.Kind]*ferry
}

// headroom is how much longer a log is made than the calibration asks for, so
// that a faster turn still is long enough.
const headroom = 1.1

// openStage starts a source and fills its tables.
func openStage(ctx context.Context, b *bench, k testdb.Kind, w *workload) (*stage, error) {
	b.say("%s %s: the rows before the clock", k, w.name)
	l, err := openLog(ctx, k, w, b.opts.scale)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k, w.name, err)
	}
	return &stage{b: b, log: l, ferries: map[testdb.Kind]*ferry{}}, nil
}

func (s *stage) close() error {
	var errs []error
	for _, f := range s.ferries {
		errs = append(errs, f.close())
	}
	if s.native != nil {
		errs = append(errs, s.native.close())
	}
	return errors.Join(append(errs, s.log.close())...)
}

// prepare brings those that a row needs to before the clock. It must be called
// before the log grows, for every target the stage will need.
func (s *stage) prepare(ctx context.Context, withNative bool, targets map[testdb.Kind]bool) error {
	if withNative {
		n, err := newNative(ctx, s.log)
		if err != nil {
			return err
		}
		s.native = n
	}
	for k := range targets {
		f, err := newFerry(ctx, s.b, s.log, k)
		if err != nil {
			return err
		}
		s.ferries[k] = f
	}
	return nil
}

// compared is what alternating turns yielded.
type compared struct {
	workers  int // of the native replica
	native   []time.Duration
	voyages  []*voyage
	settings map[string]string
}

// compare lets the native replica and Rowferry take turns.
func (s *stage) compare(ctx context.Context, d durability) (*compared, error) {
	c := &compared{}
	if err := s.calibrate(ctx, d, c); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	f := s.ferries[s.log.server.Kind]
	for len(c.voyages) < s.b.opts.turns {
		n, err := s.nativeTurn(ctx, d, c.workers)
		if err != nil {
			return nil, err
		}
		if least := s.b.opts.time(); n < least && len(c.native) == 0 {
			s.b.say("  the log is too short: %v", n)
			if err := s.log.grow(ctx, int(float64(s.log.rows)*float64(least)/float64(n)*headroom)); err != nil {
				return nil, err
			}
			continue
		}
		c.native = append(c.native, n)
		if c.settings == nil {
			if c.settings, err = s.settings(ctx, f); err != nil {
				return nil, err
			}
		}
		v, err := s.ferryTurn(ctx, f, d, 0)
		if err != nil {
			return nil, err
		}
		c.voyages = append(c.voyages, v)
	}
	return c, nil
}

// settings are the native replica's. Rowferry's target must have the same
// indexes.
func (s *stage) settings(ctx context.Context, f *ferry) (map[string]string, error) {
	all, err := settings(ctx, s.native.server)
	if err != nil {
		return nil, err
	}
	g, ok := f.goal.(*mysqlGoal)
	if !ok {
		return all, nil
	}
	if err := g.server.Reset(ctx); err != nil {
		return nil, err
	}
	return all, sameIndexes(ctx, s.native.server, g.server)
}

// nativeTurn is a turn of the native replica that counts.
func (s *stage) nativeTurn(ctx context.Context, d durability, workers int) (time.Duration, error) {
	n, err := s.native.turn(ctx, d, workers)
	if err == nil {
		s.b.say("  native, %d workers: %v, %.0f rows/s", workers, n.Round(time.Millisecond), rate(s.log.rows, n))
		err = s.b.judge.equal(ctx, s.log, s.native.server.URL(database), "mysql")
	}
	if err != nil {
		return 0, fmt.Errorf("native turn: %w", err)
	}
	return n, nil
}

// ferryTurn is a turn of Rowferry that counts.
func (s *stage) ferryTurn(ctx context.Context, f *ferry, d durability, port int) (*voyage, error) {
	v, err := f.turn(ctx, d, port)
	if err == nil {
		s.b.say("  rowferry: %v, %.0f rows/s, %d transactions in %d batches", v.took.Round(time.Millisecond), rate(s.log.rows, v.took), v.summary.Transactions, v.summary.Batches)
		err = errors.Join(v.check(s.log), s.b.judge.equal(ctx, s.log, f.goal.judge(), f.goal.dialect()))
	}
	if err != nil {
		return nil, fmt.Errorf("rowferry's turn: %w", err)
	}
	return v, nil
}

// calibrate makes the log so long that the native replica's fastest worker
// count takes as long as asked for, and finds that count.
func (s *stage) calibrate(ctx context.Context, d durability, c *compared) error {
	goal := s.b.opts.time()
	enough := min(goal, max(goal/10, time.Second))
	if err := s.log.grow(ctx, int(float64(s.log.work.guess)*enough.Seconds())); err != nil {
		return err
	}
	for {
		took, err := s.native.turn(ctx, d, 4)
		if err != nil {
			return err
		}
		if took >= enough*2/3 {
			break
		}
		factor := min(10, enough.Seconds()/took.Seconds()*headroom)
		if err := s.log.grow(ctx, int(float64(s.log.rows)*factor)); err != nil {
			return err
		}
	}
	best := time.Duration(0)
	for _, workers := range workerCounts {
		took, err := s.native.turn(ctx, d, workers)
		if err != nil {
			return err
		}
		s.b.say("  calibration, %d workers: %.0f rows/s", workers, rate(s.log.rows, took))
		if best == 0 || took < best {
			best, c.workers = took, workers
		}
	}
	return s.log.grow(ctx, int(rate(s.log.rows, best)*goal.Seconds()*headroom))
}

func rate(rows int, d time.Duration) float64 { return float64(rows) / d.Seconds() }

// Bounds of a group of source transactions that commit together.
const mostGrouped = 1000

// check reports an error if a run by its own words did something else than
// apply the log, or may not count.
func (v *voyage) check(l *sourceLog) error {
	s := v.summary
	// The marker's transactions are one for each time the log grew.
	if want := uint64(l.rows) + uint64(l.marker) - 1; s.Rows != want {
		return fmt.Errorf("it says it applied %d rows, the log has %d", s.Rows, want)
	}
	if s.Transactions > s.Batches*mostGrouped {
		return fmt.Errorf("%d transactions in %d batches: a group of more than %d", s.Transactions, s.Batches, mostGrouped)
	}
	return nil
}
