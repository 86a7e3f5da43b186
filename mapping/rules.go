package mapping

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Options are the rules as the user wrote them.
type Options struct {
	// Tables are patterns "database.table" with the wildcards of path.Match;
	// a leading ! takes out, and a backslash takes any character's special
	// meaning away, the dot's too. The last pattern that matches a table decides.
	// Without any, every table but the servers' own is in scope.
	Tables []string
	// Renames maps "database.table" to the table's name in the target,
	// "name" or, where the target has namespaces, "schema.name".
	Renames map[string]string
	// Namespaces tells that the target has schemas, so that the source's
	// database is kept; else a target table is called by its bare name.
	Namespaces bool
	// Into is the namespace that takes the place of the source's database,
	// where the tables in scope are all of one; "" keeps the database. A rename
	// with a dot goes before it.
	Into string
	// Postgres tells that the source is PostgreSQL: its "databases" are schemas.
	Postgres bool
	// Entities are rules for the rows of single tables, by "database.table".
	Entities map[string]Entity
	// OnReject is what becomes of rows that the target refuses, where their Entity
	// does not say.
	OnReject OnReject
	// Pipeline is the pipeline's name, which provenance columns have.
	Pipeline string
	// Custom are handlers that take the place of the generic one.
	Custom []Custom
}

// Rules decide scope and names. They are immutable and safe for concurrent
// use.
type Rules struct {
	patterns   []pattern
	renames    map[schema.Name]schema.Name
	namespaces bool
	into       string
	system     []string
	entities   map[schema.Name]*rule
	pipeline   string
	custom     map[schema.Name]*custom // by source table; nil where there is none
	onReject   OnReject
	rejects    map[schema.Name]OnReject             // of tables that say
	follows    bool                                 // rows of some table are in the target where their parents are
	notice     func(table schema.Name, text string) // see Facing; nil tells nobody
}

type pattern struct {
	out           bool
	schema, table string
}

// Schemas of the servers' own tables, which are never in scope.
var (
	systemSchemas   = []string{"mysql", "information_schema", "performance_schema", "sys"}
	postgresSchemas = []string{"information_schema", "pg_catalog", "pg_toast"}
)

// checkpointTable is Rowferry's own. A source that is itself a target of
// Rowferry logs it; it is never in scope.
const checkpointTable = "rowferry_checkpoint"

// New checks the options. Errors of the tables and names are CodeBadValue, those of
// entities CodeBadExpression and CodeRuleRefused, which are all returned, joined.
func New(o Options) (*Rules, error) {
	r := &Rules{renames: map[schema.Name]schema.Name{}, namespaces: o.Namespaces, into: o.Into, system: systemSchemas, entities: map[schema.Name]*rule{}, pipeline: o.Pipeline,
		onReject: o.OnReject, rejects: map[schema.Name]OnReject{}}
	if o.Postgres {
		r.system = postgresSchemas
	}
	for _, text := range o.Tables {
		p, err := parsePattern(text)
		if err != nil {
			return nil, err
		}
		r.patterns = append(r.patterns, p)
	}
	if _, one := r.Database(); o.Into != "" && !(one && o.Namespaces) {
		return nil, rowferry.Errorf(rowferry.CodeBadValue, "the target names one database, %q, and the tables are of several", o.Into).
			Remedy("keep them apart", "leave the database out of the target's URL").
			Remedy("take one", `tables: ["shop.*"]`)
	}
	for _, from := range slices.Sorted(maps.Keys(o.Renames)) {
		source, err := parseName(from)
		if err != nil {
			return nil, err
		}
		target := schema.Name{Table: o.Renames[from]}
		if before, after, dotted := strings.Cut(o.Renames[from], "."); dotted && o.Namespaces {
			target = schema.Name{Schema: before, Table: after}
		} else if o.Namespaces {
			target.Schema = r.namespace(source.Schema)
		}
		if target.Table == "" {
			return nil, rowferry.Errorf(rowferry.CodeBadValue, "table %s is renamed to nothing", from)
		}
		r.renames[source] = target
	}
	if err := r.addEntities(o.Entities); err != nil {
		return r, err
	}
	return r, r.addCustom(o.Custom)
}

// addEntities checks the rules of single tables. One that says nothing is none.
func (r *Rules) addEntities(entities map[string]Entity) error {
	var errs []error
	for _, from := range slices.Sorted(maps.Keys(entities)) {
		source, err := parseName(from)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		rule, wrong := newRule(from, entities[from])
		errs = append(errs, wrong...)
		if rule.OnReject != "" {
			r.rejects[source] = rule.OnReject
		}
		if rule.canonical() != "" {
			r.entities[source] = rule
		}
		r.follows = r.follows || rule.Keys.follows()
	}
	if r.follows && r.Fetches() {
		errs = append(errs, rowferry.Errorf(rowferry.CodeRuleRefused, "where_parent and 'missing_parent: fetch' cannot be in one pipeline: a row that is fetched is newer than the log that says what follows it").
			Remedy("wait for parents", "missing_parent: wait"))
	}
	return errors.Join(errs...)
}

