package postgres

import (
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Surveyor = (*Source)(nil)

// Survey looks at the database as it is now, in one snapshot. It makes neither
// publication nor slot. See rowferry.Surveyor.
func (s *Source) Survey(ctx context.Context) (_ *rowferry.Survey, err error) {
	o := &opening{source: s, options: s.options, copies: true}
	if err := o.settle(); err != nil {
		return nil, err
	}
	if o.session, err = openSession(ctx, o.endpoint()); err != nil {
		return nil, err
	}
	defer o.session.close()
	if o.server, err = o.session.look(ctx); err != nil {
		return nil, err
	}
	if err := o.session.exec(ctx, beginSnapshot); err != nil {
		return nil, err
	}
	found, err := o.survey(ctx)
	if ended := o.session.exec(ctx, "ROLLBACK"); err == nil {
		err = ended
	}
	return found, err
}

func (o *opening) survey(ctx context.Context) (*rowferry.Survey, error) {
	pub, err := o.session.readPublication(ctx, o.options.Publication)
	if err != nil {
		return nil, err
	}
	slot, err := o.session.readSlot(ctx, o.options.Slot)
	if err != nil {
		return nil, err
	}
	sc, err := o.session.readScope(ctx, &o.options, o.server, pub)
	if err != nil {
		return nil, err
	}
	found := &rowferry.Survey{Refused: o.copyable()}
	if found.Refused == nil {
		found.Refused = joined(o.server.findings()...)
	}
	if found.Refused == nil {
		found.Refused = sc.check(o.options, pub, slot == nil && !o.options.Temporary)
	}
	if pub == nil { // it would be made like this
		pub = &publication{name: o.options.Publication, root: sc.root, generated: o.server.version >= withGenerated, tables: map[schema.Name]published{}}
	} else {
		names := &catalog{session: o.session, lists: o.server.version >= withColumnLists, name: pub.name, generated: pub.generated}
		if err := names.narrow(ctx, sc.tables); err != nil {
			return nil, err
		}
	}
	if found.Refused == nil {
		found.Refused = sc.copied(pub)
	}
	in, err := sc.inspected(ctx, o.session, pub)
	if err != nil {
		return nil, err
	}
	at := map[uint32]int{}
	for i, t := range in.all {
		at[t.oid] = i
		found.Tables = append(found.Tables, rowferry.SurveyTable{CopyTable: t.CopyTable, Name: t.Shape.Name, Left: sc.tables[i].Odd})
	}
	if err := o.surveyLeft(ctx, found, at); err != nil {
		return nil, err
	}
	return found, o.surveyOthers(ctx, found)
}

// inspected looks at the tables as they are copied.
func (s *scope) inspected(ctx context.Context, session *session, pub *publication) (*copyInspection, error) {
	in := &copyInspection{find: map[uint32]*copyTable{}, at: map[uint32]map[int]int{}}
	for _, t := range s.tables {
		in.add(t, pub.tables[t.Table.Name].filter)
	}
	return in, in.read(ctx, session)
}

// surveyLeft says what tables have that no shape tells: the table, what, and of
// what. A default of a sequence that the column owns is the column's own counting.
const surveyLeft = `SELECT a.attrelid, CASE WHEN a.attgenerated = '' THEN 'the DEFAULT of' ELSE 'the expression of' END, a.attname, a.attnum
  FROM pg_attribute a WHERE a.attrelid = ANY ($1::oid[]) AND a.attnum > 0 AND NOT a.attisdropped AND a.atthasdef
  AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_class s ON s.oid = d.objid AND s.relkind = 'S'
    WHERE d.classid = 'pg_class'::regclass AND d.refclassid = 'pg_class'::regclass AND d.refobjid = a.attrelid AND d.refobjsubid = a.attnum AND d.deptype = 'a')
  UNION ALL SELECT k.conrelid, 'the CHECK', k.conname, 0 FROM pg_constraint k WHERE k.conrelid = ANY ($1::oid[]) AND k.contype = 'c'
  UNION ALL SELECT p.polrelid, 'the row policy', p.polname, 0 FROM pg_policy p WHERE p.polrelid = ANY ($1::oid[])
  UNION ALL SELECT h.inhparent, 'the partition', c.relname, 0 FROM pg_inherits h JOIN pg_class c ON c.oid = h.inhrelid
    WHERE h.inhparent = ANY ($1::oid[]) AND c.relispartition
  ORDER BY 1, 2, 4, 3`

func (o *opening) surveyLeft(ctx context.Context, found *rowferry.Survey, at map[uint32]int) error {
	var oids []string
	for oid := range at {
		oids = append(oids, strconv.FormatUint(uint64(oid), 10))
	}
	type part struct {
		at    int
		what  string
		names []string
	}
	var parts []part
	err := o.session.query(ctx, surveyLeft, func(r dialect.Row) error {
		oid, err := r.Int(0)
		if err != nil {
			return err
		}
		i := at[uint32(oid)]
		if n := len(parts); n == 0 || parts[n-1].at != i || parts[n-1].what != r.Text(1) {
			parts = append(parts, part{at: i, what: r.Text(1)})
		}
		parts[len(parts)-1].names = append(parts[len(parts)-1].names, r.Text(2))
		return nil
	}, "{"+strings.Join(oids, ",")+"}")
	for _, p := range parts {
		t := &found.Tables[p.at]
		t.Left = append(slices.Clip(t.Left), p.what+" "+strings.Join(p.names, ", "))
	}
	return err
}

// surveyOthers lists what schemas have beside tables, extensions' own aside: what
// it is, schema, name, and the table that it is on.
const surveyOthers = `SELECT x.kind, n.nspname, x.name, x.at FROM (
    SELECT c.relnamespace AS space, CASE c.relkind WHEN 'v' THEN 'view' WHEN 'm' THEN 'materialized view' WHEN 'f' THEN 'foreign table' ELSE 'sequence' END AS kind,
      c.relname::text AS name, '' AS at, 'pg_class'::regclass AS class, c.oid FROM pg_class c
      WHERE c.relkind IN ('v', 'm', 'f') AND c.relpersistence <> 't' OR c.relkind = 'S' AND NOT EXISTS (SELECT FROM pg_depend d
        WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.refclassid = 'pg_class'::regclass AND d.refobjsubid > 0 AND d.deptype IN ('a', 'i'))
    UNION ALL SELECT c.relnamespace, 'trigger', t.tgname, c.relname, 'pg_trigger'::regclass, t.oid FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
      WHERE NOT t.tgisinternal AND t.tgparentid = 0
    UNION ALL SELECT c.relnamespace, 'rule', r.rulename, c.relname, 'pg_rewrite'::regclass, r.oid FROM pg_rewrite r JOIN pg_class c ON c.oid = r.ev_class
      WHERE r.rulename <> '_RETURN'
    UNION ALL SELECT p.pronamespace, CASE p.prokind WHEN 'p' THEN 'procedure' WHEN 'a' THEN 'aggregate' ELSE 'function' END, p.proname, '', 'pg_proc'::regclass, p.oid FROM pg_proc p
    UNION ALL SELECT t.typnamespace, 'domain', t.typname, '', 'pg_type'::regclass, t.oid FROM pg_type t WHERE t.typtype = 'd'
  ) x JOIN pg_namespace n ON n.oid = x.space
  WHERE n.nspname IN (SELECT json_array_elements_text($1::json)) AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.classid = x.class AND d.objid = x.oid AND d.deptype = 'e')
  ORDER BY 1, 2, 3, 4`

func (o *opening) surveyOthers(ctx context.Context, found *rowferry.Survey) error {
	var spaces []string
	for _, t := range found.Tables {
		if !slices.Contains(spaces, t.Name.Schema) {
			spaces = append(spaces, t.Name.Schema)
		}
	}
	list, err := json.Marshal(spaces)
	if err != nil || spaces == nil {
		return err
	}
	return o.session.query(ctx, surveyOthers, func(r dialect.Row) error {
		found.Others = append(found.Others, rowferry.SurveyObject{Kind: r.Text(0), Name: schema.Name{Schema: r.Text(1), Table: r.Text(2)}, On: r.Text(3)})
		return nil
	}, string(list))
}
