package main

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"slices"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// stage is a source with a workload's log and those that apply it.
type stage struct {
	b       *bench
	log     *sourceLog
	native  replica // nil where none is measured
	ferries map[testdb.Kind]*ferry
	kept    map[testdb.Kind]*ferry // those that keep the source's keys, where the others do not
	broken  map[testdb.Kind]error  // targets that have no ferry, and why
	copies  *copyStage             // nil where no copy is measured
}

// openStage starts a source and fills its tables.
func openStage(ctx context.Context, b *bench, k testdb.Kind, w *workload) (*stage, error) {
	b.say("%s %s: the rows before the clock", k, w.name)
	l, err := openLog(ctx, k, w, b.opts)
	if err != nil {
		return nil, fmt.Errorf("%s %s: %w", k, w.name, err)
	}
	return &stage{b: b, log: l, ferries: map[testdb.Kind]*ferry{}, kept: map[testdb.Kind]*ferry{}, broken: map[testdb.Kind]error{}}, nil
}

func (s *stage) close() error {
	var errs []error
	for f := range s.all() {
		errs = append(errs, f.close())
	}
	if s.native != nil {
		errs = append(errs, s.native.close())
	}
	return errors.Join(append(errs, s.copies.close(), s.log.close())...)
}

// all are the stage's ferries.
func (s *stage) all() iter.Seq[*ferry] {
	return func(yield func(*ferry) bool) {
		for _, some := range []map[testdb.Kind]*ferry{s.ferries, s.kept} {
			for _, f := range some {
				if !yield(f) {
					return
				}
			}
		}
	}
}

// quiet ends all but the source, whatever a turn that failed has left.
func (s *stage) quiet() error {
	var errs []error
	for f := range s.all() {
		errs = append(errs, f.goal.stop())
	}
	if s.native != nil {
		errs = append(errs, s.native.stop())
	}
	return errors.Join(append(errs, s.copies.stop())...)
}

// prepare brings those that a row needs to before the clock. It must be called
// before the log grows, for every target the stage will need. A target that
// cannot be brought there is broken, and no error.
func (s *stage) prepare(ctx context.Context, withNative bool, targets map[testdb.Kind]bool) error {
	if withNative {
		n, err := newReplica(ctx, s.log, s.b.opts)
		if err != nil {
			return err
		}
		s.native = n
	}
	for k := range targets {
		f, err := newFerry(ctx, s.b, s.log, k, s.log.work.allocated != nil)
		if err != nil {
			s.broken[k] = err
			continue
		}
		s.ferries[k] = f
	}
	return ctx.Err()
}

// prepareKept is prepare for those that keep the source's keys.
func (s *stage) prepareKept(ctx context.Context, targets map[testdb.Kind]bool) (err error) {
	for k := range targets {
		if s.kept[k], err = newFerry(ctx, s.b, s.log, k, false); err != nil {
			delete(s.kept, k)
			return err
		}
	}
	return nil
}

// compared is what alternating turns yielded.
type compared struct {
	way      way // of the native replica
	native   []time.Duration
	voyages  []*voyage
	settings map[string]string
	keys     [][2]string // indexes and foreign keys
}

// compare lets the native replica and Rowferry take turns.
func (s *stage) compare(ctx context.Context, d durability) (*compared, error) {
	c := &compared{}
	if err := s.calibrate(ctx, d, c); err != nil {
		return nil, fmt.Errorf("calibrate: %w", err)
	}
	f := s.ferries[s.log.server.Kind]
	for len(c.voyages) < s.b.opts.turns {
		n, err := s.nativeTurn(ctx, d, c)
		if err != nil {
			return nil, fmt.Errorf("native turn: %w", err)
		}
		if least := s.b.opts.time(); n < least && len(c.native) == 0 {
			s.b.say("  the log is too short: %v", n)
			if err := s.log.grow(ctx, int(float64(s.log.rows)*float64(least)/float64(n)*headroom)); err != nil {
				return nil, err
			}
			continue
		}
		c.native = append(c.native, n)
		v, err := s.ferryTurn(ctx, f, d, 0, c)
		if err != nil {
			return nil, fmt.Errorf("rowferry's turn: %w", err)
		}
		c.voyages = append(c.voyages, v)
	}
	return c, nil
}

// nativeTurn is a turn of the native replica that counts.
func (s *stage) nativeTurn(ctx context.Context, d durability, c *compared) (time.Duration, error) {
	n, err := s.log.apply(ctx, s.native, d, c.way)
	if err != nil {
		return 0, err
	}
	s.b.say("  native, %v: %v, %.0f rows/s", c.way, n.Round(time.Millisecond), rate(s.log.rows, n))
	server := s.native.host()
	if err := s.b.judge.equal(ctx, s.log, judged(server), dialectOf(server)); err != nil {
		return 0, err
	}
	if c.settings, err = settings(ctx, server); err != nil {
		return 0, err
	}
	if c.keys, err = keysOf(ctx, server); err != nil {
		return 0, err
	}
	return n, s.native.stop()
}

// ferryTurn is a turn of Rowferry that counts, by another port of the target
// unless 0. The target must be like the native replica, if one is given.
func (s *stage) ferryTurn(ctx context.Context, f *ferry, d durability, port int, like *compared) (*voyage, error) {
	v, err := f.turn(ctx, d, port)
	if err != nil {
		return nil, err
	}
	s.b.say("  rowferry: %v, %.0f rows/s, %d transactions in %d batches", v.took.Round(time.Millisecond), rate(s.log.rows, v.took), v.summary.Transactions, v.summary.Batches)
	if err := errors.Join(v.check(s.log), s.same(ctx, f)); err != nil {
		return nil, err
	}
	if like != nil {
		if err := like.require(ctx, f.goal.host()); err != nil {
			return nil, err
		}
	}
	return v, f.goal.stop()
}

// same reports an error unless a ferry's target has what the source has.
func (s *stage) same(ctx context.Context, f *ferry) error {
	if f.config != "" {
		return s.log.sameRows(ctx, f.goal.host())
	}
	return s.b.judge.equal(ctx, s.log, f.goal.judge(), f.goal.dialect())
}

// require reports an error unless a target has the native replica's indexes,
// foreign keys and settings.
func (c *compared) require(ctx context.Context, target *testdb.Server) error {
	keys, err := keysOf(ctx, target)
	if err != nil {
		return err
	}
	if !slices.Equal(c.keys, keys) {
		return fmt.Errorf("the native replica has keys %v, Rowferry's target %v", c.keys, keys)
	}
	all, err := settings(ctx, target)
	if err != nil {
		return err
	}
	for _, name := range sortedKeys(c.settings) {
		if all[name] != c.settings[name] && !isWorkers[name] {
			return fmt.Errorf("the native replica has %s = %s, Rowferry's target %s", name, c.settings[name], all[name])
		}
	}
	return nil
}

func rate(rows int, d time.Duration) float64 { return float64(rows) / d.Seconds() }

// check reports an error if a run by its own words did something else than
// apply the log.
func (v *voyage) check(l *sourceLog) error {
	// The marker's transactions are one for each time the log grew.
	if want := uint64(l.rows) + uint64(l.marker) - 1; v.summary.Rows != want {
		return fmt.Errorf("it says it applied %d rows, the log has %d", v.summary.Rows, want)
	}
	if v.summary.Transactions > v.summary.Batches*v.summary.MostTransactions {
		return fmt.Errorf("it says it applied %d transactions in %d batches of at most %d", v.summary.Transactions, v.summary.Batches, v.summary.MostTransactions)
	}
	return nil
}
