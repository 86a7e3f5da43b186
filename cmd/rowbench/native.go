package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/rowferry/rowferry/internal/testdb"
)

// native is MySQL's or MariaDB's own replica of a source.
type native struct {
	server  *testdb.Server
	log     *sourceLog
	mariadb bool
}

// nativeWays are numbers of workers. MySQL's 1 is MariaDB's 0: no workers beside
// the thread that reads.
var nativeWays = []way{{workers: 0}, {workers: 2}, {workers: 4}, {workers: 8}}

// newNative makes a server a replica that has applied what is logged so far, and
// takes it over.
func newNative(ctx context.Context, s *testdb.Server, l *sourceLog) (replica, error) {
	n := &native{server: s, log: l, mariadb: isMariaDB(s)}
	err := s.Follow(ctx, l.server)
	if err == nil {
		err = l.awaitMarker(ctx, n)
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

// begin fetches the whole log too.
func (n *native) begin(ctx context.Context, d durability, w way) error {
	if err := n.server.Reset(ctx); err != nil {
		return err
	}
	if err := setDurability(ctx, n.server, d); err != nil {
		return err
	}
	if err := n.server.Exec(ctx, n.setWorkers(w.workers), n.say("START SLAVE IO_THREAD", "START REPLICA IO_THREAD")); err != nil {
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

// awaitFetched waits until all of the log is in the replica's relay log.
func (n *native) awaitFetched(ctx context.Context) error {
	file, offset, err := n.log.origin.(*mysqlOrigin).place(ctx)
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

func (n *native) healthy(ctx context.Context) error {
	_, err := n.status(ctx)
	return err
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

func (n *native) start(ctx context.Context) error {
	return n.server.Exec(ctx, n.say("START SLAVE SQL_THREAD", "START REPLICA SQL_THREAD"))
}

func (n *native) host() *testdb.Server { return n.server }
func (n *native) stop() error          { return n.server.Kill() }
func (n *native) close() error         { return n.server.Close() }
