package postgres

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	dialect "github.com/rowferry/rowferry/internal/dialect/postgres"
	"github.com/rowferry/rowferry/schema"
)

// scope is what of the database the pipeline reads.
type scope struct {
	server server
	tables []*dialect.SourceTable // whose changes arrive under their own names
	facts  map[uint32]*relation   // of every ordinary and partitioned table, by oid
	inside map[uint32]bool        // the facts of tables and of their partitions
	silent []*relation            // in scope, and never in the log
	root   bool                   // partitions arrive as rows of their partitioned table
}

// relation is what the catalog says of a table beyond its shape.
type relation struct {
	oid      uint32
	name     schema.Name
	kind     string // of pg_class
	logged   bool
	owned    bool     // by our user, or a role that it is a member of
	above    []uint32 // the partitioned tables that it is a partition of
	identity string   // replica identity
	keyed    bool     // has a primary key that can be one
	indexed  bool     // has the index that its replica identity was set to
	virtual  string   // a generated column of its replica identity that no publication tells of
	stored   string   // one that PostgreSQL 18 publishes where it is asked to
}

// relationQuery: the columns of a replica identity are those of the primary key,
// of an index, or all.
const relationQuery = `SELECT c.oid, n.nspname, c.relname, c.relkind, c.relpersistence, pg_has_role(c.relowner, 'USAGE'), c.relreplident,
  CASE WHEN c.relispartition THEN (SELECT array_agg(a.relid::oid)::text FROM pg_partition_ancestors(c.oid) a WHERE a.relid <> c.oid) END,
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisprimary AND i.indisvalid AND i.indimmediate),
  EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND i.indisreplident AND i.indisvalid),
  (SELECT min(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 'v' AND NOT a.attisdropped AND ` + identifies + `),
  (SELECT min(a.attname::text) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attgenerated = 's' AND NOT a.attisdropped AND ` + identifies + `)
  FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
  WHERE c.relkind IN ('r', 'p', 'f', 'm') AND c.relpersistence <> 't' AND n.nspname <> 'information_schema' AND left(n.nspname, 3) <> 'pg_'
  ORDER BY n.nspname, c.relname`

const identifies = `(c.relreplident = 'f' OR EXISTS (SELECT FROM pg_index i WHERE i.indrelid = c.oid AND a.attnum = ANY (i.indkey)
    AND (c.relreplident = 'd' AND i.indisprimary OR c.relreplident = 'i' AND i.indisreplident)))`

// readScope reads the tables in scope, by the publication that there is or the
// one that would be made.
func (s *session) readScope(ctx context.Context, o *Options, v server, p *publication) (*scope, error) {
	sc := &scope{server: v, facts: map[uint32]*relation{}, inside: map[uint32]bool{}}
	var all []*relation
	err := s.query(ctx, relationQuery, func(r dialect.Row) error {
		oid, err := r.Int(0)
		if err != nil {
			return err
		}
		above, err := r.Ints(7)
		if err != nil {
			return err
		}
		f := &relation{
			oid: uint32(oid), name: schema.Name{Schema: r.Text(1), Table: r.Text(2)}, kind: r.Text(3), logged: r.Text(4) == "p" && !slices.Contains([]string{"f", "m"}, r.Text(3)),
			owned: r.Bool(5), identity: r.Text(6), keyed: r.Bool(8), indexed: r.Bool(9), virtual: r.Text(10), stored: r.Text(11),
		}
		for _, a := range above {
			f.above = append(f.above, uint32(a))
		}
		sc.facts[f.oid], all = f, append(all, f)
		return nil
	})
	if err != nil {
		return nil, err
	}
	root := o.Partitions != PartitionsLeaf
	generated := v.version >= withGenerated
	if p != nil {
		root, generated = p.root, p.generated
	}
	sc.root = root
	oids := []uint32{}
	for _, f := range all {
		switch {
		case !sc.covers(o, f):
		case !f.logged:
			sc.silent = append(sc.silent, f)
		default:
			sc.inside[f.oid] = true
			if sc.told(o, f, root) {
				oids = append(oids, f.oid)
			}
		}
	}
	if sc.tables, err = dialect.ReadSource(ctx, s.conn, oids, dialect.SourceOptions{PublishGenerated: generated}); err != nil {
		return nil, translate(ctx, s.endpoint, err)
	}
	return sc, nil
}

// covers reports whether a relation is in scope, by itself or by a partitioned
// table that it is a part of.
func (s *scope) covers(o *Options, f *relation) bool {
	return o.Scope(f.name) || s.partOf(o, f)
}

// partOf reports whether a partitioned table is in scope that f is a part of.
func (s *scope) partOf(o *Options, f *relation) bool {
	return slices.ContainsFunc(f.above, func(a uint32) bool { return s.facts[a] != nil && o.Scope(s.facts[a].name) })
}

// told reports whether changes arrive under the name of a relation in scope: of
// the topmost partitioned table, or of the partitions alone.
func (s *scope) told(o *Options, f *relation, root bool) bool {
	if root {
		return !s.partOf(o, f)
	}
	return f.kind != "p" && o.Scope(f.name)
}

