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

// publication is one as the server has it.
type publication struct {
	name      string
	made      string // the pipeline that Rowferry made it for; "" where somebody else made it
	all       bool   // of all tables
	root      bool   // rows of partitions arrive as those of the partitioned table
	generated bool   // stored generated columns are published
	lacks     []string
	tables    map[schema.Name]published
}

// published is what a publication says of one table.
type published struct {
	filter  string // which rows; "" for all
	columns int    // how many, 0 where it is not known
}

// madeFor is the comment of publications that Rowferry makes, and the only way to
// tell them from others.
func madeFor(pipeline string) string { return dialect.MadeComment + " for pipeline " + pipeline }

// publicationQuery asks by way of jsonb for what only newer versions have.
const publicationQuery = `SELECT p.puballtables, p.pubviaroot, coalesce(to_jsonb(p) ->> 'pubgencols', 'n'),
  p.pubinsert, p.pubupdate, p.pubdelete, p.pubtruncate, coalesce(obj_description(p.oid, 'pg_publication'), '')
  FROM pg_publication p WHERE p.pubname = $1`

const publishedQuery = `SELECT t.schemaname, t.tablename, coalesce(to_jsonb(t) ->> 'rowfilter', ''),
  coalesce(jsonb_array_length(nullif(to_jsonb(t) -> 'attnames', 'null')), 0)
  FROM pg_publication_tables t WHERE t.pubname = $1`

// readPublication returns the publication of that name, or nil.
func (s *session) readPublication(ctx context.Context, name string) (p *publication, err error) {
	err = s.query(ctx, publicationQuery, func(r dialect.Row) error {
		p = &publication{name: name, all: r.Bool(0), root: r.Bool(1), generated: r.Text(2) == "s", tables: map[schema.Name]published{}}
		for i, what := range []string{"insert", "update", "delete", "truncate"} {
			if !r.Bool(3 + i) {
				p.lacks = append(p.lacks, what)
			}
		}
		p.made, _ = strings.CutPrefix(r.Text(7), madeFor(""))
		if !strings.HasPrefix(r.Text(7), madeFor("")) {
			p.made = ""
		}
		return nil
	}, name)
	if err != nil || p == nil {
		return nil, err
	}
	err = s.query(ctx, publishedQuery, func(r dialect.Row) error {
		columns, err := r.Int(3)
		p.tables[schema.Name{Schema: r.Text(0), Table: r.Text(1)}] = published{r.Text(2), int(columns)}
		return err
	}, name)
	return p, err
}

// makePublication makes the publication of all tables in scope, in one
// transaction with its comment.
func (o *opening) makePublication(ctx context.Context) error {
	statements := o.scope.creating(o.options, o.server)
	remedy := func(err error) error {
		var e *rowferry.Error
		if e, _ = err.(*rowferry.Error); e == nil || e.Code != rowferry.CodeSourceDenied {
			return err
		}
		denied := rowferry.Errorf(rowferry.CodePublication, "the publication is missing, and %s may not make it: %w", o.server.user, err).
			Fact("publication", "%s", o.options.Publication)
		return denied.Remedy("as the tables' owner", "%s", statements[0]).
			Remedy("or let it", "GRANT CREATE ON DATABASE %s TO %s, and make it the tables' owner", dialect.Quote(o.server.database), dialect.Quote(o.server.user))
	}
	if err := o.session.exec(ctx, "BEGIN"); err != nil {
		return err
	}
	for _, sql := range append(statements, "COMMIT") {
		if err := o.session.exec(ctx, sql); err != nil {
			rollback := o.session.exec(context.WithoutCancel(ctx), "ROLLBACK")
			if rollback != nil {
				o.options.Log.Debug("rollback failed", "error", rollback)
			}
			return remedy(err)
		}
	}
	return nil
}

// creating are the statements that make the publication. Of tables that others
// inherit from, the others are left out: they are in scope by themselves, or not.
func (s *scope) creating(o Options, v server) []string {
	with := fmt.Sprintf("publish_via_partition_root = %t", o.Partitions != PartitionsLeaf)
	if v.version >= withGenerated {
		with += ", publish_generated_columns = stored"
	}
	name := dialect.Quote(o.Publication)
	return []string{
		"CREATE PUBLICATION " + name + " FOR TABLE " + s.list(s.listed()) + " WITH (" + with + ")",
		"COMMENT ON PUBLICATION " + name + " IS " + literal(madeFor(o.Pipeline)),
	}
}

// list writes tables as a publication takes them.
func (s *scope) list(names []schema.Name) string {
	words := make([]string, len(names))
	for i, n := range names {
		words[i] = "ONLY " + dialect.QuoteTable(n)
	}
	return strings.Join(words, ", ")
}

