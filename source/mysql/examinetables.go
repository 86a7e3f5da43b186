package mysql

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// shown is how many names a finding lists.
const shown = 5

// inScope runs a query whose first two columns are a table's database and name,
// and returns the rows of tables in scope.
func (x *examination) inScope(ctx context.Context, sql string) ([][]string, error) {
	out, err := x.query(ctx, sql)
	if err != nil {
		return nil, err
	}
	var in [][]string
	for _, row := range out {
		if x.src.opt.Scope(schema.Name{Schema: row[0], Table: row[1]}) {
			in = append(in, row)
		}
	}
	return in, nil
}

// listed returns the names of tables for people, the first few of many.
func listed(tables [][]string, more func(row []string) string) string {
	var names []string
	for i, row := range tables {
		if i == shown {
			names = append(names, fmt.Sprintf("and %d more", len(tables)-shown))
			break
		}
		names = append(names, row[0]+"."+row[1]+more(row))
	}
	return strings.Join(names, ", ")
}

func nothing([]string) string { return "" }

func third(row []string) string { return " (" + row[2] + ")" }

const userTables = "TABLE_SCHEMA NOT IN ('mysql','information_schema','performance_schema','sys') AND TABLE_TYPE LIKE '%TABLE' ORDER BY 1, 2"

func (x *examination) lookTables(ctx context.Context) error {
	in, err := x.inScope(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE "+userTables)
	if err != nil {
		return err
	}
	if len(in) == 0 {
		on := "*.*" // any database may be in scope
		if db := x.src.opt.DefaultDB; db != "" {
			on = quoted(pattern.Replace(db)) + ".*"
		}
		x.warn("tables", "no table in scope exists that this user may see: without its shape a table's changes cannot be carried", "look", "at 'tables'", "grant", x.granting("SELECT", on))
		return nil
	}
	x.pass("tables", "%d in scope", len(in))
	return nil
}

func (x *examination) lookKeys(ctx context.Context) error {
	in, err := x.inScope(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES WHERE "+userTables)
	if err != nil {
		return err
	}
	// Asked for each table, MariaDB would open all tables each time.
	keyed, err := x.inScope(ctx, `SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.STATISTICS WHERE NON_UNIQUE = 0
 GROUP BY TABLE_SCHEMA, TABLE_NAME, INDEX_NAME HAVING SUM(NULLABLE = 'YES') = 0`)
	if err != nil {
		return err
	}
	has := map[schema.Name]bool{}
	for _, row := range keyed {
		has[schema.Name{Schema: row[0], Table: row[1]}] = true
	}
	in = slices.DeleteFunc(in, func(row []string) bool { return has[schema.Name{Schema: row[0], Table: row[1]}] })
	if len(in) > 0 {
		x.warn("keys", fmt.Sprintf("%d tables have no primary key, nor a unique one without NULL: each of their changes compares whole rows, and they must be empty in the target when a pipeline begins: %s", len(in), listed(in, nothing)),
			"mend", "give them a primary key")
		return nil
	}
	x.pass("keys", "every table has one")
	return nil
}

// lookEngines: changes to tables without transactions are logged, but what the
// server lost in a crash, or forgets by design, is not.
func (x *examination) lookEngines(ctx context.Context) error {
	in, err := x.inScope(ctx, "SELECT TABLE_SCHEMA, TABLE_NAME, ENGINE FROM information_schema.TABLES WHERE ENGINE IS NOT NULL AND UPPER(ENGINE) NOT IN ('INNODB','ROCKSDB') AND "+userTables)
	if err != nil {
		return err
	}
	if len(in) > 0 {
		x.warn("engines", "tables are kept by engines without transactions, so a crash of the server can leave them other than its log says: "+listed(in, third), "mend", "ALTER TABLE … ENGINE=InnoDB")
		return nil
	}
	x.pass("engines", "every table has transactions")
	return nil
}

// lookCascades says who carries out what foreign keys do by themselves (M10).
func (x *examination) lookCascades(ctx context.Context) error {
	in, err := x.cascading(ctx)
	switch {
	case err != nil:
		return err
	case len(in) == 0:
		x.pass("cascades", "no foreign key changes rows by itself")
	case x.logsCascades():
		x.pass("cascades", "%d foreign keys change rows by themselves, and the server logs those changes", len(in))
	case x.maySayCascades():
		x.fail(rowferry.CodeCascades, "cascades", fmt.Sprintf("%d foreign keys change rows by themselves, and innodb_native_foreign_keys keeps those changes out of a log that has them otherwise: %s", len(in), listed(in, third)),
			"let the server log them", "innodb_native_foreign_keys=OFF on the source, and start it again", "leave out", "the tables, in 'tables'")
	default:
		x.pass("cascades", "%d foreign keys change rows by themselves, which the server does not log: the target's tables must have the same actions, and are refused otherwise: %s", len(in), listed(in, third))
	}
	return nil
}

// maySayCascades: MySQL logs them from 9.6 on, unless it is told to leave them
// to InnoDB as before. A log does not say which at its beginning, so a reader
// that begins stops at the first that is not logged.
func (x *examination) maySayCascades() bool { return x.server.cascadesLogged() }

func (x *examination) logsCascades() bool {
	return x.maySayCascades() && !x.is("innodb_native_foreign_keys", "ON")
}

// cascading returns the foreign keys that act, each as table and what it does.
// MariaDB's information_schema shows them only to who may write; SHOW CREATE
// TABLE shows them to all.
func (x *examination) cascading(ctx context.Context) ([][]string, error) {
	n := &shapesNow{creates: map[schema.Name]string{}}
	if err := n.ask(ctx, x.conn, x.src.opt.Scope); err != nil {
		return nil, err
	}
	catalog := (&liveLog{srv: x.server}).catalog()
	n.put(catalog)
	var all [][]string
	for _, t := range catalog.Tables() {
		for _, f := range t.ForeignKeys {
			if cascades(f.OnDelete) || cascades(f.OnUpdate) {
				does := fmt.Sprintf("%s on delete %s, on update %s", f.Name, f.OnDelete, f.OnUpdate)
				all = append(all, []string{t.Name.Schema, t.Name.Table, does})
			}
		}
	}
	slices.SortFunc(all, slices.Compare[[]string])
	return all, nil
}

// pattern writes a database's name as GRANT takes it.
var pattern = strings.NewReplacer(`_`, `\_`, `%`, `\%`, `\`, `\\`)
