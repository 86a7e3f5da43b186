package record_test

import (
	"bufio"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/record"
	"github.com/rowferry/rowferry/internal/testdb/types"
)

func TestMain(m *testing.M) { testdb.Main(m) }

// A recording is several whole binlog files and a dump that equals its server.
// A SQLite file made from the dump equals it too, and is a prefix: what the
// source's triggers computed is what the equal program computes.
func TestLoad(t *testing.T) {
	for _, c := range []struct {
		kind testdb.Kind
		o    record.Options
	}{
		{testdb.MariaDB1011, record.Options{Metadata: "FULL", Transactions: 600}},
		{testdb.MariaDB1011, record.Options{Metadata: "MINIMAL", Compress: true, Transactions: 600}},
		{testdb.MySQL97, record.Options{Metadata: "FULL", Compress: true, Transactions: 600}},
		{testdb.MySQL97, record.Options{Transactions: 600}},
	} {
		name := fmt.Sprintf("%s/%s/compress=%t", c.kind, c.o.Metadata, c.o.Compress)
		t.Run(name, func(t *testing.T) {
			r := record.Load(t, c.kind, c.o)
			if len(r.Files) < 3 || filepath.Base(r.Files[0]) != "mysql-bin.000001" {
				t.Errorf("files: %v", r.Files)
			}
			for _, path := range r.Files {
				if head := readHead(t, path); head != "\xfebin" {
					t.Errorf("%s begins with %q", path, head)
				}
			}
			testdb.RequireEqual(t, r.Server.URL(r.Database), r.Expected)
			target := restore(t, r.Expected)
			testdb.RequireEqual(t, r.Expected, "sqlite://"+target)
			t.Log(testdb.RequirePrefix(t, target))
		})
	}
}

// The types are recorded too, with both kinds of metadata, from a server whose
// own time zone is not UTC; every value of them survives the way through SQLite.
func TestTypes(t *testing.T) {
	for _, k := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		for _, metadata := range []string{"FULL", "MINIMAL"} {
			t.Run(string(k)+"/"+metadata, func(t *testing.T) {
				r := record.Load(t, k, record.Options{
					Metadata: metadata,
					Server:   []testdb.Option{testdb.Zone("EST5EDT,M3.2.0,M11.1.0")},
					Fill:     func(db *sql.DB) error { return types.Create(t.Context(), db, k.Flavor()) },
				})
				testdb.RequireEqual(t, r.Expected, "sqlite://"+restore(t, r.Expected))
			})
		}
	}
}

func readHead(t *testing.T, path string) string {
	t.Helper()
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw[:4])
}

// restore makes a SQLite file from a dump.
func restore(t *testing.T, dump string) (path string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "restored")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	f, err := os.Open(dump)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var script strings.Builder
	var table, key string
	var columns []string
	create := func() {
		if columns != nil {
			if key != "" {
				columns = append(columns, "PRIMARY KEY ("+key+")")
			}
			fmt.Fprintf(&script, "CREATE TABLE %s (%s) STRICT;\n", table, strings.Join(columns, ", "))
			columns = nil
		}
	}
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<30)
	for in.Scan() {
		kind, rest, _ := strings.Cut(in.Text(), "\t")
		fields := strings.Split(rest, "\t")
		switch kind {
		case "table":
			create()
			table = identifier(rest)
		case "key":
			key = ""
			for i, f := range fields {
				if f != "" {
					key += strings.Repeat(", ", min(i, 1)) + identifier(f)
				}
			}
		case "column":
			columns = append(columns, identifier(fields[0])+" "+fields[1])
		case "row":
			create()
			for i, f := range fields {
				fields[i] = literal(f)
			}
			fmt.Fprintf(&script, "INSERT INTO %s VALUES (%s);\n", table, strings.Join(fields, ", "))
		}
	}
	create()
	if err := sqlitex.ExecuteScript(conn, script.String(), nil); err != nil {
		t.Fatal(err)
	}
	return path
}

// identifier turns a canonical name into a quoted one.
func identifier(s string) string {
	return `"` + strings.ReplaceAll(unescape(strings.Trim(s, "'")), `"`, `""`) + `"`
}

// literal turns canonical text into SQL.
func literal(s string) string {
	if !strings.HasPrefix(s, "'") {
		return s
	}
	return "CAST(x'" + fmt.Sprintf("%x", unescape(s[1:len(s)-1])) + "' AS TEXT)"
}

func unescape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] != '\\' {
			b.WriteByte(s[i])
			continue
		}
		var c byte
		fmt.Sscanf(s[i:i+4], `\x%02X`, &c)
		b.WriteByte(c)
		i += 3
	}
	return b.String()
}
