package mysql

import (
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// corpusTexts returns the corpus statements as seeds.
func corpusTexts(f *testing.F) []string {
	var list []string
	for _, name := range []string{"common", "mysql", "mariadb"} {
		b, err := os.ReadFile("testdata/corpus/" + name + ".sql")
		if err != nil {
			f.Fatal(err)
		}
		list = append(list, strings.Split(string(b), ";\n")...)
	}
	return list
}

// FuzzApply: no statement panics, every shape that comes out is valid, and an
// error has its code.
func FuzzApply(f *testing.F) {
	for _, s := range corpusTexts(f) {
		f.Add(s, uint64(0), false)
		f.Add(s, uint64(ANSIQuotes|NoBackslashEscapes), true)
	}
	f.Fuzz(func(t *testing.T, sql string, mode uint64, mariadb bool) {
		cat := NewCatalog(MySQL)
		if mariadb {
			cat = NewCatalog(MariaDB)
		}
		for _, s := range []string{"CREATE TABLE parent (id INT PRIMARY KEY, a INT, b VARCHAR(5), UNIQUE (a, b))",
			"CREATE TABLE alt (a INT, b VARCHAR(10), c INT, FOREIGN KEY (a) REFERENCES parent (id))"} {
			if _, err := cat.Apply(Statement{Database: "d", SQL: s}); err != nil {
				t.Fatal(err)
			}
		}
		for range 2 {
			effects, err := cat.Apply(Statement{Database: "d", SQL: sql, SQLMode: SQLMode(mode)})
			if err != nil && rowferry.CodeOf(err) != rowferry.CodeBadStatement {
				t.Fatalf("error without its code: %v", err)
			}
			if err == nil && len(effects) == 0 {
				t.Fatal("neither effect nor error")
			}
			validate(t, cat.Tables())
		}
	})
}

// FuzzLoadDump: no dump panics.
func FuzzLoadDump(f *testing.F) {
	f.Add(mariadbDump, true)
	f.Add(strings.Join(corpusTexts(f)[:40], ";\n"), false)
	f.Add("DELIMITER $$\nCREATE TABLE t (a INT)$$\ndelimiter ;\nINSERT INTO t VALUES (1);", false)
	f.Fuzz(func(t *testing.T, dump string, mariadb bool) {
		cat := NewCatalog(MySQL)
		if mariadb {
			cat = NewCatalog(MariaDB)
		}
		if err := cat.LoadDump(strings.NewReader(dump), "d"); err != nil && rowferry.CodeOf(err) != rowferry.CodeBadDump {
			t.Fatalf("error without its code: %v", err)
		}
		validate(t, cat.Tables())
	})
}

func validate(t *testing.T, tables []*schema.Table) {
	for _, x := range tables {
		if err := x.Validate(); err != nil {
			t.Fatal(err)
		}
	}
}
