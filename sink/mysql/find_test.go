package mysql_test

import (
	"testing"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/testdb"
	"github.com/rowferry/rowferry/schema"
)

// TestFindsExactlyItsRow: rows that nearly are the one that is meant: by a
// coarser collation, as doubles, or but for their spaces and case.
func TestFindsExactlyItsRow(t *testing.T) {
	latin := schema.Type{Kind: schema.VarChar, Length: 20, Charset: "latin1", Collation: "latin1_bin"}
	german := schema.Type{Kind: schema.VarChar, Length: 20, Charset: "latin1", Collation: "latin1_german1_ci"}
	wide := text
	wide.Length = 40
	decimal := schema.Type{Kind: schema.Decimal, Precision: 40, Scale: 20}
	onEach(t, func(t *testing.T, server *testdb.Server) {
		for _, c := range []struct {
			name  string
			typ   schema.Type
			keyed bool
			twins []string // each row is updated once
		}{
			{"binary collation", latin, true, []string{"a", "A", "ä", "Ä", "ß", "ss"}},
			{"collation of its own", german, true, []string{"a", "o", "ss", "u", "z"}},
			{"decimals", decimal, true, []string{"1.00000000000000000001", "1.00000000000000000002", "1.00000000000000000003"}},
			{"no key", german, false, []string{"a", "A", "ä", "a ", "a  ", ""}},
			{"no key, decimals", decimal, false, []string{"1.00000000000000000001", "1.00000000000000000002"}},
			{"no key, wide", text, false, []string{"a", "A", "á", "a ", "ａ"}},
		} {
			t.Run(c.name, func(t *testing.T) {
				name, db := testdb.NewDatabase(t, server)
				sink := open(t, server, name, nil)
				defer sink.Close()
				table := keyed("t", schema.Column{Name: "id", Type: c.typ}, col("v", wide))
				if !c.keyed {
					table.PrimaryKey = nil
				}
				p := begin(t, sink)
				p.must(shaped(table))
				for _, k := range c.twins {
					p.must(inserted(table, s(k), s("old")))
				}
				for _, k := range c.twins {
					p.must(updated(table, rowferry.Row{s(k), s("old")}, rowferry.Row{s(k), s(k)}))
				}
				if n := one(t, db, "SELECT COUNT(*) FROM t WHERE CAST(CONVERT(id USING utf8mb4) AS BINARY) <> CAST(v AS BINARY)"); n != "0" {
					t.Errorf("%s rows got another's value", n)
				}
				for _, k := range c.twins {
					p.must(deleted(table, s(k), s(k)))
				}
			})
		}
	})
}
