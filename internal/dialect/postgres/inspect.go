package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/schema"
)

// Existing is a table as the database has it.
type Existing struct {
	OID uint32
	// Shape has the table's names, keys and foreign keys. Its types stand for
	// the columns' own. Its unique keys are those that are checked at once and
	// over all rows.
	Shape    *schema.Table
	Columns  []Column // one per Shape.Columns
	Kind     string   // "table", "partitioned table", "view" …
	Odd      []string // for people: what of it would lose a row or hide one
	Triggers []Trigger
	Children []Reference // foreign keys that point here, its own included
	Made     bool        // by Rowferry
	Version  string      // differs after every change of what is said here
}

// Column is what PostgreSQL says of a column beyond its schema.Column.
type Column struct {
	Declared string
	Type     ColumnType
	OID      uint32 // of the type
	// Cast is the type without a modifier, for a cast of a text to it.
	Cast string
	// Listed is set where arrays of the type have commas between their elements and
	// are unnested into one column.
	Listed bool
	// Equals is the operator by which its keys compare.
	Equals string
	// Filled is set where the database gives the column a value by itself.
	Filled bool
	// Always is set for GENERATED ALWAYS AS IDENTITY.
	Always bool
	// Loose is set where the column's collation takes different texts for equal.
	Loose bool
}

// Trigger is an enabled trigger of somebody's own.
type Trigger struct {
	Name   string
	Always bool // ENABLE ALWAYS
}

// MadeComment is the comment of tables that Rowferry makes. It tells them from
// tables that are to be left as they are.
const MadeComment = "made by Rowferry"

// versionOf is an expression over pg_class c that changes with the table:
// columns, indexes, triggers (those of foreign keys too, on both sides), rules
// and partitions. Catalog rows are never changed in place but for pg_class,
// whose columns that matter are named one by one.
const versionOf = `(SELECT md5(string_agg(x, ' ' ORDER BY x)) FROM (
  SELECT format('%s %s %s %s %s %s', c.relname, c.relnamespace, c.relkind, c.relpersistence, c.relrowsecurity, c.relforcerowsecurity)
  UNION ALL SELECT format('a%s:%s', a.attnum, a.xmin) FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0
  UNION ALL SELECT format('i%s:%s', i.indexrelid, i.xmin) FROM pg_catalog.pg_index i WHERE i.indrelid = c.oid
  UNION ALL SELECT format('t%s:%s', t.oid, t.tgenabled) FROM pg_catalog.pg_trigger t WHERE t.tgrelid = c.oid
  UNION ALL SELECT format('r%s:%s', r.oid, r.ev_enabled) FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid
  UNION ALL SELECT format('c%s', h.inhrelid) FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid
) v(x))`

// Versions returns Existing.Version of each table that still exists, by oid.
func Versions(ctx context.Context, conn *pgconn.PgConn, oids []uint32) (map[uint32]string, error) {
	versions := make(map[uint32]string, len(oids))
	err := Query(ctx, conn, "SELECT c.oid, "+versionOf+" FROM pg_catalog.pg_class c WHERE c.oid = ANY ($1::oid[])", func(r Row) error {
		oid, err := r.Int(0)
		versions[uint32(oid)] = r.Text(1)
		return err
	}, array(oids))
	return versions, err
}

func array(oids []uint32) string {
	b := []byte{'{'}
	for i, o := range oids {
		if i > 0 {
			b = append(b, ',')
		}
		b = strconv.AppendUint(b, uint64(o), 10)
	}
	return string(append(b, '}'))
}

// Inspect returns the table or view of that name, or nil when there is none.
func Inspect(ctx context.Context, conn *pgconn.PgConn, name schema.Name) (*Existing, error) {
	found, err := inspect(ctx, conn, "n.nspname = $1 AND c.relname = $2", Namespace(name), name.Table)
	if err != nil || len(found) == 0 {
		return nil, err
	}
	return found[0], nil
}

// Tables returns all tables that are nobody's system tables, by schema and
// name.
func Tables(ctx context.Context, conn *pgconn.PgConn) ([]*Existing, error) {
	return inspect(ctx, conn, `c.relkind IN ('r', 'p') AND NOT c.relispartition AND c.relpersistence <> 't'
  AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'`)
}

// inspection gathers what the catalog says of the tables that a condition
// finds. A table's version is read first: a change that comes in between leaves
// it the older one.
type inspection struct {
	all  []*Existing
	find map[uint32]*Existing
	at   map[uint32]map[int]int // ordinals by attribute number
}

func inspect(ctx context.Context, conn *pgconn.PgConn, condition string, args ...any) ([]*Existing, error) {
	in := &inspection{find: map[uint32]*Existing{}, at: map[uint32]map[int]int{}}
	// Kinds of pg_class that have no rows of their own are left out.
	err := Query(ctx, conn, "SELECT "+relationColumns+" FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace WHERE "+
		"c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S', 'c') AND "+condition+" ORDER BY n.nspname, c.relname", in.relation, args...)
	if err != nil || len(in.all) == 0 {
		return nil, err
	}
	oids := make([]uint32, len(in.all))
	for i, x := range in.all {
		oids[i] = x.OID
	}
	for _, part := range []struct {
		sql string
		fn  func(Row) error
	}{{columnQuery, in.column}, {indexQuery, in.index}, {foreignQuery, in.foreign}, {triggerQuery, in.trigger}, {partitionQuery, in.partition}} {
		if err := Query(ctx, conn, part.sql, part.fn, array(oids)); err != nil {
			return nil, err
		}
	}
	return in.all, nil
}

