package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/rowferry/rowferry/schema"
)

// SourceType returns the type of a column by oid and modifier, as ReadSource
// has it; for relations whose columns the catalog no longer has. It goes by the
// type's own collation, and fails where the type is gone too.
func SourceType(ctx context.Context, conn *pgconn.PgConn, oid uint32, mod int) (schema.Type, error) {
	ref := typeRef{oid: oid, mod: mod, exact: true}
	c, err := readTypes(ctx, conn, []typeRef{ref})
	if err != nil {
		return schema.Type{}, err
	}
	return c.typeOf(ref)
}

// typeRef is a type as a column uses it.
type typeRef struct {
	oid   uint32
	mod   int
	exact bool // its collation takes no different texts for equal
}

// bare is a type by oid and modifier alone.
type bare struct {
	oid uint32
	mod int
}

// typeRow is one row of pg_type, with what belongs to it.
type typeRow struct {
	name      string // quoted and qualified
	plainName string
	class     string // typtype
	array     bool   // a true array of elem
	elem      uint32
	arrayOf   uint32 // the array type of this one
	base      bare   // a domain's
	system    bool   // of pg_catalog
	relation  string // relkind of a composite type's relation
	extension string
	labels    []string
	fields    []fieldRow
}

type fieldRow struct {
	Name string `json:"name"`
	Type uint32 `json:"type"`
	Mod  int    `json:"mod"`
}

// typeCatalog is what pg_type says of some types and all that they are made of.
type typeCatalog struct {
	rows  map[uint32]*typeRow
	names map[bare]string // format_type's
}

// typeRows follows domains to their bases, arrays and ranges to their elements
// and composite types to their attributes.
const typeRows = `WITH RECURSIVE used(oid) AS (
    SELECT pg_catalog.unnest($1::oid[])
    UNION
    SELECT x.oid FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid, LATERAL (
      SELECT t.typbasetype WHERE t.typtype = 'd'
      UNION ALL SELECT t.typelem WHERE t.typcategory = 'A' AND t.typelem <> 0
      UNION ALL SELECT a.atttypid FROM pg_catalog.pg_attribute a
        WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped
    ) x(oid))
  SELECT t.oid, pg_catalog.quote_ident(n.nspname) || '.' || pg_catalog.quote_ident(t.typname), t.typname, t.typtype,
  t.typcategory = 'A' AND t.typelem <> 0, t.typelem, t.typarray, t.typbasetype, t.typtypmod, n.nspname = 'pg_catalog',
  coalesce(c.relkind::text, ''), coalesce((SELECT e.extname FROM pg_catalog.pg_depend d JOIN pg_catalog.pg_extension e ON e.oid = d.refobjid
    WHERE d.classid = 'pg_catalog.pg_type'::pg_catalog.regclass AND d.objid = t.oid AND d.deptype = 'e'
    AND d.refclassid = 'pg_catalog.pg_extension'::pg_catalog.regclass LIMIT 1), ''),
  coalesce((SELECT pg_catalog.json_agg(l.enumlabel ORDER BY l.enumsortorder) FROM pg_catalog.pg_enum l WHERE l.enumtypid = t.oid), 'null'),
  coalesce((SELECT pg_catalog.json_agg(pg_catalog.json_build_object('name', a.attname, 'type', a.atttypid::bigint, 'mod', a.atttypmod) ORDER BY a.attnum)
    FROM pg_catalog.pg_attribute a WHERE t.typtype = 'c' AND a.attrelid = t.typrelid AND a.attnum > 0 AND NOT a.attisdropped), 'null')
  FROM used u JOIN pg_catalog.pg_type t ON t.oid = u.oid JOIN pg_catalog.pg_namespace n ON n.oid = t.typnamespace
  LEFT JOIN pg_catalog.pg_class c ON c.oid = t.typrelid`

// typeNames asks for the names of types as columns are declared with them.
const typeNames = `SELECT v.o, v.m, pg_catalog.format_type(v.o, v.m)
  FROM unnest($1::oid[], $2::int4[]) v(o, m)`

func readTypes(ctx context.Context, conn *pgconn.PgConn, refs []typeRef) (*typeCatalog, error) {
	c := &typeCatalog{rows: map[uint32]*typeRow{}, names: map[bare]string{}}
	seen := map[uint32]bool{}
	var oids []uint32
	for _, r := range refs {
		if !seen[r.oid] {
			seen[r.oid] = true
			oids = append(oids, r.oid)
		}
	}
	if err := Query(ctx, conn, typeRows, c.row, array(oids)); err != nil {
		return nil, err
	}
	for _, r := range refs {
		if err := c.want(r.oid, r.mod); err != nil {
			return nil, err
		}
	}
	for _, row := range c.rows {
		for _, f := range row.fields {
			if err := c.want(f.Type, f.Mod); err != nil {
				return nil, err
			}
		}
	}
	var mods []byte
	oids = oids[:0]
	for b := range c.names {
		oids = append(oids, b.oid)
		mods = strconv.AppendInt(append(mods, ','), int64(b.mod), 10)
	}
	if len(oids) == 0 {
		return c, nil
	}
	mods[0] = '{'
	return c, Query(ctx, conn, typeNames, c.named, array(oids), string(append(mods, '}')))
}

