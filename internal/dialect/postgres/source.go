package postgres

import (
	"context"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/schema"
)

// SourceTable is a table as a source has it.
type SourceTable struct {
	OID uint32
	// Table is the shape of the rows that are logged. Its foreign keys carry no
	// action, since what one changes is logged. Its unique keys are those that
	// are checked at once and over all rows, in a table without a primary key
	// the one that is its replica identity first.
	Table   *schema.Table
	Columns []SourceColumn // one per Table.Columns
	// Identity is the replica identity: d(efault), n(othing), f(ull), i(ndex).
	Identity byte
	// IdentityColumns are the ordinals of what old rows are logged with, in the
	// order of the table: those of the key or index, all of them for full, nil
	// for none, and nil too where a column of the key is not logged.
	IdentityColumns []int
	Kind            string // "table" or "partitioned table"
	// Root is the topmost partitioned table of a partition, 0 of any other.
	Root uint32
	Odd  []string // for people: what of it is not logged, or not as one would think
	// Unlisted is set where it has a foreign key that the shape cannot have.
	Unlisted bool
}

// SourceColumn is what a source says of a column beyond its schema.Column.
type SourceColumn struct {
	Number  int    // pg_attribute.attnum
	TypeOID uint32 // as declared: a domain's own
	Mod     int    // pg_attribute.atttypmod; -1 for none
	// Generated is set for a column GENERATED ALWAYS AS (…) STORED.
	Generated bool
}

// SourceOptions say what of a table is logged.
type SourceOptions struct {
	// PublishGenerated is set where stored generated columns are published.
	// Virtual ones never are.
	PublishGenerated bool
}

// ReadSource reads ordinary and partitioned tables outside the system schemas:
// those of the given oids, or all where oids is nil, by schema and name. Of an
// oid that is no such table nothing is returned, and a table changed meanwhile
// may be read half before and half after: a caller to whom that matters asks in
// a transaction with a snapshot.
//
// The connection is one of Connect: names of types depend on its settings.
// Errors are the driver's, or say how the catalog contradicts itself.
func ReadSource(ctx context.Context, conn *pgconn.PgConn, oids []uint32, o SourceOptions) ([]*SourceTable, error) {
	in := &sourceInspection{options: o, find: map[uint32]*SourceTable{}, at: map[uint32]map[int]int{}, lost: map[uint32]map[int]string{}, raw: map[uint32][]typeRef{}}
	condition, args := "true", []any(nil)
	if oids != nil {
		condition, args = "c.oid = ANY ($1::oid[])", []any{array(oids)}
	}
	if err := Query(ctx, conn, sourceTables+condition+" ORDER BY n.nspname, c.relname", in.table, args...); err != nil || len(in.all) == 0 {
		return nil, err
	}
	found := make([]uint32, len(in.all))
	for i, t := range in.all {
		found[i] = t.OID
	}
	for _, part := range []struct {
		sql string
		fn  func(Row) error
	}{{sourceColumns, in.column}, {sourceIndexes, in.index}, {sourcePlain, in.plain}, {sourceForeign, in.foreign}, {sourcePartitions, in.partition}} {
		if err := Query(ctx, conn, part.sql, part.fn, array(found)); err != nil {
			return nil, err
		}
	}
	if err := in.types(ctx, conn); err != nil {
		return nil, err
	}
	for _, t := range in.all {
		in.finish(t)
	}
	return in.all, nil
}

// sourceInspection gathers what the catalog says of a source's tables.
type sourceInspection struct {
	options SourceOptions
	all     []*SourceTable
	find    map[uint32]*SourceTable
	at      map[uint32]map[int]int    // ordinals by attribute number
	lost    map[uint32]map[int]string // names of the columns that are not logged
	raw     map[uint32][]typeRef      // the columns' types
}

const sourceTables = `SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relreplident,
  CASE WHEN c.relispartition THEN coalesce(pg_catalog.pg_partition_root(c.oid)::oid, 0) ELSE 0 END,
  EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid),
  EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid)
  FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_' AND `

