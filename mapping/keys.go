package mapping

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/schema"
)

// Strategy says which key a row has in the target.
type Strategy string

// The strategies.
const (
	Keep     Strategy = ""         // the source's
	Offset   Strategy = "offset"   // the source's and a number
	Allocate Strategy = "allocate" // a new one, of the target table's own counter
	Match    Strategy = "match"    // that of the row of the target with the same natural key, or else a new one
)

// Missing says what becomes of a row whose parent is not there.
type Missing string

// The policies. They are about parents whose keys are noted: those with keys of the
// target's own, and those that the rules name in a reference of an entity with a
// policy. A row that refers to any other table is the target's affair, whose parents
// come first in the source's order. Without a policy rows wait.
const (
	Wait   Missing = "wait"   // until the parent comes
	Null   Missing = "null"   // it is written with NULL in the parent's place
	Reject Missing = "reject" // it stops the pipeline
	Fetch  Missing = "fetch"  // it is brought from the source first, with its own parents
)

// KeyRule is what the user says of the keys of one source table.
type KeyRule struct {
	Key    Strategy
	Offset int64
	// Match are natural keys, each by source columns, in the order to try them.
	Match [][]string
	// Duplicates is what an insert becomes that meets a row of the target. "" is
	// UpdateDuplicates for Match, and RefuseDuplicates for any other strategy.
	Duplicates Duplicates
	// References are foreign keys that the source does not declare, by columns.
	References []Reference
	Missing    Missing
	// WhereParent are the columns of a reference: a row is in the target only where the
	// row that it refers to there is. One that refers to none is.
	WhereParent []string
}

// Reference is a foreign key of one column that the source does not declare.
type Reference struct {
	Column string
	// Kind is the column, and Text its text, that has the column lead to To. Where
	// Kind is "", it always does.
	Kind, Text string
	To         Column
}

// Column is a column of a source table.
type Column struct {
	Table schema.Name
	Name  string
}

// entity is what is known of one target table.
type entity struct {
	name   schema.Name // the target's
	id     []byte      // begins its keys in the notes
	rule   KeyRule
	source schema.Name // once it was seen, as the rest
	table  *schema.Table
	// identity are the key's columns, uniques those of the other unique keys.
	identity []int
	uniques  [][]int
	refs     []reference
	// noted tells that the notes have the target's key of each row.
	noted bool
	// carried tells that rows are brought which refer to rows that may come later; see
	// Carry.
	carried bool
	// keeps tells that deleted rows stay in the target.
	keeps bool
	// fetched tells that rows come from the source when others refer to them.
	fetched bool
	// naturals are the columns by which new rows are looked up in the target, each
	// alone in the order to try them; nil where they are not.
	naturals [][]int
	// leads tells that rows of other tables are in the target where those of this one are.
	leads bool
	// came tells that rows may have come of which nothing is noted if they are left out.
	came bool
	// custom tells that a custom handler makes the rows.
	custom bool
	// rejects tells that rows which the target refuses are put aside.
	rejects bool
	// cascaded tells that rows may go with others.
	cascaded bool
	// plain tells that rows are passed as they are, as long as none waits.
	plain bool
	// taken counts the keys given since more were reserved last, now those given to the
	// batch that is begun, and usual is about how many one takes at most. stock has
	// those that are left.
	taken, now, usual int
	stock             []rowferry.KeyRange
	// met counts new rows that have met rows of the target since a batch was begun.
	met Met
}

// moved reports whether rows have other keys in the target than in the source.
func (e *entity) moved() bool { return e.noted || e.rule.Key == Offset }

// reference is a foreign key that leads to the key of a parent.
type reference struct {
	columns  []int // in the order of the parent's key
	parent   *entity
	kind     int    // the column that has to have the text, -1 where it always leads there
	text     string // and the text
	nullable bool
	own      bool // a column is of the row's own key
	unique   bool // a column is of a unique key
	follows  bool // rows are in the target where their parents by it are
}

// active reports whether a row with these values refers by it.
func (f *reference) active(row rowferry.Row) bool {
	return f.kind < 0 || row[f.kind].Kind() == rowferry.Text && row[f.kind].Str() == f.text
}

// within reports whether a key has any of the columns.
func (f *reference) within(key []int) bool {
	return slices.ContainsFunc(f.columns, func(o int) bool { return slices.Contains(key, o) })
}

