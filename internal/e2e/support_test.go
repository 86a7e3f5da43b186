package e2e

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/rowferry/rowferry/internal/testdb"
)

// TestSupportTable: docs/support.md names the servers that tests are given, by
// their own words, and says which run in make test.
func TestSupportTable(t *testing.T) {
	page, err := os.ReadFile("../../docs/support.md")
	if err != nil {
		t.Fatal(err)
	}
	always := map[testdb.Kind]bool{testdb.MySQL97: true, testdb.MariaDB1011: true, testdb.Postgres15: true}
	named := map[testdb.Flavor]string{testdb.MySQL: "MySQL", testdb.MariaDB: "MariaDB", testdb.Postgres: "PostgreSQL"}
	for _, k := range testdb.Targets() {
		s := testdb.Start(t, k)
		var major, minor int
		if _, err := fmt.Sscanf(s.Version, "%d.%d", &major, &minor); err != nil {
			t.Fatal(err)
		}
		version, when := fmt.Sprintf("%d.%d", major, minor), "soak"
		if always[k] {
			when = "test"
		}
		source := when
		if k.Flavor() == testdb.Postgres {
			version, source = fmt.Sprint(major), "test" // what differs between them is in the source
		}
		row := fmt.Sprintf("| %s | %s | %s | %s |", named[k.Flavor()], version, source, when)
		if !strings.Contains(string(page), row) {
			t.Errorf("docs/support.md has no row %q", row)
		}
	}
}
