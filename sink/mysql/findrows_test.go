package mysql_test

import (
	"fmt"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestFindByCollation: rows are found as their columns compare.
func TestFindByCollation(t *testing.T) {
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		sink := open(t, server, name, nil)
		defer sink.Close()
		mustExec(t, db, "CREATE TABLE t (id BIGINT PRIMARY KEY, a VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci, b VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_bin)",
			"INSERT INTO t VALUES (1, 'Änne', 'Änne'), (2, 'x', 'x')")
		text := schema.Type{Kind: schema.VarChar, Length: 20}
		shape := &schema.Table{Name: schema.Name{Table: "t"}, PrimaryKey: []int{0}, Columns: []schema.Column{
			{Name: "id", Type: schema.Type{Kind: schema.Int, Bits: 64}}, {Name: "a", Type: text, Nullable: true}, {Name: "b", Type: text, Nullable: true},
		}}
		for column, want := range map[int]string{1: "[{0 [1]} {1 [1]} {2 [2]}]", 2: "[{1 [1]}]"} {
			var values [][]rowferry.Value
			for _, v := range []string{"ANNE", "Änne", "X"} {
				values = append(values, []rowferry.Value{rowferry.TextValue(v)})
			}
			found, err := sink.Find(t.Context(), shape, []int{column}, values, []int{0})
			if got := fmt.Sprint(found); err != nil || got != want {
				t.Errorf("column %d: %s, %v, want %s", column, got, err, want)
			}
		}
	})
}
