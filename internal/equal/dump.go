package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
)

// column is one column of a table as its database describes it.
type column struct {
	name   string
	family family
	form   form
	expr   string // the SQL that selects it so that canonical understands it
	order  string // the SQL that orders by it as all databases do
}

// table is one table, its columns by name. key holds positions in columns.
type table struct {
	name    string // with its database or schema in front where there are several
	from    string // its name as SQL
	columns []column
	key     []int
}

// database reads one side, in one snapshot, by its own SQL.
type database interface {
	// tables lists the tables that want accepts.
	tables(ctx context.Context, want func(string) bool) ([]table, error)
	// rows calls each with the canonical values of every row, in key order if
	// the table has a key.
	rows(ctx context.Context, t table, each func(values []string) error) error
	close() error
}

// The dialects: of a database, and of the target whose types are asserted.
const (
	mysqlDialect    = "mysql" // MariaDB too
	postgresDialect = "postgres"
	sqliteDialect   = "sqlite"
)

// dialectOf returns what a URL's database speaks, "" of a file.
func dialectOf(name string) string {
	scheme, _, found := strings.Cut(name, "://")
	if !found {
		return ""
	}
	return scheme
}

// openDatabase opens what a URL names, to be compared with a target.
func openDatabase(ctx context.Context, url, target string) (database, error) {
	switch dialectOf(url) {
	case mysqlDialect:
		return openMySQL(ctx, url, target)
	case postgresDialect:
		return openPostgres(ctx, url, target)
	case sqliteDialect:
		return openSQLite(strings.TrimPrefix(url, "sqlite://"))
	}
	return nil, fmt.Errorf("%q is none of mysql://, postgres://, sqlite://", url)
}

// dumpURL writes the canonical text of the database at url.
func dumpURL(ctx context.Context, w io.Writer, url string, o options) (err error) {
	db, err := openDatabase(ctx, url, o.target)
	if err != nil {
		return err
	}
	defer func() {
		if e := db.close(); err == nil {
			err = e
		}
	}()
	tables, err := db.tables(ctx, o.wants)
	if err != nil {
		return fmt.Errorf("tables of %s: %w", url, err)
	}
	// In the order of the text, which compare walks by.
	slices.SortFunc(tables, func(a, b table) int {
		return strings.Compare(canonicalName(a.name), canonicalName(b.name))
	})
	for _, t := range tables {
		if err := dumpTable(ctx, w, db, t, o); err != nil {
			return fmt.Errorf("table %s of %s: %w", canonicalName(t.name), url, err)
		}
	}
	return nil
}

func dumpTable(ctx context.Context, w io.Writer, db database, t table, o options) error {
	b := bufio.NewWriter(w)
	fmt.Fprintf(b, "table\t%s\n", canonicalName(t.name))
	if o.types {
		var key []string
		for _, i := range t.key {
			key = append(key, canonicalName(t.columns[i].name))
		}
		fmt.Fprintf(b, "key\t%s\n", strings.Join(key, "\t"))
	}
	for _, c := range t.columns {
		if o.types {
			fmt.Fprintf(b, "column\t%s\t%s\n", canonicalName(c.name), c.family)
		} else {
			fmt.Fprintf(b, "column\t%s\n", canonicalName(c.name))
		}
	}
	var unordered []string
	err := db.rows(ctx, t, func(values []string) error {
		line := "row\t" + strings.Join(values, "\t")
		if len(t.key) == 0 {
			unordered = append(unordered, line)
			return nil
		}
		_, err := fmt.Fprintln(b, line)
		return err
	})
	if err != nil {
		return err
	}
	slices.Sort(unordered)
	for _, line := range unordered {
		fmt.Fprintln(b, line)
	}
	return b.Flush()
}

// byName sorts a table's columns, since their order is no part of equality: a
// target may have to append what the source inserts in the middle.
func byName(columns []column) []column {
	slices.SortFunc(columns, func(a, b column) int { return strings.Compare(a.name, b.name) })
	return columns
}

// positions returns where the named columns are.
func positions(columns []column, names []string) []int {
	var at []int
	for _, n := range names {
		at = append(at, slices.IndexFunc(columns, func(c column) bool { return c.name == n }))
	}
	return at
}

// selectRows is the statement that reads a table: by its key if it has one.
func selectRows(t table) string {
	var exprs, order []string
	for _, c := range t.columns {
		exprs = append(exprs, c.expr)
	}
	q := "SELECT " + strings.Join(exprs, ", ") + " FROM " + t.from
	for _, i := range t.key {
		order = append(order, t.columns[i].order)
	}
	if order != nil {
		q += " ORDER BY " + strings.Join(order, ", ")
	}
	return q
}
