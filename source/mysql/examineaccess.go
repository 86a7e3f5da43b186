package mysql

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
)

// lookPrivileges tries what a run will do, rather than read grants, which roles
// and proxies hide.
func (x *examination) lookPrivileges(ctx context.Context) error {
	row, err := x.first(ctx, 1, "SELECT CURRENT_USER()")
	if err != nil {
		return err
	}
	x.user = account(row[0])
	var missing []string
	for _, p := range x.needed() {
		_, err := x.anyOf(ctx, p.statements...)
		switch rowferry.CodeOf(err) {
		case "":
			if err != nil {
				return err
			}
		case rowferry.CodeSourceDenied:
			missing = append(missing, p.name)
		case rowferry.CodeSourceUnfit: // no log: said elsewhere
		default:
			return err
		}
	}
	grants, err := x.query(ctx, "SHOW GRANTS")
	if err != nil {
		return err
	}
	if !x.mayDump(grants) {
		missing = append(missing, "REPLICATION SLAVE")
	}
	if len(missing) == 0 {
		x.pass("privileges", "%s may read the log", row[0])
		return nil
	}
	slices.Sort(missing)
	x.fail(rowferry.CodeSourceDenied, "privileges", fmt.Sprintf("%s lacks %s", row[0], strings.Join(missing, ", ")),
		"grant", x.granting(strings.Join(slices.Compact(missing), ", "), "*.*"))
	return nil
}

// privilege is one that is needed, and statements that fail without it, of
// which the server understands one.
type privilege struct {
	name       string
	statements []string
}

func (x *examination) needed() []privilege {
	if x.server.mariadb {
		return []privilege{{"BINLOG MONITOR", []string{"SHOW BINARY LOGS"}}}
	}
	return []privilege{{"REPLICATION CLIENT", []string{"SHOW BINARY LOGS"}}, {"REPLICATION SLAVE", []string{"SHOW REPLICAS", "SHOW SLAVE HOSTS"}}}
}

// mayDump reports whether the grants let the log be read. Only MariaDB has to be
// asked so: MySQL's SHOW REPLICAS needs the same privilege. A role hides what it
// grants, and is taken at its word.
func (x *examination) mayDump(grants [][]string) bool {
	if !x.server.mariadb {
		return true
	}
	for _, row := range grants {
		g := strings.ToUpper(row[0])
		privileges, on, _ := strings.Cut(g, " ON ")
		global := strings.HasPrefix(on, "*.* TO ")
		if global && (strings.Contains(privileges, "ALL PRIVILEGES") || slices.Contains(strings.Split(strings.TrimPrefix(privileges, "GRANT "), ", "), "REPLICATION SLAVE")) {
			return true
		}
		if on == "" && strings.HasPrefix(g, "GRANT ") { // GRANT role TO user
			return true
		}
	}
	return false
}

// granting is the statement that gives our user privileges.
func (x *examination) granting(privileges, on string) string {
	return fmt.Sprintf("GRANT %s ON %s TO %s", privileges, on, x.user)
}

// account quotes user@host as GRANT takes it.
func account(current string) string {
	at := strings.LastIndex(current, "@")
	if at < 0 {
		return literal(current)
	}
	return literal(current[:at]) + "@" + literal(current[at+1:])
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }

// lookServerID: the server must have an id, and nobody else ours.
func (x *examination) lookServerID(ctx context.Context) error {
	if x.vars["server_id"] == "0" {
		x.fail(rowferry.CodeSourceUnfit, "server id", "the server's own server_id is 0: it serves no replica", "mend", "SET GLOBAL server_id=1, or another number that no server here has")
		return nil
	}
	if x.serverID == 0 {
		x.pass("server id", "one that is free is chosen for each connection")
		return nil
	}
	if x.vars["server_id"] == strconv.FormatUint(uint64(x.serverID), 10) {
		x.fail(rowferry.CodeServerIDTaken, "server id", fmt.Sprintf("%d is the server's own", x.serverID), "choose another", "source.server_id")
		return nil
	}
	out, err := x.anyOf(ctx, "SHOW REPLICAS", "SHOW REPLICA HOSTS", "SHOW SLAVE HOSTS")
	switch rowferry.CodeOf(err) {
	case rowferry.CodeSourceDenied:
		if x.server.mariadb { // MySQL's missing privilege was said
			x.warn("server id", fmt.Sprintf("whether %d is in use by another replica may be seen by an administrator only", x.serverID), "be sure", "look at SHOW SLAVE HOSTS as an administrator, or leave source.server_id out")
		}
		return nil
	case "":
	default:
		return err
	}
	for _, row := range out {
		if row[0] == strconv.FormatUint(uint64(x.serverID), 10) {
			x.fail(rowferry.CodeServerIDTaken, "server id", fmt.Sprintf("%d is in use by another replica", x.serverID), "choose another", "source.server_id, or leave it out")
			return nil
		}
	}
	x.pass("server id", "%d is free", x.serverID)
	return nil
}

// lookReplica: what reaches the server by replication must be in its own log.
func (x *examination) lookReplica(ctx context.Context) error {
	out, err := x.anyOf(ctx, "SHOW REPLICA STATUS", "SHOW SLAVE STATUS")
	switch rowferry.CodeOf(err) {
	case rowferry.CodeSourceDenied:
		if x.server.mariadb { // MySQL's missing privilege was said
			x.warn("replica", "whether the server is a replica itself, and logs what it replicates, may not be seen with this user", "grant", x.granting("SLAVE MONITOR", "*.*"))
		}
		return nil
	case "":
	default:
		return err
	}
	logs := x.is("log_replica_updates", "ON") || x.is("log_slave_updates", "ON")
	switch {
	case len(out) == 0:
		x.pass("replica", "the server is a primary")
	case logs:
		x.pass("replica", "the server is a replica and logs what it replicates")
	default:
		x.fail(rowferry.CodeSourceUnfit, "replica", "the server is a replica and does not log what it replicates: those changes would never arrive",
			"mend", "log_replica_updates=ON (log_slave_updates on MariaDB) in its configuration, and a restart", "or", "source.url: its primary")
	}
	return nil
}

// lookFilters looks for databases that the server leaves out of its log.
func (x *examination) lookFilters(ctx context.Context) error {
	out, err := x.anyOf(ctx, "SHOW BINARY LOG STATUS", "SHOW BINLOG STATUS", "SHOW MASTER STATUS")
	switch rowferry.CodeOf(err) {
	case rowferry.CodeSourceDenied, rowferry.CodeSourceUnfit:
		return nil // said elsewhere
	case "":
	default:
		return err
	}
	const do, ignore = 2, 3
	if len(out) == 0 || len(out[0]) <= ignore || out[0][do] == "" && out[0][ignore] == "" {
		x.pass("log filters", "none")
		return nil
	}
	x.warn("log filters", fmt.Sprintf("the server leaves databases out of its log (binlog_do_db %q, binlog_ignore_db %q), by the session's default database: their changes never arrive", out[0][do], out[0][ignore]),
		"mend", "take the filters out of its configuration, and restart it")
	return nil
}