func literal(s string) string {
	q := "'" + strings.ReplaceAll(s, "'", "''") + "'"
	if strings.Contains(s, `\`) {
		return " E" + strings.ReplaceAll(q, `\`, `\\`)
	}
	return q
}

// check refuses a publication that does not tell of everything in scope. making
// says that it is to be made, with the slot, where it is missing.
func (s *scope) check(o Options, p *publication, making bool) error {
	if err := joined(s.identityFinding(p)); err != nil {
		return err
	}
	if p == nil && making {
		if len(s.tables) == 0 {
			return rowferry.Errorf(rowferry.CodePublication, "no table of the source is in scope, and a publication has to be made").
				Remedy("take in", "a table that exists, in tables")
		}
		return nil
	}
	return joined(s.publicationFindings(o, p)...)
}

// publicationFindings say whether what is in scope arrives.
func (s *scope) publicationFindings(o Options, p *publication) []rowferry.Finding {
	const name = "publication"
	if p == nil {
		f := failed(name, rowferry.CodePublication, fmt.Sprintf("there is no publication %q: what was written without it is not told, nor what comes after", o.Publication),
			"start over", "rowferry destroy, then run again into empty tables")
		if o.Temporary && len(s.tables) > 0 {
			f = failed(name, rowferry.CodePublication, fmt.Sprintf("there is no publication %q", o.Publication), "make it", s.creating(o, s.server)[0])
		}
		return []rowferry.Finding{f}
	}
	var found []rowferry.Finding
	if missing := s.missing(p); len(missing) > 0 {
		f := failed(name, rowferry.CodePublication, "the publication leaves out tables in scope: their rows would never arrive",
			"add them, before they have rows", fmt.Sprintf("ALTER PUBLICATION %s ADD TABLE %s", dialect.Quote(p.name), s.list(missing)),
			"leave them out", "in tables: "+notPatterns(missing))
		f.Facts = []rowferry.Fact{{Name: "publication", Value: p.name}, {Name: "left out", Value: names(missing)}}
		found = append(found, f)
	}
	if slices.Contains(p.lacks, "insert") {
		found = append(found, failed("inserts", rowferry.CodePublication, "the publication does not publish inserts",
			"mend", fmt.Sprintf("ALTER PUBLICATION %s SET (publish = 'insert, update, delete, truncate')", dialect.Quote(p.name))))
	}
	if hidden := s.hidden(o, p); len(hidden) > 0 {
		f := failed("partitions", rowferry.CodePublication, "the publication tells of partitions by their own names, which are not in scope: their rows would never arrive",
			"as rows of their table", fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = true)", dialect.Quote(p.name)),
			"or by their names", "take them in, in tables")
		f.Facts = []rowferry.Fact{{Name: "publication", Value: p.name}, {Name: "partitions", Value: names(hidden)}}
		found = append(found, f)
	}
	if want := o.Partitions == PartitionsRoot; o.Partitions != "" && p.root != want {
		found = append(found, failed("partitions", rowferry.CodePublication, fmt.Sprintf("source.partitions is %s, and the publication was made for the other", o.Partitions),
			"leave out", "source.partitions", "or mend", fmt.Sprintf("ALTER PUBLICATION %s SET (publish_via_partition_root = %t)", dialect.Quote(p.name), want)))
	}
	if len(found) == 0 {
		found = append(found, passed(name, "%q tells of the %d tables in scope", p.name, len(s.tables)))
	}
	return found
}

// missing are the tables in scope that the publication does not tell of.
func (s *scope) missing(p *publication) (all []schema.Name) {
	for _, t := range s.tables {
		if _, ok := p.tables[t.Table.Name]; !ok {
			all = append(all, t.Table.Name)
		}
	}
	return all
}

// hidden are the partitions of tables in scope whose rows come under a name that
// is not.
func (s *scope) hidden(o Options, p *publication) (all []schema.Name) {
	if p.root {
		return nil
	}
	for oid := range s.inside {
		if f := s.facts[oid]; f.kind != "p" && !o.Scope(f.name) {
			all = append(all, f.name)
		}
	}
	slices.SortFunc(all, schema.Name.Compare)
	return all
}

// names are tables for people.
func names(list []schema.Name) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = n.String()
	}
	return someOf(words)
}

// mostNamed is how many things a message names one by one.
const mostNamed = 10

func someOf(words []string) string {
	if more := len(words) - mostNamed; more > 0 {
		return strings.Join(words[:mostNamed], ", ") + fmt.Sprintf(" and %d more", more)
	}
	return strings.Join(words, ", ")
}

func notPatterns(list []schema.Name) string {
	words := make([]string, len(list))
	for i, n := range list {
		words[i] = fmt.Sprintf("%q", "!"+n.String())
	}
	return someOf(words)
}
