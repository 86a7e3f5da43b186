package csv

import (
	"bufio"
	"errors"
	"os"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/dialect/mysql"
	"github.com/rowferry/rowferry/schema"
)

// headLines is where a dump says who wrote it.
const headLines = 40

// loadSchema reads the statements that the tables were made with.
func (s *Source) loadSchema() (*mysql.Catalog, error) {
	flavor, version, known, err := dumpedBy(s.opt.Schema)
	if err != nil {
		return nil, err
	}
	if known {
		return s.loadAs(flavor, version)
	}
	// Nothing says which server's they are: MySQL's, if it would understand them.
	c, err := s.loadAs(mysql.MySQL, "")
	if rowferry.CodeOf(err) == rowferry.CodeBadDump {
		if c, second := s.loadAs(mysql.MariaDB, ""); second == nil {
			return c, nil
		}
	}
	return c, err
}

func (s *Source) loadAs(flavor mysql.Flavor, version string) (_ *mysql.Catalog, err error) {
	f, err := os.Open(s.opt.Schema)
	if err != nil {
		return nil, noSchema(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	c := mysql.NewCatalog(flavor)
	c.SetVersion(version)
	if err := c.LoadDump(f, s.opt.Database); err != nil {
		return nil, err
	}
	return c, nil
}

func noSchema(err error) error {
	return rowferry.Errorf(rowferry.CodeBadDump, "the tables' CREATE statements cannot be read: %w", err).
		Remedy("make them", "mysqldump --no-data --databases DB > schema.sql")
}

// dumpedBy returns which server a dump is of, by the comments that mysqldump and
// mariadb-dump begin with. It is not known of statements by hand.
func dumpedBy(path string) (flavor mysql.Flavor, version string, known bool, err error) {
	f, err := os.Open(path)
	if err != nil {
		return flavor, "", false, noSchema(err)
	}
	defer func() { err = errors.Join(err, f.Close()) }()
	lines := bufio.NewReader(f)
	for range headLines {
		line, err := lines.ReadString('\n')
		switch {
		case strings.HasPrefix(line, "-- MariaDB dump"), strings.HasPrefix(line, "/*M!"):
			flavor, known = mysql.MariaDB, true
		case strings.HasPrefix(line, "-- MySQL dump"):
			flavor, known = mysql.MySQL, true
		case strings.HasPrefix(line, "-- Server version"):
			version = strings.TrimSpace(strings.TrimPrefix(line, "-- Server version"))
			if flavor, known = mysql.MySQL, true; strings.Contains(version, "MariaDB") {
				flavor = mysql.MariaDB
			}
		}
		if err != nil {
			break // nothing but its head counts, and LoadDump reads it again
		}
	}
	return flavor, version, known, nil
}

// tableOf returns the table that a file is named for, nil where the schema has none
// of that name; name is as much of it as is known.
func (s *Source) tableOf(c *mysql.Catalog, text string) (t *schema.Table, name schema.Name, err error) {
	if db, table, ok := strings.Cut(text, "."); ok {
		name = schema.Name{Schema: db, Table: table}
		return c.Table(name), name, nil
	}
	name = schema.Name{Schema: s.opt.Database, Table: text}
	if s.opt.Database != "" {
		return c.Table(name), name, nil
	}
	for _, x := range c.Tables() {
		switch {
		case x.Name.Table != text:
		case t != nil:
			return nil, name, rowferry.Errorf(rowferry.CodeBadValue, "a file is for table %q, and there are %s and %s", text, t.Name, x.Name).
				Remedy("say which", "with source.csv.files: {%s: …}, or source.csv.database", x.Name)
		default:
			t = x
		}
	}
	if t != nil {
		name = t.Name
	}
	return t, name, nil
}
