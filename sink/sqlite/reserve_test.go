package sqlite

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// TestReserveRemade: a table that is made again, without a foreign key, does not
// give out what was set aside before.
func TestReserveRemade(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	child := childOf("parent", "id", schema.NoAction)
	child.Columns[0].AutoIncrement = true
	must(t, apply(sink, 1, shaped(child)))
	reserve := func(n int, want string) {
		t.Helper()
		ranges, err := sink.Reserve(t.Context(), child.Name, "ID", n)
		if got := fmt.Sprint(ranges); err != nil || got != want {
			t.Errorf("%s, %v, want %s", got, err, want)
		}
	}
	reserve(20, "[{1 20}]")
	must(t, apply(sink, 2, inserted(child, i(3), null))) // whose parent never came
	if got := one(t, sink, "SELECT count(*) FROM pragma_foreign_key_list('child')"); got != "0" {
		t.Fatalf("the table was not made again: it has %s foreign keys", got)
	}
	reserve(1, "[{21 21}]")
	sql(t, sink, "INSERT INTO child (p) VALUES (1)")
	if got := one(t, sink, "SELECT max(id) FROM child"); got != "22" {
		t.Errorf("the next row has the key %s, want 22", got)
	}
}

// TestReserveRefuses: tables in which keys cannot be kept from others.
func TestReserveRefuses(t *testing.T) {
	sink, _ := openTraced(t, DefaultOptions())
	sql(t, sink, "CREATE TABLE plain (id INTEGER PRIMARY KEY)", "CREATE TABLE text (id TEXT PRIMARY KEY)", "CREATE VIEW seen AS SELECT id FROM plain",
		"CREATE TABLE full (id INTEGER PRIMARY KEY AUTOINCREMENT)", "INSERT INTO full VALUES (9223372036854775800)")
	for table, why := range map[string]string{"plain": "AUTOINCREMENT", "text": "INTEGER PRIMARY KEY", "seen": "no table", "full": "at its end"} {
		_, err := sink.Reserve(t.Context(), schema.Name{Table: table}, "id", 8)
		wants(t, err, rowferry.CodeKeyReserve, table, why)
	}
	if ranges, err := sink.Reserve(t.Context(), schema.Name{Table: "full"}, "id", 7); err != nil || len(ranges) != 1 {
		t.Errorf("%v, %v", ranges, err)
	}
	must(t, apply(sink, 1))
	tx, err := sink.Begin(t.Context())
	must(t, err)
	_, err = sink.Reserve(t.Context(), schema.Name{Table: "full"}, "id", 1)
	wants(t, err, rowferry.CodeInternal)
	must(t, tx.Rollback())
}
