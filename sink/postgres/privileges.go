package postgres

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// privileges are what the user may do outside of existing tables; the texts are
// "true", "false", or "" where there is nothing to do it with.
type privileges struct {
	user, database       string
	create               bool
	usage, createIn      string // of the checkpoint's schema
	read, insert, update string // of its table
}

// denials collects what the user may not do, with the statements that mend it.
type denials struct {
	user     string // quoted
	findings []rowferry.Finding
}

func (d *denials) add(what, mend string) {
	d.findings = append(d.findings, failed("privileges", rowferry.CodeTargetDenied, what, rowferry.Remedy{Label: "mend", Do: mend}))
}

func (d *denials) grant(what string, list []string, on string) {
	d.add(what, "GRANT "+strings.Join(list, ", ")+" ON "+on+" TO "+d.user)
}

func (s *Sink) privilegeFindings(ctx context.Context, p privileges) ([]rowferry.Finding, error) {
	d := &denials{user: dialect.Quote(p.user)}
	switch {
	case !p.create && s.options.CreateTables:
		d.grant("the user may not make schemas in the target's database", []string{"CREATE"}, "DATABASE "+dialect.Quote(p.database))
	case !p.create && p.usage == "":
		d.add("the user may not make the schema of the checkpoint table", `CREATE SCHEMA "rowferry" AUTHORIZATION `+d.user)
	}
	if p.usage == "false" {
		d.grant("the user may not use the schema of the checkpoint table", []string{"USAGE"}, `SCHEMA "rowferry"`)
	}
	if p.usage != "" && p.read == "" && p.createIn == "false" {
		d.grant("the user may not make the checkpoint table", []string{"CREATE"}, `SCHEMA "rowferry"`)
	}
	if lacks := lacking(p.read != "false", p.insert != "false", p.update != "false"); lacks != nil {
		d.grant("the user may not read and write the checkpoint table", lacks, checkpoints)
	}
	if err := s.examineTables(ctx, d); err != nil {
		return nil, err
	}
	if d.findings == nil {
		return []rowferry.Finding{passed("privileges", "the user may do what is needed")}, nil
	}
	return d.findings, nil
}

// rowPrivileges are those on a table that rows are written to, of which the
// checkpoint table needs all but the last.
var rowPrivileges = []string{"SELECT", "INSERT", "UPDATE", "DELETE"}

// lacking returns which of the privileges, by their order, are not held.
func lacking(held ...bool) (lacks []string) {
	for i, h := range held {
		if !h {
			lacks = append(lacks, rowPrivileges[i])
		}
	}
	return lacks
}

// tableQuery asks for the tables of the database, and what the user may do with
// them. Triggers are disabled by a table's owner only.
const tableQuery = `SELECT n.nspname, c.relname, has_schema_privilege(n.oid, 'USAGE'),
  has_table_privilege(c.oid, 'SELECT'), has_table_privilege(c.oid, 'INSERT'), has_table_privilege(c.oid, 'UPDATE'), has_table_privilege(c.oid, 'DELETE'),
  pg_has_role(c.relowner, 'USAGE') OR NOT EXISTS (SELECT FROM pg_trigger t WHERE t.tgrelid = c.oid AND NOT t.tgisinternal AND t.tgenabled IN ('O', 'A'))
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p') AND NOT n.nspname IN ('rowferry', 'information_schema') AND NOT starts_with(n.nspname, 'pg_')
  ORDER BY n.nspname, c.relname`

// mostNamed is how many tables a statement names one by one.
const mostNamed = 10

// examineTables looks at the privileges on tables in scope that exist.
func (s *Sink) examineTables(ctx context.Context, d *denials) error {
	type group struct {
		lacks  []string
		tables []string
	}
	groups := map[string][]group{} // by schema
	unusable := map[string]bool{}
	err := s.query(ctx, tableQuery, func(r dialect.Row) error {
		n := schema.Name{Schema: r.Text(0), Table: r.Text(1)}
		if !s.carries(n) {
			return nil
		}
		unusable[n.Schema] = !r.Bool(2)
		if s.options.Triggers == triggersSuppress && !r.Bool(7) {
			d.add("the user may not switch off the triggers of a table that is not its own", "ALTER TABLE "+dialect.QuoteTable(n)+" OWNER TO "+d.user)
		}
		lacks := lacking(r.Bool(3), r.Bool(4), r.Bool(5), r.Bool(6))
		if lacks == nil {
			return nil
		}
		all := groups[n.Schema]
		i := slices.IndexFunc(all, func(g group) bool { return slices.Equal(g.lacks, lacks) })
		if i < 0 {
			i, all = len(all), append(all, group{lacks: lacks})
		}
		all[i].tables = append(all[i].tables, dialect.QuoteTable(n))
		groups[n.Schema] = all
		return nil
	})
	for _, name := range slices.Sorted(maps.Keys(unusable)) {
		if unusable[name] {
			d.grant("the user may not use a schema with tables in scope", []string{"USAGE"}, "SCHEMA "+dialect.Quote(name))
		}
		for _, g := range groups[name] {
			on := strings.Join(g.tables, ", ")
			if len(g.tables) > mostNamed {
				on = "ALL TABLES IN SCHEMA " + dialect.Quote(name)
			}
			d.grant("the user may not read and write tables in scope", g.lacks, on)
		}
	}
	return err
}

// carries reports whether the pipeline writes to the table.
func (s *Sink) carries(n schema.Name) bool {
	if s.options.InScope == nil {
		return true
	}
	plain := schema.Name{Table: n.Table}
	return s.options.InScope(n) || normal(plain) == n && s.options.InScope(plain)
}
