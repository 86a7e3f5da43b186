package testdb

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// replicaPatience is how long a replica may take to catch up.
const replicaPatience = 2 * time.Minute

// WithoutGTIDs makes MySQL log transactions without GTIDs, as it does unless
// told otherwise. MariaDB always logs them and refuses the option.
func WithoutGTIDs() Option {
	return func(c *config) {
		c.arg("gtid_mode=OFF")
		c.arg("enforce_gtid_consistency=OFF")
	}
}

// ServerID sets server_id, 1 unless said, for a server that is to Follow
// another, and makes MariaDB log what it receives, as MySQL does by itself.
func ServerID(id int) Option {
	return func(c *config) {
		c.private = true
		c.arg("server_id=%d", id)
		if c.flavor == MariaDB {
			c.arg("log_slave_updates=ON")
		}
	}
}

// Follow makes a fresh server a replica, by GTID, of one of the same flavor that
// has another ServerID, from the beginning of its log.
func (s *Server) Follow(ctx context.Context, primary *Server) error {
	to := "_HOST = '127.0.0.1', %[1]s_PORT = " + strconv.Itoa(primary.Port) +
		", %[1]s_USER = 'root', %[1]s_CONNECT_RETRY = 1"
	if s.Kind.Flavor() == MariaDB {
		return s.Exec(ctx, "SET GLOBAL gtid_slave_pos = ''",
			fmt.Sprintf("CHANGE MASTER TO %[1]s"+to+", %[1]s_USE_GTID = slave_pos", "MASTER"), "START SLAVE")
	}
	return s.Exec(ctx,
		fmt.Sprintf("CHANGE REPLICATION SOURCE TO %[1]s"+to+", %[1]s_AUTO_POSITION = 1", "SOURCE"), "START REPLICA")
}

// CatchUp waits until a replica has committed all its primary has logged now.
func (s *Server) CatchUp(ctx context.Context, primary *Server) error {
	set, err := primary.Executed(ctx)
	if err != nil {
		return err
	}
	wait := "SELECT WAIT_FOR_EXECUTED_GTID_SET(?, ?)"
	if s.Kind.Flavor() == MariaDB {
		wait = "SELECT MASTER_GTID_WAIT(?, ?)"
	}
	var late int
	if err := s.db.QueryRowContext(ctx, wait, set, int(replicaPatience.Seconds())).Scan(&late); err != nil {
		return fmt.Errorf("testdb: wait for a replica: %w", err)
	}
	if late != 0 {
		return fmt.Errorf("testdb: the replica lacks some of %s after %v", set, replicaPatience)
	}
	return nil
}

// Promote ends Follow: the replica has what it has and follows nobody.
func (s *Server) Promote(ctx context.Context) error {
	if s.Kind.Flavor() == MariaDB {
		return s.Exec(ctx, "STOP SLAVE", "RESET SLAVE ALL")
	}
	return s.Exec(ctx, "STOP REPLICA", "RESET REPLICA ALL")
}

// Executed returns the GTIDs of all the server has committed and logged:
// gtid_executed, on MariaDB gtid_binlog_pos.
func (s *Server) Executed(ctx context.Context) (string, error) {
	query := "SELECT @@global.gtid_executed"
	if s.Kind.Flavor() == MariaDB {
		query = "SELECT @@global.gtid_binlog_pos"
	}
	var set string
	if err := s.db.QueryRowContext(ctx, query).Scan(&set); err != nil {
		return "", fmt.Errorf("testdb: executed GTIDs: %w", err)
	}
	return set, nil
}