const relationColumns = `c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, c.relispartition,
  EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhparent = c.oid),
  EXISTS (SELECT FROM pg_catalog.pg_inherits h WHERE h.inhrelid = c.oid),
  EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = c.oid AND r.ev_enabled <> 'D' AND r.rulename <> '_RETURN'),
  c.relkind IN ('r', 'p') AND pg_catalog.row_security_active(c.oid),
  pg_catalog.obj_description(c.oid, 'pg_class') = '` + MadeComment + `', ` + versionOf

var kinds = map[string]string{
	"r": "table", "p": "partitioned table", "v": "view", "m": "materialized view", "f": "foreign table", "S": "sequence", "c": "composite type",
}

func (in *inspection) relation(r Row) error {
	oid, err := r.Int(0)
	if err != nil {
		return err
	}
	x := &Existing{
		OID: uint32(oid), Kind: kinds[r.Text(3)], Made: r.Bool(10), Version: r.Text(11),
		Shape: &schema.Table{Name: schema.Name{Schema: r.Text(1), Table: r.Text(2)}, ConstraintsKnown: true},
	}
	if r.Text(4) == "u" {
		x.Odd = append(x.Odd, "it is UNLOGGED, so that a crash of the server empties it")
	}
	if r.Bool(5) {
		x.Odd = append(x.Odd, "it is a partition of another table")
	}
	if r.Bool(6) && x.Kind == "table" {
		x.Odd = append(x.Odd, "other tables inherit from it")
	}
	if r.Bool(7) && !r.Bool(5) {
		x.Odd = append(x.Odd, "it inherits from another table")
	}
	if r.Bool(8) {
		x.Odd = append(x.Odd, "it has rules")
	}
	if r.Bool(9) {
		x.Odd = append(x.Odd, "row security hides rows of it from this user")
	}
	in.all = append(in.all, x)
	in.find[x.OID], in.at[x.OID] = x, map[int]int{}
	return nil
}

const columnQuery = `SELECT a.attrelid, a.attnum, a.attname, a.attnotnull, a.atthasdef OR a.attidentity <> '', a.attidentity = 'a', a.attgenerated,
  a.atttypid, a.atttypmod, pg_catalog.format_type(a.atttypid, a.atttypmod), NOT coalesce(l.collisdeterministic, true),
  a.attidentity <> '' OR pg_catalog.pg_get_serial_sequence(format('%I.%I', n.nspname, c.relname), a.attname) IS NOT NULL,
  pg_catalog.format_type(a.atttypid, -1), CASE WHEN a.atttypid >= 16384 THEN ` + ownEquals + ` END,
  EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.oid = a.atttypid AND t.typarray <> 0 AND t.typdelim = ',' AND t.typtype <> 'c')
  FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
  LEFT JOIN pg_catalog.pg_collation l ON l.oid = a.attcollation
  WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped ORDER BY a.attrelid, a.attnum`

func (in *inspection) column(r Row) error {
	x, err := in.of(r)
	if err != nil {
		return err
	}
	number, err := r.Int(1)
	if err != nil {
		return err
	}
	oid, err := r.Int(7)
	if err != nil {
		return err
	}
	mod, err := r.Int(8)
	if err != nil {
		return err
	}
	c := Column{Declared: r.Text(9), Type: columnType(uint32(oid), int(mod)), Filled: r.Bool(4), Always: r.Bool(5), Loose: r.Bool(10),
		OID: uint32(oid), Cast: r.Text(12), Equals: cmp.Or(r.Text(13), "="), Listed: r.Bool(14)}
	s := schema.Column{Name: r.Text(2), Type: c.Type.logical(), Nullable: !r.Bool(3), AutoIncrement: r.Bool(11)}
	switch g := r.Text(6); g {
	case "":
	case "s":
		s.Generated = schema.Stored
	case "v":
		s.Generated = schema.Virtual
	default:
		return fmt.Errorf("column %s of %s is generated in a way %q that is not known", s.Name, x.Shape.Name, g)
	}
	in.at[x.OID][int(number)] = len(x.Columns)
	x.Columns = append(x.Columns, c)
	x.Shape.Columns = append(x.Shape.Columns, s)
	return nil
}

