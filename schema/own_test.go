package schema_test

import (
	"testing"

	"github.com/rowferry/rowferry/schema"
)

// TestEquality: of which types equal means equal bytes, and which compare in
// every PostgreSQL as at the source.
func TestEquality(t *testing.T) {
	const exact = "utf8mb4_0900_bin"
	for _, c := range []struct {
		typ         schema.Type
		bytes, same bool
	}{
		{schema.Type{Kind: schema.Int, Bits: 32, Native: "integer"}, true, true},
		{schema.Type{Kind: schema.Decimal, Precision: 10, Scale: 2, Native: "numeric(10,2)"}, true, true},
		{schema.Type{Kind: schema.Decimal, Native: "numeric"}, false, true},
		{schema.Type{Kind: schema.Other, Native: "interval"}, false, true},
		{schema.Type{Kind: schema.JSON, Native: "jsonb"}, false, true},
		{schema.Type{Kind: schema.Text, Native: "text", Collation: exact}, true, true},
		{schema.Type{Kind: schema.Text, Native: "text"}, false, false}, // in a collation of somebody's own
		{schema.Type{Kind: schema.Text, Native: "public.citext", User: []schema.UserType{{Name: "public.citext", Extension: "citext"}}}, false, true},
		{schema.Type{Kind: schema.Text, Native: "bpchar"}, false, true},
		{schema.Type{Kind: schema.VarChar, Length: 3, Collation: "utf8mb4_general_ci"}, false, false},
		{schema.Type{Kind: schema.Date}, true, true},
	} {
		table := &schema.Table{Columns: []schema.Column{{Name: "v", Type: c.typ}}}
		if got := table.ByteExact([]int{0}); got != c.bytes {
			t.Errorf("%s compares byte by byte: %v", c.typ, got)
		}
		if got := table.SameInPostgres([]int{0}); got != c.same {
			t.Errorf("%s compares in PostgreSQL as at the source: %v", c.typ, got)
		}
	}
}
