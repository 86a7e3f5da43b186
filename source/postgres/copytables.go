package postgres

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
)

// copyTable is a table that is copied, and how it is asked for.
type copyTable struct {
	rowferry.CopyTable
	oid    uint32
	from   string // as LOCK TABLE and FROM name it
	filter string // which rows are published, as a condition; "" for all
	// columns are those of the shape, and said what the server has to say of them.
	columns []column
	said    []saidColumn
	natives []string    // the columns' types, a domain's being that of its base
	every   []int       // the ordinals of all of them
	key     []keyColumn // those of the shape's identity
}

// saidColumn is a column as an answer describes it
// (https://www.postgresql.org/docs/current/protocol-message-formats.html#PROTOCOL-MESSAGE-FORMATS-ROWDESCRIPTION):
// by its number in its table and its type, a domain's being that of its base.
type saidColumn struct {
	number  int
	typeOID uint32
	mod     int
	format  int16 // in which it is asked for
}

// keyColumn is a column of a key.
type keyColumn struct {
	ordinal int
	expr    string // its name, with a collation where the index has another than the column
	native  string // its type, a domain's being that of its base
	// operators are <, <=, =, >= and > as the index compares.
	operators [5]string
}

// The operators of a key column, in the order of btree's strategies.
const (
	opLess = iota
	opLessEqual
	opEqual
	opGreaterEqual
	opGreater
)

// plain are the operators where the key's index is not sorted itself.
var plain = [5]string{
	"OPERATOR(pg_catalog.<)", "OPERATOR(pg_catalog.<=)", "OPERATOR(pg_catalog.=)", "OPERATOR(pg_catalog.>=)", "OPERATOR(pg_catalog.>)",
}

// copyInspection gathers what the catalog says of the tables beyond their shapes.
type copyInspection struct {
	all  []*copyTable
	find map[uint32]*copyTable
	at   map[uint32]map[int]int // ordinals by attribute number
	keys []*keyIndex
}

// keyIndex is an index that may be the one of a table's identity.
type keyIndex struct {
	table     uint32
	oid       int64
	numbers   []int // of attributes
	collation []string
	operators [][]string
}

func (in *copyInspection) add(t *dialect.SourceTable, filter string) {
	c := &copyTable{CopyTable: rowferry.CopyTable{Shape: t.Table, Whole: true}, oid: t.OID, filter: filter, from: dialect.QuoteTable(t.Table.Name)}
	if t.Kind == "table" {
		c.from = "ONLY " + c.from // the rows of those that inherit from it are told as theirs
	}
	at := map[int]int{}
	for i, col := range t.Columns {
		at[col.Number] = i
		c.said, c.every = append(c.said, saidColumn{number: col.Number}), append(c.every, i)
		c.columns = append(c.columns, columnOf(&t.Table.Columns[i].Type, false))
	}
	c.natives = make([]string, len(c.columns))
	for _, o := range t.Table.Identity() {
		c.key = append(c.key, keyColumn{ordinal: o, expr: dialect.Quote(t.Table.Columns[o].Name), operators: plain})
	}
	in.all, in.find[t.OID], in.at[t.OID] = append(in.all, c), c, at
}

// read asks for the parts.
func (in *copyInspection) read(ctx context.Context, s *session) error {
	oids := make([]string, len(in.all))
	for i, t := range in.all {
		oids[i] = fmt.Sprint(t.oid)
	}
	list := "{" + strings.Join(oids, ",") + "}"
	for _, part := range []struct {
		sql string
		fn  func(dialect.Row) error
	}{{copyTypes, in.column}, {copyKeys, in.index}, {copySizes, in.size}} {
		if err := s.query(ctx, part.sql, part.fn, list); err != nil {
			return err
		}
	}
	for _, t := range in.all {
		in.settle(t)
	}
	return nil
}

// of returns the table whose oid is the row's first column.
func (in *copyInspection) of(r dialect.Row) (*copyTable, error) {
	oid, err := r.Int(0)
	if err != nil {
		return nil, err
	}
	t := in.find[uint32(oid)]
	if t == nil {
		return nil, fmt.Errorf("the catalog tells of table %d, which was not asked for", oid)
	}
	return t, nil
}

// copyTypes follows domains to what they are made of. format_type with a modifier
// of -1 names a type without a length: bpchar is not character, which is
// character(1).
const copyTypes = `WITH RECURSIVE c(relation, number, type, mod) AS (
    SELECT a.attrelid, a.attnum, a.atttypid, a.atttypmod FROM pg_attribute a
    WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped
    UNION ALL
    SELECT c.relation, c.number, t.typbasetype, t.typtypmod FROM c JOIN pg_type t ON t.oid = c.type WHERE t.typtype = 'd')
  SELECT c.relation, c.number, c.type, c.mod, format_type(c.type, -1) FROM c JOIN pg_type t ON t.oid = c.type WHERE t.typtype <> 'd'`

