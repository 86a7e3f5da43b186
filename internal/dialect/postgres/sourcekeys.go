package postgres

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/rowferry/rowferry/schema"
)

// sourceIndexes reads every unique index and every exclusion constraint, the
// primary key first, then the replica identity.
const sourceIndexes = `SELECT i.indrelid, x.relname, i.indisprimary, i.indisreplident, i.indkey::text, i.indnkeyatts,
  CASE WHEN NOT i.indisvalid OR NOT i.indislive THEN 'is not valid'
    WHEN NOT i.indimmediate THEN 'is DEFERRABLE'
    WHEN i.indpred IS NOT NULL THEN 'is over some of the rows'
    WHEN i.indexprs IS NOT NULL THEN 'is over expressions'
    WHEN i.indisexclusion AND NOT i.indisprimary THEN 'excludes rows by more than equality' ELSE '' END
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion)
  ORDER BY i.indrelid, i.indisprimary DESC, i.indisreplident DESC, i.indexrelid`

func (in *sourceInspection) index(r Row) error {
	t, err := in.of(r, 0)
	if err != nil {
		return err
	}
	numbers, err := r.Ints(4)
	if err != nil {
		return err
	}
	count, err := r.Int(5)
	if err != nil {
		return err
	}
	what := "unique key"
	if r.Bool(2) {
		what = "primary key"
	}
	if why := r.Text(6); why != "" {
		t.Table.Unsupported = append(t.Table.Unsupported, fmt.Sprintf("the %s %s, which %s", what, r.Text(1), why))
		return nil
	}
	ordinals, lost, err := in.ordinals(t, numbers[:min(int(count), len(numbers))])
	if err != nil {
		return err
	}
	if lost != "" {
		t.Table.Unsupported = append(t.Table.Unsupported, fmt.Sprintf("the %s %s, whose column %s is not published", what, r.Text(1), lost))
		return nil
	}
	if t.Identity == 'i' && r.Bool(3) {
		t.IdentityColumns = slices.Sorted(slices.Values(ordinals))
	}
	if r.Bool(2) {
		t.Table.PrimaryKey = ordinals
	} else {
		t.Table.Uniques = append(t.Table.Uniques, schema.Index{Name: r.Text(1), Columns: ordinals})
	}
	return nil
}

// ordinals returns the ordinals of attributes, or the name of the first that is
// not logged.
func (in *sourceInspection) ordinals(t *SourceTable, numbers []int) (ordinals []int, lost string, err error) {
	ordinals = make([]int, len(numbers))
	for i, n := range numbers {
		o, ok := in.at[t.OID][n]
		if name, is := in.lost[t.OID][n]; is {
			return nil, name, nil
		}
		if !ok {
			return nil, "", fmt.Errorf("the catalog names attribute %d of %s, which has none", n, t.Table.Name)
		}
		ordinals[i] = o
	}
	return ordinals, "", nil
}

// sourceForeign leaves out the constraints that a foreign key to a partitioned
// table has for each of its partitions. What only newer versions know of
// (conenforced, conperiod: PostgreSQL 18) is asked by way of jsonb.
const sourceForeign = `SELECT k.conrelid, k.conname, pn.nspname, p.relname,
  (SELECT pg_catalog.json_agg(u.n ORDER BY u.place) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, place)),
  (SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n),
  CASE WHEN pg_catalog.to_jsonb(k) ->> 'conenforced' = 'false' THEN 'is NOT ENFORCED'
    WHEN NOT k.convalidated THEN 'is NOT VALID'
    WHEN pg_catalog.to_jsonb(k) ->> 'conperiod' = 'true' THEN 'is over a PERIOD' ELSE '' END
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE k.contype = 'f' AND k.conrelid = ANY ($1::oid[])
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint o WHERE o.oid = k.conparentid AND o.conrelid = k.conrelid)
  ORDER BY k.oid`

func (in *sourceInspection) foreign(r Row) error {
	t, err := in.of(r, 0)
	if err != nil {
		return err
	}
	if why := r.Text(6); why != "" {
		t.Unlisted = true
		t.Table.Unsupported = append(t.Table.Unsupported, fmt.Sprintf("the foreign key %s, which %s", r.Text(1), why))
		return nil
	}
	k := schema.ForeignKey{Name: r.Text(1), Parent: schema.Name{Schema: r.Text(2), Table: r.Text(3)}}
	var numbers []int
	if err := json.Unmarshal(r[4], &numbers); err != nil {
		return err
	}
	if err := json.Unmarshal(r[5], &k.Referenced); err != nil {
		return err
	}
	var lost string
	if k.Columns, lost, err = in.ordinals(t, numbers); err != nil {
		return err
	}
	if lost != "" {
		t.Unlisted = true
		t.Table.Unsupported = append(t.Table.Unsupported, fmt.Sprintf("the foreign key %s, whose column %s is not published", k.Name, lost))
		return nil
	}
	t.Table.ForeignKeys = append(t.Table.ForeignKeys, k)
	return nil
}

// sourcePartitions lists the partitions whose changes are not logged.
const sourcePartitions = `SELECT c.oid, p.relname, p.relkind FROM pg_catalog.pg_class c, pg_catalog.pg_partition_tree(c.oid) t, pg_catalog.pg_class p
  WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'p' AND p.oid = t.relid AND (p.relkind NOT IN ('r', 'p') OR p.relpersistence <> 'p')
  ORDER BY c.oid, p.relname`

func (in *sourceInspection) partition(r Row) error {
	t, err := in.of(r, 0)
	if err != nil {
		return err
	}
	what := "is UNLOGGED"
	if r.Text(2) == "f" {
		what = "is a foreign table"
	}
	t.Odd = append(t.Odd, fmt.Sprintf("its partition %s %s, so the changes of it are not in the log", r.Text(1), what))
	return nil
}