// values returns what a row has there, and whether it refers to a row by that:
// nothing is NULL or absent. See keyOf.
func (f *reference) values(row rowferry.Row) ([]rowferry.Value, bool) {
	for _, o := range f.columns {
		if row[o].IsNull() || row[o].IsAbsent() {
			return nil, false
		}
	}
	return keyOf(row, f.columns), true
}

// entity returns what is known of the target table, which may be nothing yet.
func (r *resolver) entity(target schema.Name) *entity {
	e := r.entities[target]
	if e == nil {
		e = &entity{name: target, plain: true}
		e.id = appendText(appendText(nil, target.Schema), target.Table)
		r.entities[target] = e
	}
	return e
}

// configured makes the entities that the rules name, and reports whether any key
// is not the source's, or rows are put aside.
func (r *resolver) configured() bool {
	moved := false
	for n, x := range r.rules.entities {
		rule, e := x.Keys, r.entity(r.rules.Target(n))
		e.rule, e.source, e.keeps = rule, n, x.Deletes != HardDeletes
		e.noted = e.noted || rule.Key == Allocate || rule.looks() || rule.follows()
		for _, ref := range rule.References {
			parent := r.entity(r.rules.Target(ref.To.Table))
			parent.leads = parent.leads || ref.Kind == "" && slices.Equal(rule.WhereParent, []string{ref.Column})
			parent.noted = parent.noted || parent.leads || rule.Missing != ""
		}
		moved = moved || !rule.keeps()
	}
	return moved || r.rules.rejecting()
}

// learn takes in the shape of a table.
func (r *resolver) learn(source schema.Name, t *schema.Table) error {
	e := r.entity(t.Name)
	source = r.rules.entityOf(source)
	for _, other := range r.entities {
		if other.table != nil && other != e && other.source == source {
			return rowferry.Errorf(rowferry.CodeHandlerRefused, "a custom handler that writes several tables does not fit beside rows that get keys of the target's own").
				Fact("table", "%s", source).Fact("writes", "%s, %s", other.name, e.name)
		}
	}
	e.source, e.table, e.identity = source, t, t.Identity()
	e.rejects, e.custom = r.rules.setsAside(source), r.rules.custom[source] != nil
	r.mu.Lock()
	r.seen[source] = t
	r.mu.Unlock()
	e.uniques = nil
	for _, u := range append([]schema.Index{{Columns: t.PrimaryKey}}, t.Uniques...) {
		if len(u.Columns) > 0 && !slices.Equal(u.Columns, e.identity) {
			e.uniques = append(e.uniques, u.Columns)
		}
	}
	if e.rule.Key != Keep && (len(e.identity) != 1 || t.Columns[e.identity[0]].Type.Kind != schema.Int) {
		return rowferry.Errorf(rowferry.CodeKeyRefused, "the keys of %s cannot be given by %s: its key is not one integer column", source, e.rule.Key).
			Fact("key", "%v", t.ColumnNames(e.identity))
	}
	if e.keeps && e.moved() {
		return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s have keys of their own, and stay when they are deleted: a row that comes again under the same key could not be told from them", source).
			Remedy("delete", "deletes: hard")
	}
	if e.noted && e.identity == nil {
		return rowferry.Errorf(rowferry.CodeKeyRefused, "rows of %s cannot be waited for: the table has no key", source)
	}
	if err := r.lookups(e); err != nil {
		return err
	}
	return r.connectAll()
}

// connectAll connects all entities. Whether the keys of one are noted, and its rows
// fetched, may follow from others.
func (r *resolver) connectAll() error {
	for before := -1; before != r.noted(); {
		before = r.noted()
		for _, e := range r.all() {
			if err := r.connect(e); err != nil {
				return err
			}
			if err := r.connectFetched(e); err != nil {
				return err
			}
		}
		if r.circles {
			r.noteCircles()
		}
	}
	return nil
}

func (r *resolver) noted() (n int) {
	for _, e := range r.entities {
		if e.noted || e.carried {
			n++
		}
		if e.fetched {
			n++
		}
	}
	return n
}

