package postgres

import (
	"context"
	"fmt"
	"strconv"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// oldest is the first version whose log can be read: 14, which streams large
// transactions and knows two-phase slots.
const oldest = 140000

// The versions with which something came that is asked for by version.
const (
	withFailover  = 170000 // slots that standbys keep up with
	withGenerated = 180000 // publications of stored generated columns
)

// server is what the source says of itself.
type server struct {
	version  int
	walLevel string
	standby  bool
	path     string // search_path, as the session has it
	user     string
	database string
	create   bool // the user may make publications
}

const serverQuery = `SELECT current_setting('server_version_num'), current_setting('wal_level'), pg_is_in_recovery(),
  current_setting('search_path'), current_user, current_database(), has_database_privilege(current_database(), 'CREATE')`

func (s *session) look(ctx context.Context) (v server, err error) {
	err = s.query(ctx, serverQuery, func(r dialect.Row) error {
		n, err := strconv.Atoi(r.Text(0))
		if err != nil {
			return fmt.Errorf("the server calls its version %q", r.Text(0))
		}
		v = server{
			version: n, walLevel: r.Text(1), standby: r.Bool(2), path: r.Text(3), user: r.Text(4), database: r.Text(5), create: r.Bool(6),
		}
		return nil
	})
	return v, err
}

func (v server) name() string {
	return fmt.Sprintf("PostgreSQL %d.%d", v.version/10000, v.version%10000)
}

// findings are about what no run can do without.
func (v server) findings() []rowferry.Finding {
	return []rowferry.Finding{v.versionFinding(), v.sessionFinding(), v.standbyFinding(), v.levelFinding()}
}

func (v server) versionFinding() rowferry.Finding {
	if v.version < oldest {
		return failed("version", rowferry.CodeSourceUnfit, v.name()+" is older than 14, the first version whose log can be followed", "upgrade", "the source")
	}
	return passed("version", "%s", v.name())
}

// sessionFinding tells a session whose settings are not those it was opened with.
func (v server) sessionFinding() rowferry.Finding {
	if v.path != "pg_catalog" {
		return failed("direct connection", rowferry.CodeSourceUnfit, fmt.Sprintf("the session does not keep its settings: search_path is %q", v.path),
			"connect directly", "source.url: the server's own address, and no pool in between")
	}
	return passed("direct connection", "the session keeps its settings")
}

func (v server) standbyFinding() rowferry.Finding {
	if v.standby {
		return failed("primary", rowferry.CodeSourceUnfit, "the source is a standby, whose log is not followed",
			"follow the primary", "source.url: the primary's address", "or promote it", "SELECT pg_promote()")
	}
	return passed("primary", "the server is a primary")
}

func (v server) levelFinding() rowferry.Finding {
	if v.walLevel != "logical" {
		return failed("log", rowferry.CodeSourceUnfit, fmt.Sprintf("wal_level is %s: the log does not say which rows were changed", v.walLevel),
			"mend", "ALTER SYSTEM SET wal_level = 'logical'", "then", "restart the server")
	}
	return passed("log", "wal_level is logical")
}

func passed(name, format string, args ...any) rowferry.Finding {
	return rowferry.Finding{Name: name, Level: rowferry.Passed, What: fmt.Sprintf(format, args...)}
}

// warned and failed take remedies as pairs of label and command.
func warned(name, what string, remedies ...string) rowferry.Finding {
	return rowferry.Finding{Name: name, Level: rowferry.Warning, What: what, Remedies: paired(remedies)}
}

func failed(name string, code rowferry.Code, what string, remedies ...string) rowferry.Finding {
	return rowferry.Finding{Name: name, Level: rowferry.Failed, Code: code, What: what, Remedies: paired(remedies)}
}

func paired(words []string) (all []rowferry.Remedy) {
	for i := 0; i+1 < len(words); i += 2 {
		all = append(all, rowferry.Remedy{Label: words[i], Do: words[i+1]})
	}
	return all
}
