package main

import (
	"context"
	"fmt"
	"syscall"
	"time"

	"github.com/rowferry/rowferry/internal/testdb"
)

// How often is asked: for the marker, whose lateness counts but which takes the
// processor from both sides, and for all else.
const (
	markerEvery = 5 * time.Millisecond
	otherEvery  = 20 * time.Millisecond
)

// replica is a database's own replica of a source. It is saved, as it was before
// the clock, when it does not run.
type replica interface {
	// host is its server.
	host() *testdb.Server
	// begin puts it back to before the clock, has it ready to apply in that way,
	// and warms it up.
	begin(ctx context.Context, d durability, w way) error
	// start has it apply.
	start(ctx context.Context) error
	// healthy is an error once it has stopped with one.
	healthy(ctx context.Context) error
	// fastest tries the ways there are for so long each, and tells whether the
	// log ended before all had their time.
	fastest(ctx context.Context, d durability, each time.Duration, say func(string, ...any)) (best pace, ended bool, err error)
	// stop ends it until its next turn, so that it does nothing while others have
	// theirs.
	stop() error
	close() error
}

// way is how a native replica applies: with how many workers, or by which
// options of its subscription.
type way struct {
	workers int
	options string // PostgreSQL's
}

func (w way) String() string {
	if w.options != "" {
		return w.options
	}
	return fmt.Sprintf("%d workers", w.workers)
}

// waysOf are those that are tried to find a kind's fastest.
func waysOf(k testdb.Kind) []way {
	if k.Flavor() == testdb.Postgres {
		return subscriberWays(k)
	}
	return nativeWays
}

// pace is how many transactions a second are applied in a way.
type pace struct {
	way  way
	rate float64
}

// newReplica starts a replica, lets it apply what is logged so far and saves it.
func newReplica(ctx context.Context, l *sourceLog, o *options) (replica, error) {
	s, err := testdb.Launch(ctx, l.server.Kind, targetOptions(l.server.Kind, 2, o.redo())...)
	if err != nil {
		return nil, err
	}
	if s.Kind.Flavor() == testdb.Postgres {
		return newSubscriber(ctx, s, l)
	}
	return newNative(ctx, s, l)
}

// apply lets a replica apply the log and returns how long it took.
func (l *sourceLog) apply(ctx context.Context, n replica, d durability, w way) (time.Duration, error) {
	if err := n.begin(ctx, d, w); err != nil {
		return 0, fmt.Errorf("native replica: %w", err)
	}
	syscall.Sync() // what was written before is not to slow it down
	begun := time.Now()
	err := n.start(ctx)
	if err == nil {
		err = l.awaitMarker(ctx, n)
	}
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("native replica: %w", err)
	}
	return took, nil
}

// awaitMarker waits until the log's last row is visible at a replica.
func (l *sourceLog) awaitMarker(ctx context.Context, n replica) error {
	asked := time.Now()
	seen := sqlMarker(n.host().DB(), markerQuery, l.marker)
	return await(ctx, markerEvery, func() (bool, error) {
		if time.Since(asked) > time.Second {
			asked = time.Now()
			if err := n.healthy(ctx); err != nil {
				return false, err
			}
		}
		return seen(ctx)
	})
}