func (in *copyInspection) column(r dialect.Row) error {
	t, err := in.of(r)
	if err != nil {
		return err
	}
	var n [3]int64
	for i := range n {
		if n[i], err = r.Int(i + 1); err != nil {
			return err
		}
	}
	o, ok := in.at[t.oid][int(n[0])]
	if !ok {
		return nil // not published
	}
	said := &t.said[o]
	said.typeOID, said.mod = uint32(n[1]), int(n[2])
	t.natives[o] = r.Text(4)
	said.format = formatOf(t.columns[o].typ)
	for i := range t.key {
		if t.key[i].ordinal == o {
			t.key[i].native = r.Text(4)
		}
	}
	return nil
}

// copyKeys reads how the columns of unique indexes are compared: the index may
// have another collation than the column, and operators of another schema or name.
const copyKeys = `SELECT i.indrelid, i.indexrelid, i.indkey[p.n],
  CASE WHEN i.indcollation[p.n] <> a.attcollation THEN quote_ident(ln.nspname) || '.' || quote_ident(l.collname) ELSE '' END,
  coalesce((SELECT json_agg('OPERATOR(' || quote_ident(n.nspname) || '.' || o.oprname || ')' ORDER BY w.amopstrategy)
    FROM pg_amop w JOIN pg_operator o ON o.oid = w.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
    WHERE m.amname = 'btree' AND w.amopfamily = k.opcfamily AND w.amoplefttype = k.opcintype AND w.amoprighttype = k.opcintype AND w.amoppurpose = 's'), '[]')
  FROM pg_index i JOIN pg_class x ON x.oid = i.indexrelid JOIN pg_am m ON m.oid = x.relam
  CROSS JOIN generate_series(0, i.indnkeyatts - 1) p(n)
  JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = i.indkey[p.n] JOIN pg_opclass k ON k.oid = i.indclass[p.n]
  LEFT JOIN pg_collation l ON l.oid = i.indcollation[p.n] LEFT JOIN pg_namespace ln ON ln.oid = l.collnamespace
  WHERE i.indrelid = ANY ($1::oid[]) AND (i.indisunique OR i.indisexclusion) AND i.indisvalid AND i.indimmediate AND i.indpred IS NULL AND i.indexprs IS NULL
  ORDER BY i.indrelid, i.indisprimary DESC, i.indisreplident DESC, i.indexrelid, p.n`

func (in *copyInspection) index(r dialect.Row) error {
	t, err := in.of(r)
	if err != nil {
		return err
	}
	oid, err := r.Int(1)
	if err != nil {
		return err
	}
	number, err := r.Int(2)
	if err != nil {
		return err
	}
	var operators []string
	if err := json.Unmarshal(r[4], &operators); err != nil {
		return err
	}
	if n := len(in.keys); n == 0 || in.keys[n-1].oid != oid {
		in.keys = append(in.keys, &keyIndex{table: t.oid, oid: oid})
	}
	k := in.keys[len(in.keys)-1]
	k.numbers, k.collation, k.operators = append(k.numbers, int(number)), append(k.collation, r.Text(3)), append(k.operators, operators)
	return nil
}

// settle finds the index of a table's identity, and has its columns compared as
// it does.
func (in *copyInspection) settle(t *copyTable) {
	numbers := make([]int, len(t.key))
	for i, k := range t.key {
		numbers[i] = t.said[k.ordinal].number
	}
	at := slices.IndexFunc(in.keys, func(k *keyIndex) bool { return k.table == t.oid && slices.Equal(k.numbers, numbers) })
	if at < 0 {
		return
	}
	for i := range t.key {
		if c := in.keys[at].collation[i]; c != "" {
			t.key[i].expr += " COLLATE " + c
		}
		if o := in.keys[at].operators[i]; len(o) == len(plain) {
			t.key[i].operators = [5]string(o)
		}
	}
}

// copySizes adds up what a partitioned table is made of.
const copySizes = `SELECT c.o, coalesce(sum(greatest(r.reltuples, 0)), 0)::bigint, coalesce(sum(pg_table_size(r.oid)), 0)::bigint
  FROM unnest($1::oid[]) c(o), LATERAL (SELECT c.o UNION SELECT t.relid FROM pg_partition_tree(c.o) t) x(o)
  JOIN pg_class r ON r.oid = x.o AND r.relkind <> 'p' GROUP BY c.o`

func (in *copyInspection) size(r dialect.Row) error {
	t, err := in.of(r)
	if err != nil {
		return err
	}
	if t.Rows, err = r.Int(1); err != nil {
		return err
	}
	t.Bytes, err = r.Int(2)
	return err
}
