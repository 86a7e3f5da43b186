package record_test

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// restorer turns a dump into SQL that makes the same tables in SQLite.
type restorer struct {
	statements []string
	table, key string
	columns    []string // of a table not yet created
}

// restore makes a SQLite file from a dump.
func restore(t *testing.T, dump string) (path string) {
	t.Helper()
	f, err := os.Open(dump)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	var r restorer
	in := bufio.NewScanner(f)
	in.Buffer(nil, 1<<30)
	for in.Scan() {
		kind, rest, _ := strings.Cut(in.Text(), "\t")
		r.line(kind, strings.Split(rest, "\t"))
	}
	if err := in.Err(); err != nil {
		t.Fatal(err)
	}
	r.create()
	path = filepath.Join(t.TempDir(), "restored")
	execute(t, path, r.statements...)
	return path
}

func (r *restorer) line(kind string, fields []string) {
	switch kind {
	case "table":
		r.create()
		r.table, r.key = identifier(fields[0]), ""
	case "key":
		if fields[0] != "" {
			r.key = ", PRIMARY KEY (" + join(fields, identifier) + ")"
		}
	case "column":
		r.columns = append(r.columns, identifier(fields[0])+" "+fields[1])
	case "row":
		r.create()
		r.statements = append(r.statements, fmt.Sprintf("INSERT INTO %s VALUES (%s)", r.table, join(fields, literal)))
	}
}

// create writes the table whose columns are all known now.
func (r *restorer) create() {
	if r.columns != nil {
		r.statements = append(r.statements, fmt.Sprintf("CREATE TABLE %s (%s%s) STRICT", r.table, strings.Join(r.columns, ", "), r.key))
		r.columns = nil
	}
}

func join(fields []string, f func(string) string) string {
	var all []string
	for _, s := range fields {
		all = append(all, f(s))
	}
	return strings.Join(all, ", ")
}

// identifier turns a canonical name into a quoted one.
func identifier(s string) string {
	return `"` + strings.ReplaceAll(unescape(s[1:len(s)-1]), `"`, `""`) + `"`
}

// literal turns canonical text into SQL.
func literal(s string) string {
	if !strings.HasPrefix(s, "'") {
		return s
	}
	return fmt.Sprintf("CAST(x'%x' AS TEXT)", unescape(s[1:len(s)-1]))
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

// execute runs statements on a SQLite file, which it makes if it is missing.
func execute(t *testing.T, path string, statements ...string) {
	t.Helper()
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, q := range append(append([]string{"BEGIN"}, statements...), "COMMIT") {
		if err := sqlitex.ExecuteTransient(conn, q, nil); err != nil {
			t.Fatalf("%.200s: %v", q, err)
		}
	}
}
