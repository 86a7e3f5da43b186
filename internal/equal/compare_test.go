package main

import (
	"bytes"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

const sample = `
CREATE TABLE keyed (id INTEGER PRIMARY KEY, txt TEXT, bin BLOB, num REAL, cnt INTEGER) STRICT;
INSERT INTO keyed VALUES (1, 'Straße', x'00ff', 0.1, 9223372036854775807), (2, '', x'', -0.5, NULL), (-3, NULL, NULL, NULL, 0);
CREATE TABLE keyless (a INTEGER, b TEXT) STRICT;
INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL);
CREATE TABLE pair (a TEXT, b BLOB, c TEXT, PRIMARY KEY (a, b)) STRICT;
INSERT INTO pair VALUES ('k', x'01', 'v'), ('K', x'01', 'v');
CREATE TABLE rowferry_checkpoint (x);
CREATE TABLE _test_counts (x);`

// Each change must be seen, whatever the rest of the table looks like.
func TestCompareFindsDifferences(t *testing.T) {
	for name, change := range map[string]string{
		"one bit of a blob":         `UPDATE keyed SET bin = x'00fe' WHERE id = 1`,
		"one bit of a real":         `UPDATE keyed SET num = 0.1 + 1.3877787807814457e-17 WHERE id = 1`,
		"a trailing space":          `UPDATE keyed SET txt = 'Straße ' WHERE id = 1`,
		"case":                      `UPDATE keyed SET txt = 'straße' WHERE id = 1`,
		"case of a key":             `UPDATE pair SET a = 'kk' WHERE a = 'k'`,
		"normal form":               `UPDATE keyed SET txt = 'Strasse' WHERE id = 1`,
		"null instead of empty":     `UPDATE keyed SET txt = NULL WHERE id = 2`,
		"empty instead of null":     `UPDATE keyed SET bin = x'' WHERE id = -3`,
		"a zero byte":               `UPDATE keyed SET txt = 'Straße' || char(0) WHERE id = 1`,
		"an integer off by one":     `UPDATE keyed SET cnt = 9223372036854775806 WHERE id = 1`,
		"a missing row":             `DELETE FROM keyed WHERE id = 2`,
		"an extra row":              `INSERT INTO keyed (id) VALUES (4)`,
		"one of two identical rows": `DELETE FROM keyless WHERE rowid = 1`,
		"a third identical row":     `INSERT INTO keyless VALUES (1, 'x')`,
		"a swap between rows":       `UPDATE pair SET c = a`,
		"a missing table":           `DROP TABLE keyless`,
		"an extra table":            `CREATE TABLE more (a INTEGER) STRICT`,
		"a missing column":          `ALTER TABLE keyed DROP COLUMN cnt`,
		"an extra column":           `ALTER TABLE keyed ADD COLUMN more INTEGER`,
		"a renamed column":          `ALTER TABLE keyed RENAME COLUMN cnt TO count`,
		"a column's type":           `DROP TABLE keyless; CREATE TABLE keyless (a TEXT, b TEXT) STRICT; INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)`,
		"a value's type only":       `DROP TABLE keyless; CREATE TABLE keyless (a INTEGER, b TEXT); INSERT INTO keyless VALUES (1, 'x'), ('1 ', 'x'), (2, NULL)`,
		"a table not STRICT":        `DROP TABLE keyless; CREATE TABLE keyless (a INTEGER, b TEXT); INSERT INTO keyless VALUES (1, 'x'), (1, 'x'), (2, NULL)`,
		"a key lost":                `DROP TABLE pair; CREATE TABLE pair (a TEXT, b BLOB, c TEXT) STRICT; INSERT INTO pair VALUES ('k', x'01', 'v'), ('K', x'01', 'v')`,
		"a key's order":             `DROP TABLE pair; CREATE TABLE pair (a TEXT, b BLOB, c TEXT, PRIMARY KEY (b, a)) STRICT; INSERT INTO pair VALUES ('k', x'01', 'v'), ('K', x'01', 'v')`,
	} {
		t.Run(name, func(t *testing.T) {
			a, b := newSQLite(t, sample), newSQLite(t, sample, change)
			for _, urls := range [][2]string{{a, b}, {b, a}} {
				out, err := runEqual(t, "compare", urls[0], urls[1])
				if !errors.Is(err, errDifferent) {
					t.Errorf("error %v, output:\n%s", err, out)
				}
			}
		})
	}
}

// What is no difference: order of columns, order of rows without a key, what is
// left out by name.
func TestCompareFindsNone(t *testing.T) {
	a := newSQLite(t, sample)
	b := newSQLite(t, sample, `DROP TABLE keyless; CREATE TABLE keyless (b TEXT, a INT) STRICT;
		INSERT INTO keyless VALUES (NULL, 2), ('x', 1), ('x', 1);
		DROP TABLE _test_counts; INSERT INTO rowferry_checkpoint VALUES (1);
		CREATE TABLE aside (a INTEGER) STRICT`)
	out, err := runEqual(t, "compare", "-exclude=aside", a, b)
	if err != nil || !strings.Contains(out, "3 tables, 8 rows") {
		t.Errorf("error %v, output:\n%s", err, out)
	}
}

// A dump is a file that compares as its database does, unless it was cut.
func TestCompareFiles(t *testing.T) {
	url := newSQLite(t, sample)
	text, err := runEqual(t, "dump", url)
	if err != nil {
		t.Fatal(err)
	}
	want := "table\t'pair'\nkey\t'a'\t'b'\ncolumn\t'a'\tTEXT\ncolumn\t'b'\tBLOB\ncolumn\t'c'\tTEXT\n" +
		"row\t'K'\tx'01'\t'v'\nrow\t'k'\tx'01'\t'v'\n"
	if !strings.HasSuffix(text, want) {
		t.Errorf("dump ends:\n%s\nwant:\n%s", text, want)
	}
	path := filepath.Join(t.TempDir(), "dump.txt")
	for cut, wantErr := range map[int]bool{0: false, 1: true, 12: true} {
		if err := os.WriteFile(path, []byte(text[:len(text)-cut]), 0o600); err != nil {
			t.Fatal(err)
		}
		if out, err := runEqual(t, "compare", path, url); (err != nil) != wantErr {
			t.Errorf("file cut by %d bytes: error %v, output:\n%s", cut, err, out)
		}
	}
}

func TestCanonical(t *testing.T) {
	for _, c := range []struct {
		f         form
		raw, want string
	}{
		{integerForm, "-9223372036854775808", "-9223372036854775808"},
		{integerForm, "0", "0"},
		{realForm, "1.1", "1.1e+00"},
		{realForm, "-0", "-0e+00"},
		{realForm, "3.4028234663852886e38", "3.4028234663852886e+38"},
		{textForm, "it's\ta \\ 😀 \x00\xff", `'it\x27s\x09a \x5C 😀 \x00\xFF'`},
		{blobForm, "\x00\xab", "x'00AB'"},
	} {
		if got, err := canonical(c.f, []byte(c.raw)); err != nil || got != c.want {
			t.Errorf("form %d, %q: %s, %v; want %s", c.f, c.raw, got, err, c.want)
		}
	}
	for _, bad := range []string{"", "-", "00", "007", "+1", "1.0", "1e3", "-0"} {
		if got, err := canonical(integerForm, []byte(bad)); err == nil {
			t.Errorf("integer %q passed as %s", bad, got)
		}
	}
}

// The judge must share nothing with what it judges.
func TestImportsNothingOfTheModule(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	const module = "github.com/rowferry/rowferry"
	for path := range strings.FieldsSeq(string(out)) {
		if strings.HasPrefix(path, module) && path != module+"/internal/equal" {
			t.Errorf("imports %s", path)
		}
	}
}

func newSQLite(t *testing.T, scripts ...string) (url string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "db")
	conn, err := sqlite.OpenConn(path, sqlite.OpenReadWrite|sqlite.OpenCreate)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for _, s := range scripts {
		if err := sqlitex.ExecuteScript(conn, s, nil); err != nil {
			t.Fatalf("%s: %v", s, err)
		}
	}
	return "sqlite://" + path
}

func runEqual(t *testing.T, args ...string) (string, error) {
	t.Helper()
	var out bytes.Buffer
	err := run(t.Context(), args, &out)
	return out.String(), err
}