// listed are the tables that a publication names: partitions come with their
// table, those that are made later too.
func (s *scope) listed() (all []schema.Name) {
	for oid := range s.inside {
		f := s.facts[oid]
		if !slices.ContainsFunc(f.above, func(a uint32) bool { return s.inside[a] }) {
			all = append(all, f.name)
		}
	}
	slices.SortFunc(all, func(a, b schema.Name) int { return strings.Compare(a.String(), b.String()) })
	return all
}

// joined returns the failed findings as one error.
func joined(findings ...rowferry.Finding) error {
	var errs []error
	for _, f := range findings {
		errs = append(errs, f.Err())
	}
	return errors.Join(errs...)
}

// identityFinding is about tables whose updates and deletes could not be found
// again, or would fail at the source once they are published.
func (s *scope) identityFinding(p *publication) rowferry.Finding {
	const name = "replica identity"
	f := failed(name, rowferry.CodeReplicaIdentity, "the replica identity of tables in scope does not tell which row was changed")
	bad := func(n schema.Name, why, mend string) {
		f.Facts = append(f.Facts, rowferry.Fact{Name: n.String(), Value: why})
		f.Remedies = append(f.Remedies, rowferry.Remedy{Label: "mend", Do: mend})
	}
	for _, t := range s.tables {
		if t.Identity == 'i' && t.Table.PrimaryKey != nil && !slices.Equal(t.IdentityColumns, slices.Sorted(slices.Values(t.Table.PrimaryKey))) {
			bad(t.Table.Name, "has a primary key, and an index over other columns as its identity: a change does not tell the key", identifyBy(t.Table.Name, "DEFAULT"))
		}
	}
	if p == nil || !slices.Contains(p.lacks, "update") || !slices.Contains(p.lacks, "delete") { // else nothing needs an old row
		for _, oid := range slices.Sorted(maps.Keys(s.inside)) {
			f := s.facts[oid]
			why, mend := s.unidentified(f, p)
			if why == "" {
				why, mend = s.misidentified(f)
			}
			if why != "" {
				bad(f.name, why, mend)
			}
		}
	}
	if f.Facts == nil {
		return passed(name, "tells which row was changed, in every table")
	}
	if more := len(f.Facts) - mostNamed; more > 0 {
		f.Facts, f.Remedies = f.Facts[:mostNamed], f.Remedies[:mostNamed]
		f.Facts = append(f.Facts, rowferry.Fact{Name: "and", Value: fmt.Sprintf("%d more", more)})
	}
	f.Remedies = append(f.Remedies, rowferry.Remedy{Label: "or give it", Do: "a primary key"}, rowferry.Remedy{Label: "or leave out", Do: "the table, in tables"})
	return f
}

func identifyBy(n schema.Name, what string) string {
	return "ALTER TABLE " + dialect.QuoteTable(n) + " REPLICA IDENTITY " + what
}

// unidentified says why the updates and deletes of a table fail at the source
// once they are published, and what mends it; "" where they do not. Each
// partition has a replica identity of its own, a partitioned table no rows.
// Before PostgreSQL 18, generated columns were left out of old rows.
func (s *scope) unidentified(f *relation, p *publication) (why, mend string) {
	unpublished := f.virtual
	if s.server.version >= withGenerated && p != nil && !p.generated && unpublished == "" {
		unpublished = f.stored
	}
	switch {
	case f.kind == "p":
		return "", ""
	case f.identity == "n":
		return "has the replica identity NOTHING", identifyBy(f.name, orFull(f.keyed))
	case f.identity == "i" && !f.indexed:
		return "has lost the index that was its replica identity", identifyBy(f.name, orFull(f.keyed))
	case f.identity == "d" && !f.keyed:
		return "has no primary key, and no other replica identity", identifyBy(f.name, "FULL")
	case unpublished != "" && f.keyed:
		return "has the generated column " + unpublished + " in its replica identity, which is not published", identifyBy(f.name, "DEFAULT")
	case unpublished != "":
		return "has the generated column " + unpublished + " in its replica identity, which is not published", identifyBy(f.name, "USING INDEX …") + ", over other columns"
	default:
		return "", ""
	}
}

// misidentified says why the changes of a partition cannot be told as those of
// its partitioned table: the log describes that one, and has old rows by the
// partition's own replica identity.
func (s *scope) misidentified(f *relation) (why, mend string) {
	if !s.root || f.kind == "p" || f.identity == "f" {
		return "", ""
	}
	for _, a := range f.above {
		if top := s.facts[a]; top != nil && (f.identity != "d" || top.identity != "d" || !top.keyed) {
			return "is a partition of " + top.name.String() + ", whose rows are told apart in another way", identifyBy(f.name, "FULL")
		}
	}
	return "", ""
}

// orFull is the replica identity that needs no index of its own.
func orFull(keyed bool) string {
	if keyed {
		return "DEFAULT"
	}
	return "FULL"
}