func parsePattern(text string) (pattern, error) {
	rest, out := strings.CutPrefix(text, "!")
	s, t, ok := cutPattern(rest)
	if !ok || s == "" || t == "" {
		return pattern{}, rowferry.Errorf(rowferry.CodeBadValue, "table pattern %q is not of the form database.table", text).
			Remedy("write", "shop.*, shop.orders or !shop.tmp_*")
	}
	for _, part := range []string{s, t} {
		if _, err := path.Match(part, ""); err != nil {
			return pattern{}, rowferry.Errorf(rowferry.CodeBadValue, "table pattern %q: %w", text, err)
		}
	}
	return pattern{out: out, schema: s, table: t}, nil
}

// cutPattern splits a pattern at its first dot that no backslash precedes.
func cutPattern(text string) (database, table string, ok bool) {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case '.':
			return text[:i], text[i+1:], true
		}
	}
	return text, "", false
}

// literal returns the one text that a pattern matches, where it has no
// wildcards.
func literal(pattern string) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(pattern); i++ {
		switch pattern[i] {
		case '*', '?', '[':
			return "", false
		case '\\':
			i++
		}
		if i < len(pattern) { // a backslash at the end was refused by path.Match
			b.WriteByte(pattern[i])
		}
	}
	return b.String(), true
}

func parseName(text string) (schema.Name, error) {
	s, t, ok := strings.Cut(text, ".")
	if !ok || s == "" || t == "" {
		return schema.Name{}, rowferry.Errorf(rowferry.CodeBadValue, "entity %q is not of the form database.table", text)
	}
	return schema.Name{Schema: s, Table: t}, nil
}

// InScope reports whether changes of the source table are applied.
func (r *Rules) InScope(n schema.Name) bool {
	if n.Table == checkpointTable || slices.Contains(r.system, strings.ToLower(n.Schema)) {
		return false
	}
	in := len(r.patterns) == 0
	for _, p := range r.patterns {
		if p.matches(n) {
			in = !p.out
		}
	}
	return in
}

// match is path.Match without its special meaning of a slash, which a table's
// name may contain. The pattern was checked by New.
func match(pattern, name string) bool {
	ok, err := path.Match(strings.ReplaceAll(pattern, "/", "\x00"), strings.ReplaceAll(name, "/", "\x00"))
	return ok && err == nil
}

// Target returns the target's name of a source table.
func (r *Rules) Target(n schema.Name) schema.Name {
	if c := r.custom[n]; c != nil {
		return c.handler.Target(n)
	}
	if to, ok := r.renames[n]; ok {
		return to
	}
	if r.namespaces {
		return schema.Name{Schema: r.namespace(n.Schema), Table: n.Table}
	}
	return schema.Name{Table: n.Table}
}

// Fills reports whether a table in scope may be the target table of that name.
// Where the target has no namespaces, every name may.
func (r *Rules) Fills(target schema.Name) bool {
	for from, to := range r.renames {
		if to == target && r.InScope(from) {
			return true
		}
	}
	for from := range r.custom {
		if r.Target(from) == target {
			return true
		}
	}
	if !r.namespaces {
		return target.Table != checkpointTable
	}
	from := target
	if r.into != "" {
		if target.Schema != r.into {
			return false
		}
		from.Schema, _ = r.Database()
	}
	return r.InScope(from) && r.Target(from) == target
}

func (r *Rules) namespace(database string) string {
	if r.into != "" {
		return r.into
	}
	return database
}

// Database returns the one database that all tables in scope are of, where
// there is one.
func (r *Rules) Database() (string, bool) {
	one := ""
	for _, p := range r.patterns {
		name, exact := literal(p.schema)
		switch {
		case p.out:
		case !exact, one != "" && one != name:
			return "", false
		default:
			one = name
		}
	}
	return one, one != ""
}

// Canonical returns the rules as one line of text: equal if and only if they
// mean the same to applied rows.
func (r *Rules) Canonical() string {
	var b strings.Builder
	b.WriteString("tables=")
	for i, p := range r.patterns {
		if i > 0 {
			b.WriteByte(',')
		}
		if p.out {
			b.WriteByte('!')
		}
		fmt.Fprintf(&b, "%q.%q", p.schema, p.table)
	}
	b.WriteString(" to=")
	sources := slices.SortedFunc(maps.Keys(r.renames), func(a, b schema.Name) int { return strings.Compare(a.String(), b.String()) })
	for i, s := range sources {
		if i > 0 {
			b.WriteByte(',')
		}
		to := r.renames[s]
		fmt.Fprintf(&b, "%q.%q:%q.%q", s.Schema, s.Table, to.Schema, to.Table)
	}
	fmt.Fprintf(&b, " namespaces=%t", r.namespaces)
	if r.into != "" {
		fmt.Fprintf(&b, " into=%q", r.into)
	}
	for _, s := range slices.SortedFunc(maps.Keys(r.entities), schema.Name.Compare) {
		fmt.Fprintf(&b, " entity %q.%q={%s}", s.Schema, s.Table, r.entities[s].canonical())
	}
	var handlers []string
	for n, c := range r.custom {
		if n == c.sources[0] {
			handlers = append(handlers, c.canonical())
		}
	}
	slices.Sort(handlers)
	b.WriteString(strings.Join(handlers, ""))
	return b.String()
}

// Hash returns the semantic hash: 16 hexadecimal digits of SHA-256 over
// Canonical.
func (r *Rules) Hash() string {
	sum := sha256.Sum256([]byte(r.Canonical()))
	return hex.EncodeToString(sum[:8])
}
