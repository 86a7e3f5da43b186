package mysql

import (
	"slices"

	"github.com/go-mysql-org/go-mysql/replication"

	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// sequenceColumns are the columns of what MariaDB logs for a SEQUENCE, and
// sequenceTypes their types.
var (
	sequenceColumns = []string{"next_not_cached_value", "minimum_value", "maximum_value", "start_value", "increment", "cache_size", "cycle_option", "cycle_count"}
	sequenceTypes   = []byte{wireLongLong, wireLongLong, wireLongLong, wireLongLong, wireLongLong, wireLongLong, wireTiny, wireLongLong}
)

// declaredSequence reports whether a shape is that of a CREATE SEQUENCE.
func declaredSequence(x *schema.Table) bool {
	return x != nil && slices.Contains(x.Unsupported, mysql.DetailSequence)
}

// isSequence reports whether a table map is that of a MariaDB sequence, which
// is no table: the log has an insert of its new state, without a key, each time
// it reserves numbers. A map without names only looks like one, so that a table
// whose shape is known otherwise is not to be asked about.
func isSequence(tm *replication.TableMapEvent, srv server) bool {
	if !srv.mariadb || !slices.Equal(tm.ColumnType, sequenceTypes) || slices.Max(tm.NullBitmap) != 0 {
		return false
	}
	return len(tm.ColumnName) == 0 || slices.EqualFunc(tm.ColumnName, sequenceColumns, func(a []byte, b string) bool { return string(a) == b })
}
