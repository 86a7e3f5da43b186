package postgres

import (
	"fmt"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// sourcePlain reads the indexes that refuse no row. Those sorted as an index is
// that says nothing of it have a reason of ”. indoption has 1 for a descending
// column and 2 for one with NULLs first, which is how descending ones are.
const sourcePlain = `SELECT i.indrelid, x.relname, i.indkey::text, i.indoption::text,
  CASE WHEN NOT i.indisvalid OR NOT i.indislive THEN 'is not valid'
    WHEN m.amname <> 'btree' THEN 'is a ' || m.amname || ' index'
    WHEN i.indpred IS NOT NULL THEN 'is over some of the rows'
    WHEN i.indexprs IS NOT NULL THEN 'is over an expression'
    WHEN i.indnkeyatts < i.indnatts THEN 'has an INCLUDE list'
    WHEN EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) p(n)
      WHERE i.indoption[p.n] IN (1, 2)) THEN 'sorts NULLs in another order'
    WHEN EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) p(n)
      JOIN pg_catalog.pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.n]
      WHERE i.indcollation[p.n] <> a.attcollation) THEN 'has a collation of its own'
    WHEN EXISTS (SELECT FROM pg_catalog.generate_series(0, i.indnkeyatts - 1) p(n)
      JOIN pg_catalog.pg_opclass k ON k.oid = i.indclass[p.n] WHERE NOT k.opcdefault) THEN 'has an operator class' ELSE '' END
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid JOIN pg_catalog.pg_am m ON m.oid = x.relam
  WHERE i.indrelid = ANY ($1::oid[]) AND NOT (i.indisunique OR i.indisexclusion)
  ORDER BY i.indrelid, x.relname`

func (in *sourceInspection) plain(r Row) error {
	t, err := in.of(r, 0)
	if err != nil {
		return err
	}
	other := func(why string) error {
		t.Table.OtherIndexes = append(t.Table.OtherIndexes, fmt.Sprintf("index %s, which %s", r.Text(1), why))
		return nil
	}
	if why := r.Text(4); why != "" {
		return other(why)
	}
	numbers, err := r.Ints(2)
	if err != nil {
		return err
	}
	options, err := r.Ints(3)
	if err != nil {
		return err
	}
	if len(options) != len(numbers) {
		return fmt.Errorf("the catalog has %d columns and %d orders of index %s", len(numbers), len(options), r.Text(1))
	}
	ordinals, lost, err := in.ordinals(t, numbers)
	if err != nil {
		return err
	}
	if lost != "" {
		return other("has the column " + lost + ", which is not published")
	}
	x := schema.Index{Name: r.Text(1), Columns: ordinals}
	if descending := func(o int) bool { return o&1 != 0 }; slices.ContainsFunc(options, descending) {
		for _, o := range options {
			x.Descending = append(x.Descending, descending(o))
		}
	}
	t.Table.Indexes = append(t.Table.Indexes, x)
	return nil
}
