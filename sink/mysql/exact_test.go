package mysql_test

import (
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestOthersKeepTheirRows: to the collation of an existing table the key of
// another's row may equal that of ours. It is never changed for that.
func TestOthersKeepTheirRows(t *testing.T) {
	binary := text
	binary.Collation = "utf8mb4_bin"
	table := keyed("t", schema.Column{Name: "id", Type: binary}, col("n", integer))
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db, "CREATE TABLE t (id VARCHAR(20) CHARACTER SET utf8mb4 COLLATE utf8mb4_general_ci PRIMARY KEY, n INT)", "INSERT INTO t VALUES ('A', 100), ('é', 200)")
		sink := open(t, server, name, nil)
		defer sink.Close()
		p := begin(t, sink)
		for _, c := range []struct {
			name string
			m    rowferry.Mutation
			code rowferry.Code
		}{
			{"update", updated(table, rowferry.Row{s("a"), i(1)}, rowferry.Row{s("a"), i(2)}), rowferry.CodeRowMissing},
			{"update of nothing", updated(table, rowferry.Row{s("a"), i(1)}, rowferry.Row{s("a"), i(1)}), rowferry.CodeRowMissing},
			{"delete", deleted(table, s("e"), i(1)), rowferry.CodeRowMissing},
			{"insert", inserted(table, s("a"), i(1)), rowferry.CodeForeignRow},
		} {
			t.Run(c.name, func(t *testing.T) {
				wants(t, p.try(shaped(table), c.m), c.code)
			})
		}
		p.must(inserted(table, s("b"), i(1)), updated(table, rowferry.Row{s("b"), i(1)}, rowferry.Row{s("b"), i(2)}))
		if got := one(t, db, "SELECT GROUP_CONCAT(id, n ORDER BY id) FROM t"); got != "A100,b2,é200" {
			t.Errorf("the table has %s", got)
		}
	})
}

// TestSpacesAreKept: a TEXT that is too small for a text loses no spaces at its
// end, which strict mode lets it.
func TestSpacesAreKept(t *testing.T) {
	table := keyed("t", col("id", integer), col("s", schema.Type{Kind: schema.Text, Charset: "utf8mb4", Collation: "utf8mb4_general_ci"}))
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		mustExec(t, db, "CREATE TABLE t (id INT PRIMARY KEY, s TINYTEXT CHARACTER SET utf8mb4)")
		sink := open(t, server, name, nil)
		defer sink.Close()
		full := strings.Repeat("x", 200) + strings.Repeat(" ", 55)
		p := begin(t, sink)
		p.must(shaped(table), inserted(table, i(1), s(full)))
		wants(t, p.try(inserted(table, i(2), s(full+" "))), rowferry.CodeOutOfRange, "room: 255 bytes")
		if got := one(t, db, "SELECT GROUP_CONCAT(id, ':', LENGTH(s)) FROM t"); got != "1:255" {
			t.Errorf("the table has %s", got)
		}
	})
}

// TestCharacterSetOfTheSession: texts arrive as they are where the server gives
// its sessions another character set than they ask for.
func TestCharacterSetOfTheSession(t *testing.T) {
	server := testdb.Start(t, testdb.MariaDB1011, testdb.Arg("skip-character-set-client-handshake"),
		testdb.Arg("character-set-server=latin1"), testdb.Arg("collation-server=latin1_swedish_ci"))
	name, db := testdb.NewDatabase(t, server)
	sink := open(t, server, name, nil)
	defer sink.Close()
	label := schema.Type{Kind: schema.Enum, Charset: "utf8mb4", Collation: "utf8mb4_general_ci", Labels: []string{"ä", "€"}}
	table := keyed("t", col("id", integer), col("s", text), col("e", label))
	begin(t, sink).must(shaped(table), inserted(table, i(1), s("Müller €"), s("€")))
	if got := one(t, db, "SELECT CONCAT(HEX(s), HEX(CONVERT(e USING utf8mb4))) FROM t"); got != "4DC3BC6C6C657220E282AC"+"E282AC" {
		t.Errorf("the row is %s", got)
	}
}
