package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

func passed(name, format string, args ...any) rowferry.Finding {
	return rowferry.Finding{Name: name, Level: rowferry.Passed, What: fmt.Sprintf(format, args...)}
}

func failed(name string, code rowferry.Code, what string, remedies ...rowferry.Remedy) rowferry.Finding {
	return rowferry.Finding{Name: name, Level: rowferry.Failed, Code: code, What: what, Remedies: remedies}
}

func versionFinding(version int) rowferry.Finding {
	text := fmt.Sprintf("PostgreSQL %d.%d", version/10000, version%10000)
	if version < oldest {
		return failed("server version", rowferry.CodeTargetUnfit, text+" is older than 13, the first version that is known")
	}
	return passed("server version", "%s", text)
}

func encodingFinding(encoding string) rowferry.Finding {
	if encoding != "UTF8" {
		return failed("encoding", rowferry.CodeTargetUnfit, "the target database is encoded in "+encoding+", which cannot hold every text",
			rowferry.Remedy{Label: "use a database in UTF8", Do: "CREATE DATABASE … ENCODING 'UTF8' TEMPLATE template0"})
	}
	return passed("encoding", "the database is encoded in UTF8")
}

func roleFinding(role string) rowferry.Finding {
	if role != "origin" {
		return failed("replication role", rowferry.CodeTargetUnfit, "session_replication_role is "+role+" for this user, which switches foreign keys off",
			rowferry.Remedy{Label: "reset it", Do: "ALTER ROLE … RESET session_replication_role"})
	}
	return passed("replication role", "foreign keys are in force")
}

// pathFinding tells a session whose settings are not those it was opened with.
func pathFinding(path string) rowferry.Finding {
	if path != "pg_catalog" {
		return failed("session", rowferry.CodeTargetUnfit, fmt.Sprintf("the session does not keep its settings: search_path is %q", path),
			rowferry.Remedy{Label: "no proxy in between", Do: "connect to the server itself, or to a pool in session mode"})
	}
	return passed("session", "the session keeps its settings")
}

const examineQuery = `SELECT current_setting('server_version_num'), current_setting('server_encoding'),
  current_setting('session_replication_role'), current_setting('search_path'),
  pg_is_in_recovery(), current_setting('default_transaction_read_only')::boolean, current_user, current_database(),
  has_database_privilege(current_database(), 'CREATE'),
  coalesce((SELECT has_schema_privilege(oid, 'USAGE') FROM pg_namespace WHERE nspname = 'rowferry')::text, ''),
  coalesce((SELECT has_schema_privilege(oid, 'CREATE') FROM pg_namespace WHERE nspname = 'rowferry')::text, ''),
  coalesce(has_table_privilege(own.oid, 'SELECT')::text, ''), coalesce(has_table_privilege(own.oid, 'INSERT')::text, ''),
  coalesce(has_table_privilege(own.oid, 'UPDATE')::text, ''),
  current_setting('max_connections')::integer - current_setting('superuser_reserved_connections')::integer,
  (SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend')
  FROM (SELECT) one LEFT JOIN (SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'rowferry' AND c.relname = 'rowferry_checkpoint') own ON true`

// Examine says whether the server fits. Nothing is changed.
func (s *Sink) Examine(ctx context.Context) ([]rowferry.Finding, error) {
	if err := s.idle(ctx); err != nil {
		return nil, err
	}
	var findings []rowferry.Finding
	var held privileges
	var connections rowferry.Finding
	err := s.query(ctx, examineQuery, func(r dialect.Row) error {
		version, err := strconv.Atoi(r.Text(0))
		if err != nil {
			return err
		}
		findings = append(findings, versionFinding(version), encodingFinding(r.Text(1)), roleFinding(r.Text(2)), pathFinding(r.Text(3)),
			s.writableFinding(r.Bool(4), r.Bool(5)))
		held = privileges{
			user: r.Text(6), database: r.Text(7), create: r.Bool(8), usage: r.Text(9), createIn: r.Text(10),
			read: r.Text(11), insert: r.Text(12), update: r.Text(13),
		}
		most, err := r.Int(14)
		if err != nil {
			return err
		}
		used, err := r.Int(15)
		if err != nil {
			return err
		}
		connections = connectionsFinding(used, most)
		return nil
	})
	if err != nil {
		return findings, err
	}
	denied, err := s.privilegeFindings(ctx, held)
	return append(append(findings, denied...), connections), err
}

func (s *Sink) writableFinding(recovery, readOnly bool) rowferry.Finding {
	switch {
	case recovery:
		return failed("writable", rowferry.CodeTargetReadOnly, "the target is a standby",
			rowferry.Remedy{Label: "write to the primary", Do: "point target.url at it, or promote this one"})
	case readOnly && !s.options.ReadOnly:
		return failed("writable", rowferry.CodeTargetReadOnly, "default_transaction_read_only is on",
			rowferry.Remedy{Label: "let this user write", Do: "ALTER ROLE … SET default_transaction_read_only = off"})
	default:
		return passed("writable", "the target takes writes")
	}
}

// spare is how many connections are needed beside the one that is open: a
// reader of the checkpoint, and the session that takes over from a lost one.
const spare = 3

func connectionsFinding(used, most int64) rowferry.Finding {
	f := passed("connections", "%d of %d connections are in use", used, most)
	if used+spare > most {
		f.Level = rowferry.Warning
		f.Remedies = []rowferry.Remedy{{Label: "make room", Do: "raise max_connections, or close idle sessions"}}
	}
	return f
}