func (in *sourceInspection) table(r Row) error {
	oid, err := r.Int(0)
	if err != nil {
		return err
	}
	root, err := r.Int(6)
	if err != nil {
		return err
	}
	t := &SourceTable{
		OID: uint32(oid), Kind: kinds[r.Text(3)], Root: uint32(root),
		Table: &schema.Table{Name: schema.Name{Schema: r.Text(1), Table: r.Text(2)}, ConstraintsKnown: true},
	}
	switch identity := r.Text(5); identity {
	case "d", "n", "f", "i":
		t.Identity = identity[0]
	default:
		return fmt.Errorf("table %s has a replica identity %q that is not known", t.Table.Name, identity)
	}
	if r.Text(4) == "u" {
		t.Odd = append(t.Odd, "it is UNLOGGED, so its changes are not in the log")
	}
	if r.Bool(7) && t.Kind == "table" {
		t.Odd = append(t.Odd, "other tables inherit from it: their rows are logged as theirs, though a query of it shows them")
	}
	if r.Bool(8) && t.Root == 0 {
		t.Odd = append(t.Odd, "it inherits from another table, a query of which shows its rows too")
	}
	in.all = append(in.all, t)
	in.find[t.OID], in.at[t.OID], in.lost[t.OID] = t, map[int]int{}, map[int]string{}
	return nil
}

// of returns the table whose oid is the row's column i.
func (in *sourceInspection) of(r Row, i int) (*SourceTable, error) {
	oid, err := r.Int(i)
	if err != nil {
		return nil, err
	}
	t := in.find[uint32(oid)]
	if t == nil {
		return nil, fmt.Errorf("the catalog tells of table %d, which was not asked for", oid)
	}
	return t, nil
}

// sourceColumns: a sequence that a column owns is found by its dependency, for
// which no privilege is needed. NOT NULL that rows from before may break (NOT
// VALID, PostgreSQL 18) does not count.
const sourceColumns = `SELECT a.attrelid, a.attnum, a.attname, a.attgenerated, a.atttypid, a.atttypmod,
  a.attnotnull AND NOT EXISTS (SELECT FROM pg_catalog.pg_constraint k
    WHERE k.conrelid = a.attrelid AND k.contype = 'n' AND k.conkey[1] = a.attnum AND NOT k.convalidated),
  a.attidentity <> '' OR a.atthasdef AND a.attgenerated = '' AND EXISTS (SELECT FROM pg_catalog.pg_depend d
    JOIN pg_catalog.pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.refclassid = 'pg_catalog.pg_class'::pg_catalog.regclass
    AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'a'),
  coalesce(l.collisdeterministic, true)
  FROM pg_catalog.pg_attribute a LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`

func (in *sourceInspection) column(r Row) error {
	t, err := in.of(r, 0)
	if err != nil {
		return err
	}
	var numbers [3]int64
	for k, i := range []int{1, 4, 5} {
		if numbers[k], err = r.Int(i); err != nil {
			return err
		}
	}
	c := SourceColumn{Number: int(numbers[0]), TypeOID: uint32(numbers[1]), Mod: int(numbers[2])}
	s := schema.Column{Name: r.Text(2), Nullable: !r.Bool(6), AutoIncrement: r.Bool(7)}
	switch generated := r.Text(3); {
	case generated == "":
	case generated == "s" && in.options.PublishGenerated:
		c.Generated, s.Generated = true, schema.Stored
	case generated == "s", generated == "v":
		in.lost[t.OID][c.Number] = s.Name
		t.Table.Unsupported = append(t.Table.Unsupported, fmt.Sprintf("the generated column %s, which is not published", s.Name))
		return nil
	default:
		return fmt.Errorf("column %s of %s is generated in a way %q that is not known", s.Name, t.Table.Name, generated)
	}
	in.at[t.OID][c.Number] = len(t.Columns)
	in.raw[t.OID] = append(in.raw[t.OID], typeRef{oid: c.TypeOID, mod: c.Mod, exact: r.Bool(8)})
	t.Columns = append(t.Columns, c)
	t.Table.Columns = append(t.Table.Columns, s)
	return nil
}

// types gives every column its type.
func (in *sourceInspection) types(ctx context.Context, conn *pgconn.PgConn) error {
	var refs []typeRef
	for _, t := range in.all {
		refs = append(refs, in.raw[t.OID]...)
	}
	c, err := readTypes(ctx, conn, refs)
	if err != nil {
		return err
	}
	for _, t := range in.all {
		for i, ref := range in.raw[t.OID] {
			if t.Table.Columns[i].Type, err = c.typeOf(ref); err != nil {
				return fmt.Errorf("column %s of %s: %w", t.Table.Columns[i].Name, t.Table.Name, err)
			}
		}
	}
	return nil
}

// finish draws what the parts say together.
func (in *sourceInspection) finish(t *SourceTable) {
	if t.Identity == 'f' {
		t.IdentityColumns = make([]int, len(t.Columns))
		for i := range t.IdentityColumns {
			t.IdentityColumns[i] = i
		}
	}
	if t.Identity == 'd' && t.Table.PrimaryKey != nil {
		t.IdentityColumns = slices.Sorted(slices.Values(t.Table.PrimaryKey))
	}
}