// connect finds out which rows an entity's rows refer to.
func (r *resolver) connect(e *entity) error {
	if e.table == nil {
		return nil
	}
	e.refs = e.refs[:0]
	for _, ref := range e.rule.References {
		f, err := r.declared(e, ref)
		if err != nil {
			return err
		}
		e.refs = append(e.refs, f)
	}
	for _, k := range e.table.ForeignKeys {
		parent := r.entity(k.Parent)
		e.cascaded = e.cascaded || k.Acts()
		if columns := parent.inKeyOrder(k.Columns, k.Referenced); columns != nil {
			e.addReference(reference{columns: columns, parent: parent, kind: -1})
		}
	}
	e.plain = !e.moved()
	for i := range e.refs {
		f := &e.refs[i]
		f.nullable = !slices.ContainsFunc(f.columns, func(o int) bool { return !e.table.Columns[o].Nullable })
		f.own = f.within(e.identity)
		f.unique = slices.ContainsFunc(e.uniques, f.within)
		if !f.parent.moved() {
			e.plain = e.plain && !f.parent.carried
			continue
		}
		e.plain = false
		if f.own {
			e.noted = true // its key has the parent's in it
		}
	}
	return r.connectFollowed(e)
}

func (e *entity) addReference(f reference) {
	if !slices.ContainsFunc(e.refs, func(x reference) bool {
		return x.kind < 0 && x.parent == f.parent && slices.Equal(x.columns, f.columns)
	}) {
		e.refs = append(e.refs, f)
	}
}

// inKeyOrder returns the columns of a child in the order of the key that they
// refer to, or nil where they refer to something else than the key. Of a table
// that was not seen it is taken that they do.
func (e *entity) inKeyOrder(columns []int, referenced []string) []int {
	if e.table == nil {
		return columns
	}
	if len(columns) != len(e.identity) {
		return nil
	}
	ordered := make([]int, len(columns))
	for i, o := range e.identity {
		at := slices.Index(referenced, e.table.Columns[o].Name)
		if at < 0 {
			return nil
		}
		ordered[i] = columns[at]
	}
	return ordered
}

// declared checks a reference of the configuration.
func (r *resolver) declared(e *entity, ref Reference) (reference, error) {
	f := reference{kind: -1, text: ref.Text, parent: r.entity(r.rules.Target(ref.To.Table))}
	o := e.table.Column(r.renamed(e.source, ref.Column))
	if ref.Kind != "" {
		f.kind = e.table.Column(r.renamed(e.source, ref.Kind))
	}
	if o < 0 || ref.Kind != "" && f.kind < 0 {
		return f, rowferry.Errorf(rowferry.CodeKeyRefused, "a reference of %s is by a column that the table does not have", e.source).
			Fact("columns", "%v", e.table.ColumnNames(all(e.table)))
	}
	if f.columns = f.parent.inKeyOrder([]int{o}, []string{r.renamed(ref.To.Table, ref.To.Name)}); f.columns == nil {
		return f, rowferry.Errorf(rowferry.CodeKeyRefused, "the reference %s of %s does not lead to the key of %s", ref.Column, e.source, ref.To.Table).
			Fact("key", "%v", f.parent.table.ColumnNames(f.parent.identity))
	}
	return f, nil
}

// renamed returns the name that a source column has in the target.
func (r *resolver) renamed(source schema.Name, column string) string {
	if rule := r.rules.entities[source]; rule != nil && rule.Rename[column] != "" {
		return rule.Rename[column]
	}
	return column
}

// canonical returns the rule as text, "" where it says nothing; see Rules.Canonical.
func (k KeyRule) canonical() string {
	var parts []string
	if k.Key != Keep {
		parts = append(parts, fmt.Sprintf("keys=%s(%d)", k.Key, k.Offset))
	}
	for _, ref := range k.References {
		parts = append(parts, fmt.Sprintf("reference=%q(%q=%q)%q.%q.%q", ref.Column, ref.Kind, ref.Text, ref.To.Table.Schema, ref.To.Table.Table, ref.To.Name))
	}
	for _, columns := range k.Match {
		parts = append(parts, fmt.Sprintf("match=%q", columns))
	}
	if k.Duplicates != "" {
		parts = append(parts, "duplicates="+string(k.Duplicates))
	}
	if k.Missing != "" {
		parts = append(parts, "missing="+string(k.Missing))
	}
	if k.follows() {
		parts = append(parts, fmt.Sprintf("where_parent=%q", strings.Join(slices.Sorted(slices.Values(k.WhereParent)), ",")))
	}
	return strings.Join(parts, " ")
}
