package mysql

import (
	"context"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/sqlsink"
	"github.com/rowferry/rowferry/schema"
)

// server is what does not change about the target while it runs.
type server struct {
	schema.MySQLServer
	version   string
	comment   string
	foldCase  bool // lower_case_table_names is not 0
	maxPacket int  // bytes
	// cascadesAbove: foreign keys act above InnoDB; see chains.
	cascadesAbove bool
}

func readServer(ctx context.Context, s *session) (server, error) {
	v := server{}
	v.Collations = map[string]bool{}
	var lower int
	err := s.query(ctx, "SELECT VERSION(), @@version_comment, @@lower_case_table_names, @@max_allowed_packet", func(scan func(...any) error) error {
		return scan(&v.version, &v.comment, &lower, &v.maxPacket)
	})
	if err != nil {
		return v, err
	}
	v.foldCase = lower != 0
	err = s.query(ctx, "SHOW GLOBAL VARIABLES WHERE VARIABLE_NAME = 'innodb_native_foreign_keys'", func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		v.cascadesAbove = value != "ON"
		return err
	})
	if err != nil {
		return v, err
	}
	v.MariaDB = strings.Contains(v.version, "MariaDB") || strings.Contains(v.comment, "MariaDB")
	// MariaDB lists its UCA 14 collations once for several character sets.
	names := "SELECT COLLATION_NAME FROM information_schema.COLLATIONS WHERE COLLATION_NAME IS NOT NULL"
	if v.MariaDB {
		names = "SELECT FULL_COLLATION_NAME FROM information_schema.COLLATION_CHARACTER_SET_APPLICABILITY WHERE FULL_COLLATION_NAME IS NOT NULL"
	}
	list, err := s.strings(ctx, names)
	if err != nil {
		return v, err
	}
	for _, name := range list {
		v.Collations[name] = true
	}
	if !v.Collations[v.Exact()] {
		return v, rowferry.Errorf(rowferry.CodeTargetUnfit, "the target server is too old: it has no collation %s", v.Exact()).
			Fact("version", "%s", v.version)
	}
	return v, nil
}

// folding is how the server compares names: of columns without case, of tables
// and databases as it was set up to.
func (v *server) folding() sqlsink.Folding {
	return sqlsink.Folding{Table: v.foldName, Column: strings.ToLower}
}

func (v *server) foldName(n schema.Name) schema.Name {
	if v.foldCase {
		return schema.Name{Schema: strings.ToLower(n.Schema), Table: strings.ToLower(n.Table)}
	}
	return n
}
