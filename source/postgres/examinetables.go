package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// lookTables looks at the tables in scope, and at whether the publication tells
// of them.
func (x *examination) lookTables(ctx context.Context) error {
	pub, err := x.readPublication(ctx, x.options.Publication)
	if err != nil {
		return err
	}
	sc, err := x.readScope(ctx, &x.options, x.server, pub)
	if err != nil {
		return err
	}
	if len(sc.tables) == 0 {
		x.add(warned("tables", "no table of the database is in scope", "look", "at tables, and at the database in source.url"))
	} else {
		x.add(passed("tables", "%d in scope", len(sc.tables)))
	}
	x.add(sc.identityFinding(pub), sc.keyFinding(), sc.logFinding(), sc.shapeFinding())
	if pub == nil && x.slot == nil {
		x.add(sc.privilegeFinding(x.options))
		return nil
	}
	x.add(sc.publicationFindings(x.options, pub)...)
	if pub != nil {
		x.add(sc.filterFinding(pub))
	}
	return nil
}

// keyFinding is about tables in which rows are found by all their columns.
func (s *scope) keyFinding() rowferry.Finding {
	var without []string
	for _, t := range s.tables {
		if t.Table.Identity() == nil {
			without = append(without, t.Table.Name.String())
		}
	}
	if without == nil {
		return passed("keys", "every table has one")
	}
	return warned("keys", fmt.Sprintf("%d tables have no primary key and no unique key without NULL: their rows are found by all columns, slowly: %s", len(without), someOf(without)),
		"mend", "ALTER TABLE … ADD PRIMARY KEY (…)")
}

// logFinding is about what is in scope by its name, and never in the log.
func (s *scope) logFinding() rowferry.Finding {
	var odd []string
	for _, f := range s.silent {
		what := map[string]string{"f": "a foreign table", "m": "a materialized view"}[f.kind]
		if what == "" {
			what = "UNLOGGED"
		}
		odd = append(odd, fmt.Sprintf("%s is %s", f.name, what))
	}
	for _, t := range s.tables {
		for _, o := range t.Odd {
			odd = append(odd, fmt.Sprintf("%s: %s", t.Table.Name, o))
		}
	}
	if odd == nil {
		return passed("logged", "all changes of the tables in scope are in the log")
	}
	return warned("logged", "not everything in scope is in the log: "+someOf(odd), "log it", "ALTER TABLE … SET LOGGED", "or leave it out", "in tables")
}

// shapeFinding is about parts of tables that do not arrive.
func (s *scope) shapeFinding() rowferry.Finding {
	var parts []string
	for _, t := range s.tables {
		for _, u := range t.Table.Unsupported {
			parts = append(parts, fmt.Sprintf("%s: %s", t.Table.Name, u))
		}
	}
	if parts == nil {
		return passed("shapes", "tables are carried with all their columns and keys")
	}
	return warned("shapes", "not carried: "+someOf(parts), "see", "docs/reference/types.md")
}

// privilegeFinding: who may make the publication that is missing.
func (s *scope) privilegeFinding(o Options) rowferry.Finding {
	const name = "publication"
	if o.Temporary || len(s.tables) == 0 {
		return s.publicationFindings(o, nil)[0]
	}
	var foreign []schema.Name
	listed := s.listed()
	for oid := range s.inside {
		if f := s.facts[oid]; !f.owned && slices.Contains(listed, f.name) {
			foreign = append(foreign, f.name)
		}
	}
	if s.server.create && foreign == nil {
		return passed(name, "there is none yet: it is made by a copy, or with --from latest")
	}
	slices.SortFunc(foreign, func(a, b schema.Name) int { return strings.Compare(a.String(), b.String()) })
	f := failed(name, rowferry.CodePublication, s.server.user+" may not make the publication", "as the tables' owner", s.creating(o, s.server)[0])
	if !s.server.create {
		f.Facts = append(f.Facts, rowferry.Fact{Name: "lacks", Value: "CREATE on database " + s.server.database})
		f.Remedies = append(f.Remedies, rowferry.Remedy{Label: "or let it", Do: "GRANT CREATE ON DATABASE " + dialect.Quote(s.server.database) + " TO " + dialect.Quote(s.server.user)})
	}
	if foreign != nil {
		f.Facts = append(f.Facts, rowferry.Fact{Name: "not the owner of", Value: names(foreign)})
	}
	return f
}

// filterFinding is about what a publication leaves out of the tables that it
// tells of, which is somebody's decision.
func (s *scope) filterFinding(p *publication) rowferry.Finding {
	var parts []string
	for _, what := range p.lacks {
		if what != "insert" {
			parts = append(parts, "no "+what+"s are published")
		}
	}
	for _, t := range s.tables {
		told := p.tables[t.Table.Name]
		if told.filter != "" {
			parts = append(parts, fmt.Sprintf("%s: rows where %s", t.Table.Name, told.filter))
		}
		if told.columns > 0 && told.columns < len(t.Table.Columns) {
			parts = append(parts, fmt.Sprintf("%s: %d of %d columns", t.Table.Name, told.columns, len(t.Table.Columns)))
		}
	}
	if parts == nil {
		return passed("filters", "the publication tells of whole tables")
	}
	return warned("filters", "the publication leaves something out, which never arrives: "+someOf(parts), "see", "SELECT * FROM pg_publication_tables WHERE pubname = "+literal(p.name))
}

// objectsQuery counts what is nobody's table.
const objectsQuery = "SELECT count(*) FROM (SELECT FROM pg_largeobject_metadata LIMIT 1) one"

func (x *examination) lookObjects(ctx context.Context) error {
	return x.query(ctx, objectsQuery, func(r dialect.Row) error {
		if r.Text(0) != "0" {
			x.add(warned("large objects", "the database has large objects, whose content is never in the log: rows arrive with their numbers alone", "move them", "into columns of type bytea"))
			return nil
		}
		x.add(passed("large objects", "there are none"))
		return nil
	})
}