func (c *typeCatalog) row(r Row) error {
	var n [5]int64
	for k, i := range []int{0, 5, 6, 7, 8} {
		v, err := r.Int(i)
		if err != nil {
			return err
		}
		n[k] = v
	}
	t := &typeRow{
		name: r.Text(1), plainName: r.Text(2), class: r.Text(3), array: r.Bool(4), elem: uint32(n[1]), arrayOf: uint32(n[2]),
		base: bare{uint32(n[3]), int(n[4])}, system: r.Bool(9), relation: r.Text(10), extension: r.Text(11),
	}
	if err := json.Unmarshal(r[12], &t.labels); err != nil {
		return err
	}
	c.rows[uint32(n[0])] = t
	return json.Unmarshal(r[13], &t.fields)
}

func (c *typeCatalog) named(r Row) error {
	oid, err := r.Int(0)
	if err != nil {
		return err
	}
	mod, err := r.Int(1)
	if err != nil {
		return err
	}
	c.names[bare{uint32(oid), int(mod)}] = r.Text(2)
	return nil
}

// want notes that the name of a type is needed.
func (c *typeCatalog) want(oid uint32, mod int) error {
	b, err := c.base(oid, mod)
	if err == nil {
		c.names[b] = ""
	}
	return err
}

// textArray is the type text[].
const textArray = 1009

// base returns what a type is without domains. An array of a domain is one of
// its base; of a domain over an array, whose elements are arrays in quotes, one
// of text.
func (c *typeCatalog) base(oid uint32, mod int) (bare, error) {
	t := c.rows[oid]
	switch {
	case t == nil:
		return bare{}, fmt.Errorf("the source has no type %d any more", oid)
	case t.class == "d":
		return c.base(t.base.oid, t.base.mod)
	case !t.array || c.rows[t.elem] == nil || c.rows[t.elem].class != "d":
		return bare{oid, mod}, nil
	}
	elem, err := c.base(t.elem, -1)
	switch {
	case err != nil:
		return bare{}, err
	case c.rows[elem.oid].array || c.rows[elem.oid].arrayOf == 0:
		return bare{textArray, -1}, nil
	default:
		return bare{c.rows[elem.oid].arrayOf, elem.mod}, nil
	}
}

// typeOf returns the type that a column has for us.
func (c *typeCatalog) typeOf(ref typeRef) (schema.Type, error) {
	b, err := c.base(ref.oid, ref.mod)
	if err != nil {
		return schema.Type{}, err
	}
	row := c.rows[b.oid]
	if row == nil { // an array type that only domains led to
		row = &typeRow{array: true, system: true}
	}
	t := logical(b, row)
	if t.Kind.Textual() {
		if t.Charset = "utf8mb4"; ref.exact && !inexact(b, row) {
			t.Collation = "utf8mb4_0900_bin"
		}
	}
	if t.Native = c.names[b]; t.Native == "" {
		return t, fmt.Errorf("the source has no name for type %d", b.oid)
	}
	t.User, err = c.made(nil, ref.oid, map[uint32]bool{})
	return t, err
}

// made appends the types that somebody made and that a type is made of, each
// after those it is made of itself.
func (c *typeCatalog) made(to []schema.UserType, oid uint32, seen map[uint32]bool) ([]schema.UserType, error) {
	t := c.rows[oid]
	if t == nil || seen[oid] {
		return to, nil
	}
	seen[oid] = true
	switch {
	case t.class == "d":
		return c.made(to, t.base.oid, seen)
	case t.array:
		return c.made(to, t.elem, seen)
	case t.system:
		return to, nil
	}
	u := schema.UserType{Name: t.name, Labels: t.labels, Extension: t.extension}
	for _, f := range t.fields {
		var err error
		if to, err = c.made(to, f.Type, seen); err != nil {
			return nil, err
		}
		if t.relation != "c" {
			continue // the rows of a table, which a table of that name brings
		}
		b, err := c.base(f.Type, f.Mod)
		if err != nil {
			return nil, err
		}
		u.Fields = append(u.Fields, schema.Field{Name: f.Name, Native: c.names[b]})
	}
	return append(to, u), nil
}

// oidName is the type name (src/include/catalog/pg_type.dat).
const oidName = 19

// inexact reports whether a type takes different texts for equal by itself:
// citext, and a char without a length, whose spaces at the end do not count.
func inexact(b bare, row *typeRow) bool {
	return b.oid == oids[BpChar] && b.mod < 0 || row.extension == "citext"
}

// logical returns how values of a type, which is no domain, are carried.
func logical(b bare, row *typeRow) schema.Type {
	switch {
	case row.class == "e":
		return schema.Type{Kind: schema.Enum, Labels: row.labels}
	case row.extension == "citext" && row.plainName == "citext":
		return schema.Type{Kind: schema.Text}
	case !row.system || row.array:
		return schema.Type{Kind: schema.Other}
	}
	t := columnType(b.oid, b.mod)
	switch t.Base {
	case "":
		if b.oid == oidName {
			return schema.Type{Kind: schema.Text}
		}
		return schema.Type{Kind: schema.Other}
	case Interval, VarBit, Inet:
		return schema.Type{Kind: schema.Other}
	case BitString:
		if t.Length == 0 || t.Length > 64 {
			return schema.Type{Kind: schema.Other}
		}
	case Numeric:
		if t.Scale < 0 || t.Scale > t.Precision {
			return schema.Type{Kind: schema.Decimal}
		}
	case JSON, JSONB:
		return schema.Type{Kind: schema.JSON, Charset: "utf8mb4"}
	default: // as a target has them
	}
	return t.logical()
}
