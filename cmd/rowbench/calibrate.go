package main

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// headroom is how much longer a log is made than the calibration asks for, so
// that a faster turn still is long enough.
const headroom = 1.1

// calibrate finds the native replica's fastest way and makes the log so long that
// it takes as long as asked for. If the log ends too early for that, it is
// repeated on a longer one.
func (s *stage) calibrate(ctx context.Context, d durability, c *compared) error {
	goal := s.b.opts.time()
	each := trialTime(goal)
	if err := s.log.grow(ctx, int(float64(s.log.work.guess)*each.Seconds()*float64(len(waysOf(s.log.server.Kind))))); err != nil {
		return err
	}
	for {
		best, ended, err := s.native.fastest(ctx, d, each, s.b.say)
		if err != nil {
			return err
		}
		if ended {
			if err := s.log.grow(ctx, s.log.rows*4); err != nil {
				return err
			}
			continue
		}
		c.way = best.way
		perTx := float64(s.log.rows) / float64(s.log.txs)
		if err := s.native.stop(); err != nil {
			return err
		}
		return s.log.grow(ctx, int(best.rate*perTx*goal.Seconds()*headroom))
	}
}

// trialTime is how long a way is tried.
func trialTime(goal time.Duration) time.Duration { return max(goal/30, 50*time.Millisecond) }

// fastest gives each number of workers a share of one pass over the log.
func (n *native) fastest(ctx context.Context, d durability, each time.Duration, say func(string, ...any)) (best pace, ended bool, err error) {
	if err := n.begin(ctx, d, way{}); err != nil {
		return best, false, err
	}
	for _, w := range nativeWays {
		rate, ended, err := n.try(ctx, w.workers, each)
		if err != nil || ended {
			return best, ended, err
		}
		say("  calibration, %v: %.0f transactions/s", w, rate)
		if rate > best.rate {
			best = pace{w, rate}
		}
	}
	return best, false, nil
}

// try lets the replica go on for a while with so many workers. What it takes to
// start them does not count.
func (n *native) try(ctx context.Context, workers int, d time.Duration) (rate float64, ended bool, err error) {
	from, err := n.applied(ctx)
	if err != nil {
		return 0, false, err
	}
	if err := errors.Join(n.server.Exec(ctx, n.setWorkers(workers)), n.start(ctx)); err != nil {
		return 0, false, err
	}
	asked := time.Now()
	var begun time.Time // once it is under way
	seen := sqlMarker(n.server.DB(), markerQuery, n.log.marker)
	err = await(ctx, markerEvery, func() (bool, error) {
		if ended, err = seen(ctx); ended || err != nil {
			return true, err
		}
		if !begun.IsZero() {
			return time.Since(begun) >= d, nil
		}
		if time.Since(asked) > time.Second {
			asked = time.Now()
			if err := n.healthy(ctx); err != nil {
				return false, err
			}
		}
		at, err := n.applied(ctx)
		if err == nil && at > from {
			from, begun = at, time.Now()
		}
		return false, err
	})
	if err != nil || ended {
		return 0, ended, err
	}
	to, err := n.applied(ctx)
	if err != nil {
		return 0, false, err
	}
	took := time.Since(begun)
	if err := n.healthy(ctx); err != nil {
		return 0, false, err
	}
	return float64(to-from) / took.Seconds(), false, n.server.Exec(ctx, n.say("STOP SLAVE SQL_THREAD", "STOP REPLICA SQL_THREAD"))
}

// applied is the number of the last transaction the replica has committed, as
// its GTID says.
func (n *native) applied(ctx context.Context) (int64, error) {
	var set string
	query := n.say("SELECT @@global.gtid_slave_pos", "SELECT @@global.gtid_executed")
	if err := n.server.DB().QueryRowContext(ctx, query).Scan(&set); err != nil {
		return 0, err
	}
	return lastNumber(set)
}

// lastNumber is the last of a GTID set with one source: 0-1-100 of MariaDB,
// uuid:1-100 of MySQL, with gaps or without.
func lastNumber(set string) (int64, error) {
	number, err := strconv.ParseInt(set[strings.LastIndexAny(set, "-:,")+1:], 10, 64)
	if err != nil {
		return 0, fmt.Errorf("GTID set %q: %w", set, err)
	}
	return number, nil
}