// ownEquals is the operator by which a type that came with an extension compares,
// where it has one of its own: the session does not search the extension's
// schema.
const ownEquals = `(SELECT format('OPERATOR(%I.=)', s.nspname) FROM pg_catalog.pg_opclass k
    JOIN pg_catalog.pg_am m ON m.oid = k.opcmethod AND m.amname = 'btree'
    JOIN pg_catalog.pg_amop y ON y.amopfamily = k.opcfamily AND y.amoplefttype = k.opcintype AND y.amoprighttype = k.opcintype AND y.amopstrategy = 3
    JOIN pg_catalog.pg_operator o ON o.oid = y.amopopr AND o.oprname = '=' JOIN pg_catalog.pg_namespace s ON s.oid = o.oprnamespace
    WHERE k.opcdefault AND k.opcintype = a.atttypid)`

// Keeps reports whether the column stores every value of the source type s that
// PostgreSQL can hold at all, unchanged.
func (c *Column) Keeps(s schema.Type) bool {
	return s.Native != "" && c.Declared == s.Native || c.Type.Keeps(s)
}

// of returns the table whose oid is the row's first column.
func (in *inspection) of(r Row) (*Existing, error) {
	oid, err := r.Int(0)
	if err != nil {
		return nil, err
	}
	x := in.find[uint32(oid)]
	if x == nil {
		return nil, fmt.Errorf("the catalog tells of table %d, which was not asked for", oid)
	}
	return x, nil
}

const indexQuery = `SELECT i.indrelid, x.relname, i.indisprimary, i.indkey::text, i.indnkeyatts
  FROM pg_catalog.pg_index i JOIN pg_catalog.pg_class x ON x.oid = i.indexrelid
  WHERE i.indrelid = ANY ($1::oid[]) AND i.indisunique AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indrelid, i.indexrelid`

func (in *inspection) index(r Row) error {
	x, err := in.of(r)
	if err != nil {
		return err
	}
	numbers, err := r.Ints(3)
	if err != nil {
		return err
	}
	count, err := r.Int(4)
	if err != nil {
		return err
	}
	ordinals, err := in.ordinals(x, numbers[:min(int(count), len(numbers))])
	if err != nil {
		return err
	}
	if r.Bool(2) {
		x.Shape.PrimaryKey = ordinals
	} else {
		x.Shape.Uniques = append(x.Shape.Uniques, schema.Index{Name: r.Text(1), Columns: ordinals})
	}
	return nil
}

func (in *inspection) ordinals(x *Existing, numbers []int) ([]int, error) {
	ordinals := make([]int, len(numbers))
	for i, n := range numbers {
		o, ok := in.at[x.OID][n]
		if !ok {
			return nil, fmt.Errorf("the catalog names attribute %d of %s, which has none", n, x.Shape.Name)
		}
		ordinals[i] = o
	}
	return ordinals, nil
}

const triggerQuery = `SELECT t.tgrelid, t.tgname, t.tgenabled = 'A' FROM pg_catalog.pg_trigger t
  WHERE t.tgrelid = ANY ($1::oid[]) AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A') ORDER BY t.tgrelid, t.tgname`

func (in *inspection) trigger(r Row) error {
	x, err := in.of(r)
	if err == nil {
		x.Triggers = append(x.Triggers, Trigger{Name: r.Text(1), Always: r.Bool(2)})
	}
	return err
}

// partitionQuery lists partitions that have something of their own which their
// partitioned table does not show.
const partitionQuery = `SELECT c.oid, p.relname FROM pg_catalog.pg_class c, pg_catalog.pg_partition_tree(c.oid) t, pg_catalog.pg_class p
  WHERE c.oid = ANY ($1::oid[]) AND c.relkind = 'p' AND p.oid = t.relid AND (p.relkind NOT IN ('r', 'p') OR p.relpersistence <> 'p'
  OR EXISTS (SELECT FROM pg_catalog.pg_rewrite r WHERE r.ev_class = p.oid)
  OR EXISTS (SELECT FROM pg_catalog.pg_trigger g WHERE g.tgrelid = p.oid AND p.oid <> c.oid AND NOT g.tgisinternal AND g.tgparentid = 0 AND g.tgenabled IN ('O', 'A')))
  ORDER BY c.oid, p.relname`

func (in *inspection) partition(r Row) error {
	x, err := in.of(r)
	if err == nil {
		x.Odd = append(x.Odd, fmt.Sprintf("its partition %s is no plain logged table, or has rules or triggers of its own", r.Text(1)))
	}
	return err
}

// TriggerNames returns the names of the table's triggers, for people.
func (x *Existing) TriggerNames() string {
	names := make([]string, len(x.Triggers))
	for i, t := range x.Triggers {
		names[i] = t.Name
	}
	return strings.Join(names, ", ")
}

// Fills returns the ordinal of a primary key of one column that the database
// counts by itself, or -1.
func (x *Existing) Fills() int {
	if len(x.Shape.PrimaryKey) == 1 && x.Columns[x.Shape.PrimaryKey[0]].Filled {
		return x.Shape.PrimaryKey[0]
	}
	return -1
}

// References reports whether the named columns are exactly the table's primary
// key or a unique key of it, so that a foreign key may point to them.
func (x *Existing) References(names []string) bool {
	ordinals := make([]int, len(names))
	for i, n := range names {
		ordinals[i] = x.Shape.Column(n)
	}
	return !slices.Contains(ordinals, -1) && x.Shape.UniqueOver(ordinals)
}
