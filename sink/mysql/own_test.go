package mysql_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
	"github.com/rowferry/rowferry/sink/mysql"
)

// TestOwnKeys: a text of a PostgreSQL in a key is a VARCHAR, whose length nothing
// passes without a word; a foreign key over what compares in another way there is
// left out; and of several columns that count one does.
func TestOwnKeys(t *testing.T) {
	text := schema.Type{Kind: schema.Text, Native: "text", Charset: "utf8mb4", Collation: "utf8mb4_0900_bin"}
	numeric := schema.Type{Kind: schema.Decimal, Native: "numeric"}
	number := schema.Type{Kind: schema.Int, Bits: 32, Native: "integer"}
	parent := keyed("parent", col("id", text), col("n", numeric))
	parent.Uniques = []schema.Index{{Columns: []int{1}}}
	child := keyed("child", col("id", number), schema.Column{Name: "other", Type: number, AutoIncrement: true}, col("k", text), col("n", numeric))
	child.Columns[0].AutoIncrement = true
	child.ForeignKeys = []schema.ForeignKey{{Columns: []int{2}, Parent: parent.Name, Referenced: []string{"id"}}, {Columns: []int{3}, Parent: parent.Name, Referenced: []string{"n"}}}
	onEach(t, func(t *testing.T, server *testdb.Server) {
		name, db := testdb.NewDatabase(t, server)
		var notices []string
		sink := open(t, server, name, func(o *mysql.Options) { o.Notice = func(n string) { notices = append(notices, n) } })
		defer sink.Close()
		p := begin(t, sink)
		p.must(shaped(parent), shaped(child))
		if got := one(t, db, "SELECT COUNT(*) FROM information_schema.REFERENTIAL_CONSTRAINTS WHERE CONSTRAINT_SCHEMA = DATABASE()"); got != "1" {
			t.Errorf("%s foreign keys, want the one over text", got)
		}
		if !slices.ContainsFunc(notices, func(n string) bool {
			return strings.Contains(n, "without the foreign key (n)") && strings.Contains(n, "takes different values of it for equal")
		}) {
			t.Errorf("notices %q", notices)
		}
		longest := strings.Repeat("é", 767) + " "
		p.must(inserted(parent, s(longest), s("1.0")), inserted(child, i(0), i(0), s(longest), s("1.00")))
		if got := one(t, db, "SELECT CHAR_LENGTH(id) FROM parent"); got != "768" {
			t.Errorf("a key has %s characters", got)
		}
		if got := one(t, db, "SELECT CONCAT(id, ' ', other, ' ', n) FROM child"); got != "0 0 1.00" {
			t.Errorf("the child is %s", got)
		}
		for _, tooLong := range []string{longest + " ", longest + "é"} {
			wants(t, p.try(inserted(parent, s(tooLong), null)), rowferry.CodeOutOfRange, "769")
		}
	})
}
