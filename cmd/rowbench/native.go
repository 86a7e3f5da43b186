package main

import (
	"context"
	"database/sql"
	"errors"
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

// native is the database's own replica of a source.
type native struct {
	server  *testdb.Server
	log     *sourceLog
	mariadb bool
}

// workerCounts are those that are tried to find the fastest. MySQL's 1 is
// MariaDB's 0: no workers beside the thread that reads.
var workerCounts = []int{0, 2, 4, 8}

// newNative starts a replica, lets it apply what is logged so far and saves it.
func newNative(ctx context.Context, l *sourceLog, o *options) (*native, error) {
	s, err := testdb.Launch(ctx, l.server.Kind, targetOptions(l.server.Kind, 2, o.redo())...)
	if err != nil {
		return nil, err
	}
	n := &native{server: s, log: l, mariadb: isMariaDB(s)}
	err = s.Follow(ctx, l.server)
	if err == nil {
		err = n.awaitMarker(ctx)
	}
	if err == nil {
		err = s.Exec(ctx, n.say("STOP SLAVE", "STOP REPLICA"))
	}
	if err == nil {
		err = s.Save(ctx)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("native replica: %w", err), s.Close())
	}
	return n, nil
}

func isMariaDB(s *testdb.Server) bool { return s.Kind.Flavor() == testdb.MariaDB }

// say returns the flavor's words.
func (n *native) say(mariadb, mysql string) string {
	if n.mariadb {
		return mariadb
	}
	return mysql
}

// begin puts the replica back to before the clock, fetches the whole log and
// warms up.
func (n *native) begin(ctx context.Context, d durability, workers int) error {
	if err := n.server.Reset(ctx); err != nil {
		return err
	}
	if err := setDurability(ctx, n.server, d); err != nil {
		return err
	}
	if err := n.server.Exec(ctx, n.setWorkers(workers), n.say("START SLAVE IO_THREAD", "START REPLICA IO_THREAD")); err != nil {
		return err
	}
	if err := n.awaitFetched(ctx); err != nil {
		return err
	}
	return warm(ctx, n.server)
}

func (n *native) setWorkers(workers int) string {
	if n.mariadb {
		return fmt.Sprintf("SET GLOBAL slave_parallel_threads = %d", workers)
	}
	return fmt.Sprintf("SET GLOBAL replica_parallel_workers = %d", max(1, workers))
}

// turn lets the replica apply the log and returns how long it took.
func (n *native) turn(ctx context.Context, d durability, workers int) (time.Duration, error) {
	if err := n.begin(ctx, d, workers); err != nil {
		return 0, fmt.Errorf("native replica: %w", err)
	}
	syscall.Sync() // what was written before is not to slow it down
	begun := time.Now()
	err := n.server.Exec(ctx, n.start())
	if err == nil {
		err = n.awaitMarker(ctx)
	}
	took := time.Since(begun)
	if err != nil {
		return 0, fmt.Errorf("native replica: %w", err)
	}
	return took, nil
}

// awaitFetched waits until all of the log is in the replica's relay log.
func (n *native) awaitFetched(ctx context.Context) error {
	file, offset, err := n.log.place(ctx)
	if err != nil {
		return err
	}
	return await(ctx, otherEvery, func() (bool, error) {
		line, err := n.status(ctx)
		if err != nil {
			return false, err
		}
		return line[n.say("Master_Log_File", "Source_Log_File")] == file && line[n.say("Read_Master_Log_Pos", "Read_Source_Log_Pos")] == offset, nil
	})
}

// status is the replica's own, an error if it has stopped with one.
func (n *native) status(ctx context.Context) (map[string]string, error) {
	line, err := oneLine(ctx, n.server.DB(), n.say("SHOW SLAVE STATUS", "SHOW REPLICA STATUS"))
	if err != nil {
		return nil, err
	}
	for _, name := range []string{"Last_SQL_Error", "Last_IO_Error"} {
		if line[name] != "" {
			return nil, fmt.Errorf("it stopped: %s", line[name])
		}
	}
	return line, nil
}

// awaitMarker waits until the log's last row is visible.
func (n *native) awaitMarker(ctx context.Context) error {
	asked := time.Now()
	seen := sqlMarker(n.server.DB(), markerQuery, n.log.marker)
	return await(ctx, markerEvery, func() (bool, error) {
		if time.Since(asked) > time.Second {
			asked = time.Now()
			if _, err := n.status(ctx); err != nil {
				return false, err
			}
		}
		return seen(ctx)
	})
}

const markerQuery = "SELECT n FROM " + database + ".marker WHERE id = 1"

// sqlMarker returns what asks a server whether the marker is visible. Before
// the table is there it is not.
func sqlMarker(db *sql.DB, query string, marker int64) func(context.Context) (bool, error) {
	return func(ctx context.Context) (bool, error) {
		var n int64
		err := db.QueryRowContext(ctx, query).Scan(&n)
		if errors.Is(err, sql.ErrNoRows) || isNoTable(err) {
			return false, nil
		}
		return n == marker, err
	}
}

func (n *native) start() string { return n.say("START SLAVE SQL_THREAD", "START REPLICA SQL_THREAD") }

// stop ends the replica until its next turn, so that it does nothing while
// others have theirs.
func (n *native) stop() error { return n.server.Kill() }

func (n *native) close() error { return n.server.Close() }
