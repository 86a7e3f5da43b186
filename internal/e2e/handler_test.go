package e2e

import (
	"os/exec"
	"path/filepath"
	"testing"

	"zombiezen.com/go/sqlite"
	"zombiezen.com/go/sqlite/sqlitex"
)

// TestCustomHandler builds the example of a custom handler, and compares what it
// brings with what the shipped program does: each customer with a masked email and
// with their addresses in their own row.
func TestCustomHandler(t *testing.T) {
	plain := quickstartPlace(t)
	must(t, plain.replay("--tables", "shop.customers", "--tables", "shop.addresses")...)
	custom := quickstartPlace(t)
	bin := filepath.Join(t.TempDir(), "custom")
	if out, err := exec.Command("go", "build", "-o", bin, "../../examples/custom-handler").CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	args := []string{"replay", "-c", "../../examples/custom-handler/shop.yaml", "--target", "sqlite:" + custom.target, "--state", custom.state}
	for range 2 { // the second has nothing to do
		if out, err := exec.Command(bin, args...).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	counts := map[string]int64{
		"SELECT COUNT(*) > 200 FROM customers":                                                           1,
		"SELECT COUNT(*) FROM sqlite_schema WHERE name = 'addresses'":                                    0,
		"SELECT COUNT(*) - (SELECT COUNT(*) FROM plain.customers) FROM customers":                        0,
		"SELECT COUNT(*) - COUNT(DISTINCT email) FROM customers":                                         0,
		"SELECT COUNT(*) FROM customers WHERE email NOT LIKE '____________@example.invalid'":             0,
		"SELECT COUNT(*) FROM customers c JOIN plain.customers p USING (id) WHERE c.name <> p.full_name": 0,
		`SELECT COUNT(*) FROM customers c JOIN plain.addresses a ON a.customer_id = c.id
			WHERE a.street || ', ' || a.city || ', ' || a.country IS NOT CASE a.kind WHEN 'billing' THEN c.billing ELSE c.shipping END`: 0,
		"SELECT SUM((billing IS NOT NULL) + (shipping IS NOT NULL)) - (SELECT COUNT(*) FROM plain.addresses) FROM customers": 0,
	}
	conn, err := sqlite.OpenConn(custom.target, sqlite.OpenReadOnly)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	if err := sqlitex.ExecuteTransient(conn, "ATTACH '"+plain.target+"' AS plain", nil); err != nil {
		t.Fatal(err)
	}
	for query, want := range counts {
		err := sqlitex.ExecuteTransient(conn, query, &sqlitex.ExecOptions{ResultFunc: func(s *sqlite.Stmt) error {
			if got := s.ColumnInt64(0); got != want {
				t.Errorf("%s: %d, want %d", query, got, want)
			}
			return nil
		}})
		if err != nil {
			t.Errorf("%s: %v", query, err)
		}
	}
}
