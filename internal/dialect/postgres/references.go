package postgres

import (
	"encoding/json"
	"fmt"

	"github.com/rowferry/rowferry/schema"
)

// Reference is a foreign key from another table, or the same.
type Reference struct {
	Child      schema.Name
	Columns    []string
	Referenced []string
	OnDelete   schema.Action
	OnUpdate   schema.Action
}

// foreignQuery leaves out what partitions inherit. A SET NULL or SET DEFAULT of
// some columns only exists since PostgreSQL 15, hence the detour over jsonb.
const foreignQuery = `SELECT k.conrelid = ANY ($1::oid[]), k.conrelid, k.confrelid = ANY ($1::oid[]), k.confrelid, k.conname,
  cn.nspname, c.relname, pn.nspname, p.relname, k.confdeltype, k.confupdtype,
  (SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) FROM pg_catalog.unnest(k.conkey) WITH ORDINALITY u(n, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.conrelid AND a.attnum = u.n),
  (SELECT pg_catalog.json_agg(a.attname ORDER BY u.place) FROM pg_catalog.unnest(k.confkey) WITH ORDINALITY u(n, place)
    JOIN pg_catalog.pg_attribute a ON a.attrelid = k.confrelid AND a.attnum = u.n),
  coalesce(pg_catalog.jsonb_typeof(pg_catalog.to_jsonb(k) -> 'confdelsetcols'), 'null') <> 'null'
  FROM pg_catalog.pg_constraint k
  JOIN pg_catalog.pg_class c ON c.oid = k.conrelid JOIN pg_catalog.pg_namespace cn ON cn.oid = c.relnamespace
  JOIN pg_catalog.pg_class p ON p.oid = k.confrelid JOIN pg_catalog.pg_namespace pn ON pn.oid = p.relnamespace
  WHERE k.contype = 'f' AND k.conparentid = 0 AND (k.conrelid = ANY ($1::oid[]) OR k.confrelid = ANY ($1::oid[]))
  ORDER BY k.oid`

func (in *inspection) foreign(r Row) error {
	ref := Reference{Child: schema.Name{Schema: r.Text(5), Table: r.Text(6)}}
	var err error
	if ref.OnDelete, err = action(r.Text(9)); err != nil {
		return err
	}
	if ref.OnUpdate, err = action(r.Text(10)); err != nil {
		return err
	}
	if r.Bool(13) && ref.OnDelete == schema.SetNull {
		// Of some columns only, which no source has: equal to none of theirs.
		ref.OnDelete = schema.SetDefault
	}
	if err := json.Unmarshal(r[11], &ref.Columns); err != nil {
		return err
	}
	if err := json.Unmarshal(r[12], &ref.Referenced); err != nil {
		return err
	}
	if r.Bool(0) {
		oid, err := r.Int(1)
		if err != nil {
			return err
		}
		t := in.find[uint32(oid)].Shape
		k := schema.ForeignKey{
			Name: r.Text(4), Parent: schema.Name{Schema: r.Text(7), Table: r.Text(8)}, Referenced: ref.Referenced, OnDelete: ref.OnDelete, OnUpdate: ref.OnUpdate,
		}
		for _, name := range ref.Columns {
			k.Columns = append(k.Columns, t.Column(name))
		}
		t.ForeignKeys = append(t.ForeignKeys, k)
	}
	if r.Bool(2) {
		oid, err := r.Int(3)
		if err != nil {
			return err
		}
		in.find[uint32(oid)].Children = append(in.find[uint32(oid)].Children, ref)
	}
	return nil
}

func action(code string) (schema.Action, error) {
	switch code {
	case "a":
		return schema.NoAction, nil
	case "r":
		return schema.Restrict, nil
	case "c":
		return schema.Cascade, nil
	case "n":
		return schema.SetNull, nil
	case "d":
		return schema.SetDefault, nil
	default:
		return "", fmt.Errorf("a foreign key has an action %q that is not known", code)
	}
}
