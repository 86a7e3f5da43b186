package csv

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/connect"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/internal/testdb/types"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/source/mysql"
)

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// export is a way to write a table's rows with SELECT … INTO OUTFILE.
type export struct {
	name   string
	clause string // behind the file's name
	raw    bool   // bytes are written as they are
	format Format
}

func exports() []export {
	headless := format(func(f *Format) { f.Header, f.Escape = false, EscapeMySQL })
	raw, tab := headless, headless
	raw.Binary = BinaryRaw
	tab.Delimiter, tab.Quote, tab.Binary = '\t', 0, BinaryRaw
	return []export{
		{"strings enclosed", `FIELDS TERMINATED BY ',' OPTIONALLY ENCLOSED BY '"' ESCAPED BY '\\'`, true, raw},
		{"all enclosed, hex", `FIELDS TERMINATED BY ',' ENCLOSED BY '"' ESCAPED BY '\\' LINES TERMINATED BY '\r\n'`, false, headless},
		{"by default", ``, true, tab},
	}
}

// TestRowsAreThoseOfAServer: a row that was exported, of every type with its
// extremes, is the row that a copy from its server reads.
func TestRowsAreThoseOfAServer(t *testing.T) {
	for _, kind := range []testdb.Kind{testdb.MariaDB1011, testdb.MySQL97} {
		s := testdb.Start(t, kind, testdb.Private(), testdb.RowMetadata("FULL"))
		database, db := testdb.NewDatabase(t, s)
		must(t, types.Create(t.Context(), db, kind.Flavor()))
		e, err := connect.Parse(fmt.Sprintf("mysql://root@127.0.0.1:%d", s.Port))
		must(t, err)
		scope := func(n schema.Name) bool { return n.Schema == database }
		server, err := mysql.Live(mysql.LiveOptions{Endpoint: e, Scope: scope}).(rowferry.Copier).Copy(t.Context(), "")
		must(t, err)
		defer func() { must(t, server.Close()) }()
		for _, x := range exports() {
			t.Run(string(kind)+", "+x.name, func(t *testing.T) {
				dir := t.TempDir()
				dump := filepath.Join(dir, "schema.sql")
				tables := server.Tables()
				paths := map[string]string{}
				for i, table := range tables {
					path := filepath.Join(dir, fmt.Sprint(i, ".csv"))
					exportTable(t, s, db, table.Shape, x, path, dump)
					paths[table.Shape.Name.String()] = path
				}
				src, err := New(Options{Files: paths, Schema: dump, Database: database, Format: x.format})
				must(t, err)
				files, err := src.Copy(t.Context(), "")
				must(t, err)
				if len(tables) < 20 || len(files.Tables()) != len(tables) {
					t.Fatalf("%d tables of %d", len(files.Tables()), len(tables))
				}
				reader, err := server.Open(t.Context())
				must(t, err)
				defer func() { must(t, reader.Close()) }()
				ours, err := files.Open(t.Context())
				must(t, err)
				for _, table := range files.Tables() {
					i := slices.IndexFunc(tables, func(x rowferry.CopyTable) bool { return x.Shape.Name == table.Shape.Name })
					want, refused := rows(func(each func([]rowferry.Row) error) error {
						_, err := reader.Read(t.Context(), &tables[i], nil, nil, each)
						return err
					})
					got, err := rows(func(each func([]rowferry.Row) error) error {
						_, err := ours.ReadWhole(t.Context(), &table, each)
						return err
					})
					if rowferry.CodeOf(refused) == rowferry.CodeTypeRefused { // labels that SHOW CREATE TABLE does not tell
						if rowferry.CodeOf(err) != rowferry.CodeCSVValue {
							t.Errorf("%s: %v, and the server's copy says %v", table.Shape.Name, err, refused)
						}
						continue
					}
					must(t, refused)
					if err != nil {
						t.Errorf("%s: %v", table.Shape.Name, err)
						continue
					}
					compare(t, table.Shape, got, want)
				}
			})
		}
	}
}

// exportTable writes a table's rows and its statement. The server writes where it
// may, and what it wrote is read through it.
func exportTable(t *testing.T, s *testdb.Server, db *sql.DB, shape *schema.Table, x export, file, dump string) {
	t.Helper()
	name := "`" + strings.ReplaceAll(shape.Name.Table, "`", "``") + "`"
	var ignored, create, folder string
	must(t, db.QueryRow("SHOW CREATE TABLE "+name).Scan(&ignored, &create))
	must(t, db.QueryRow("SELECT @@secure_file_priv").Scan(&folder))
	columns := make([]string, len(shape.Columns))
	for i, c := range shape.Columns {
		columns[i] = exported(c, x.raw, s.Kind.Flavor())
	}
	path := fmt.Sprintf("%s/%s-%d.csv", strings.TrimSuffix(folder, "/"), shape.Name.Schema, len(exportedFiles))
	exportedFiles = append(exportedFiles, path)
	_, err := db.Exec(fmt.Sprintf("SELECT %s FROM %s INTO OUTFILE '%s' %s", strings.Join(columns, ","), name, path, x.clause))
	must(t, err)
	var text []byte
	must(t, db.QueryRow("SELECT LOAD_FILE('"+path+"')").Scan(&text))
	must(t, os.WriteFile(file, text, 0o600))
	f, err := os.OpenFile(dump, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	must(t, err)
	_, err = f.WriteString(create + ";\n")
	must(t, err)
	must(t, f.Close())
}

var exportedFiles []string

// exported is the expression for a column whose text is all of its value.
func exported(c schema.Column, raw bool, flavor testdb.Flavor) string {
	name := "`" + strings.ReplaceAll(c.Name, "`", "``") + "`"
	switch c.Type.Kind {
	case schema.Float32, schema.Float64:
		if flavor == testdb.MySQL { // of which INTO OUTFILE writes at most 22 characters
			return "IF(" + name + " IS NULL,NULL,JSON_EXTRACT(JSON_ARRAY(" + name + "*1e0),'$[0]'))"
		}
		return name + "*1e0"
	case schema.Bit:
		return "CONCAT('0x',HEX(" + name + "))"
	case schema.Binary, schema.VarBinary, schema.Blob:
		if !raw {
			return "CONCAT('0x',HEX(" + name + "))"
		}
		return name
	case schema.Char, schema.VarChar, schema.Text, schema.Enum, schema.Set, schema.JSON:
		return "CONVERT(" + name + " USING utf8mb4)"
	default:
		return name
	}
}

// rows reads and prints rows, in the order of their texts.
func rows(read func(each func([]rowferry.Row) error) error) (texts []string, err error) {
	err = read(func(part []rowferry.Row) error {
		for _, r := range part {
			texts = append(texts, fmt.Sprintf("%#v", r))
		}
		return nil
	})
	slices.Sort(texts)
	return texts, err
}

func compare(t *testing.T, shape *schema.Table, got, want []string) {
	t.Helper()
	if len(got) != len(want) {
		t.Errorf("%s has %d rows, want %d", shape.Name, len(got), len(want))
		return
	}
	for i := range got {
		if got[i] != want[i] {
			t.Errorf("%s:\n got %.1500s\nwant %.1500s", shape.Name, got[i], want[i])
			return
		}
	}
}
