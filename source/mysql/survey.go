package mysql

import (
	"context"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

var _ rowferry.Surveyor = (*liveSource)(nil)

// Survey looks at the server as it is now. See rowferry.Surveyor.
func (s *liveSource) Survey(ctx context.Context) (*rowferry.Survey, error) {
	c, err := dial(ctx, ctx, s.opt.Endpoint)
	if err != nil {
		return nil, err
	}
	defer c.close()
	is, err := c.first(ctx, 1, "SELECT @@global.version")
	if err != nil {
		return nil, err
	}
	found := &rowferry.Survey{}
	k := &tableCopy{src: s, srv: parseServer(is[0])}
	r, err := k.open(ctx, c, "")
	switch {
	case err == nil:
		err = r.Close()
	case ctx.Err() == nil && !rowferry.CodeOf(err).Transient() && rowferry.CodeOf(err) != "":
		found.Refused, err = err, nil
	}
	if err != nil {
		return nil, err
	}
	v, err := s.surveyTables(ctx, c, k.srv)
	if err != nil {
		return nil, err
	}
	v.found.Refused = found.Refused
	found = v.found
	if err := v.left(ctx); err != nil {
		return nil, err
	}
	return found, v.others(ctx)
}

// surveyTables looks at the tables in scope.
func (s *liveSource) surveyTables(ctx context.Context, c *conn, srv server) (*surveying, error) {
	v := &surveying{conn: c, scope: s.opt.Scope, srv: srv, found: &rowferry.Survey{}, at: map[schema.Name]int{}, databases: map[string]bool{}}
	if v.scope == nil {
		v.scope = func(schema.Name) bool { return true }
	}
	return v, v.tables(ctx, s.opt)
}

// surveying is one Survey on its way.
type surveying struct {
	*conn
	scope     func(schema.Name) bool
	srv       server
	found     *rowferry.Survey
	at        map[schema.Name]int // places in found.Tables
	databases map[string]bool     // of those tables
}

// tables looks at the tables in scope, with their shapes as the server tells them.
func (v *surveying) tables(ctx context.Context, o LiveOptions) error {
	src := &Source{opt: Options{Scope: v.scope, Dump: o.Dump, DefaultDB: o.DefaultDB}}
	empty := (&liveLog{srv: v.srv}).catalog
	now, catalog := &shapesNow{creates: map[schema.Name]string{}}, empty()
	if err := now.ask(ctx, v.conn, v.scope); err != nil {
		return err
	}
	now.put(catalog)
	if err := src.loadDump(catalog); err != nil {
		return err
	}
	all, err := v.copyTables(ctx, v.srv)
	if err != nil {
		return err
	}
	t := newTables(src)
	t.head, t.hint = &head{srv: v.srv}, func(schema.Name) *schema.Table { return nil }
	for _, row := range all {
		x := rowferry.SurveyTable{Name: schema.Name{Schema: row[0], Table: row[1]}}
		if !v.scope(x.Name) {
			continue
		}
		if known := catalog.Table(x.Name); known != nil {
			x.CopyTable = t.copyTable(known, row)
			x.Refused = copyable(x.Shape, row[2])
		} else {
			x.Refused = v.readable(ctx, empty(), x.Name)
		}
		if code := rowferry.CodeOf(x.Refused); code.Transient() {
			return x.Refused
		}
		v.at[x.Name] = len(v.found.Tables)
		v.databases[x.Name.Schema] = true
		v.found.Tables = append(v.found.Tables, x)
	}
	return nil
}

// surveyLeft says what tables have that no shape tells: database and table, what,
// and of what.
const surveyLeft = `SELECT TABLE_SCHEMA, TABLE_NAME, 'the DEFAULT of', COLUMN_NAME, ORDINAL_POSITION FROM information_schema.COLUMNS
  WHERE COLUMN_DEFAULT IS NOT NULL AND UPPER(COLUMN_DEFAULT) <> 'NULL' AND COALESCE(GENERATION_EXPRESSION, '') = ''
  UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, 'ON UPDATE of', COLUMN_NAME, ORDINAL_POSITION FROM information_schema.COLUMNS WHERE EXTRA LIKE '%on update%'
  UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, 'the expression of', COLUMN_NAME, ORDINAL_POSITION FROM information_schema.COLUMNS WHERE COALESCE(GENERATION_EXPRESSION, '') <> ''
  UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, 'the CHECK', CONSTRAINT_NAME, 0 FROM information_schema.TABLE_CONSTRAINTS WHERE CONSTRAINT_TYPE = 'CHECK'
  UNION ALL SELECT TABLE_SCHEMA, TABLE_NAME, 'the partition', PARTITION_NAME, 0 FROM information_schema.PARTITIONS WHERE PARTITION_NAME IS NOT NULL
  ORDER BY 1, 2, 3, 5, 4`

func (v *surveying) left(ctx context.Context) error {
	rows, err := v.query(ctx, surveyLeft)
	if err != nil {
		return err
	}
	for i := 0; i < len(rows); {
		row, names := rows[i], []string{}
		for ; i < len(rows) && slices.Equal(rows[i][:3], row[:3]); i++ {
			if !slices.Contains(names, rows[i][3]) { // a partition is there once for each of its own
				names = append(names, rows[i][3])
			}
		}
		if at, ok := v.at[schema.Name{Schema: row[0], Table: row[1]}]; ok {
			v.found.Tables[at].Left = append(v.found.Tables[at].Left, row[2]+" "+strings.Join(names, ", "))
		}
	}
	return nil
}

// surveyOthers lists what databases have beside tables: what it is, database, name,
// and the table that it is on.
const surveyOthers = `SELECT 'view', TABLE_SCHEMA, TABLE_NAME, '' FROM information_schema.VIEWS
  UNION ALL SELECT 'trigger', TRIGGER_SCHEMA, TRIGGER_NAME, EVENT_OBJECT_TABLE FROM information_schema.TRIGGERS
  UNION ALL SELECT LOWER(ROUTINE_TYPE), ROUTINE_SCHEMA, ROUTINE_NAME, '' FROM information_schema.ROUTINES
  UNION ALL SELECT 'event', EVENT_SCHEMA, EVENT_NAME, '' FROM information_schema.EVENTS
  UNION ALL SELECT 'sequence', TABLE_SCHEMA, TABLE_NAME, '' FROM information_schema.TABLES WHERE TABLE_TYPE = 'SEQUENCE'
  ORDER BY 1, 2, 3`

func (v *surveying) others(ctx context.Context) error {
	rows, err := v.query(ctx, surveyOthers)
	for _, row := range rows {
		if v.databases[row[1]] {
			v.found.Others = append(v.found.Others, rowferry.SurveyObject{Kind: row[0], Name: schema.Name{Schema: row[1], Table: row[2]}, On: row[3]})
		}
	}
	return err
}
