package mapping

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/rowferry/rowferry"
	"github.com/rowferry/rowferry/internal/failpoint"
)

// Deletes says what becomes of a target row that is no longer wanted.
type Deletes string

// What deletes come to.
const (
	HardDeletes Deletes = ""     // the row is deleted
	SoftDeletes Deletes = "soft" // Entity.DeletedAt is set to the commit time, and is NULL in rows that live
	SkipDeletes Deletes = "skip" // the row stays
)

// DefaultDeletedAt is the column of soft deletes.
const DefaultDeletedAt = "deleted_at"

// Entity are the rules for the rows of one source table, as the user wrote
// them. None of them has a state: a change alone says what becomes of it.
type Entity struct {
	// Where is an expression over the row's columns; rows of which it is not true
	// are not in the target.
	Where string
	// Columns are expressions by target column: a new one, or one whose value they
	// replace.
	Columns map[string]string
	// Defaults are expressions by target column, for rows that have no value for it: it
	// is NULL, or the source has no such column.
	Defaults map[string]string
	// MissingColumns says what becomes of source columns that the target's table lacks.
	MissingColumns MissingColumns
	// Drop are source columns that the target does not have.
	Drop []string
	// Rename maps source columns to their names in the target.
	Rename map[string]string
	// Source, Key and Time are columns that say where a row comes from: the
	// pipeline's name, the row's key in the source as text, and when the source
	// committed its last change, NULL where that is before a copy. "" is none.
	Source, Key, Time string
	Deletes           Deletes
	DeletedAt         string // "" is DefaultDeletedAt
	Keys              KeyRule
	// OnReject says what becomes of rows that the target refuses; "" is what Options
	// say. It changes nothing about rows that were applied, and so is not in
	// Rules.Canonical.
	OnReject OnReject
}

// rule is an Entity that was checked.
type rule struct {
	Entity
	where    *expression
	computed map[string]*expression
	defaults map[string]*expression
	has      []string // the columns of the target's table, sorted; nil where all are written
}

// newRule checks what can be told without the table's shape. All errors are
// returned, joined.
func newRule(table string, e Entity) (*rule, []error) {
	r := &rule{Entity: e, computed: map[string]*expression{}, defaults: map[string]*expression{}}
	var errs []error
	if e.DeletedAt != "" && e.Deletes != SoftDeletes {
		errs = append(errs, refuseRule(table, "deleted_at is for soft deletes").Remedy("write", "deletes: soft"))
	}
	if r.DeletedAt == "" && r.Deletes == SoftDeletes {
		r.DeletedAt = DefaultDeletedAt
	}
	if e.Where != "" {
		x, err := parseExpression(e.Where)
		if err != nil {
			errs = append(errs, aboutExpression(err, table, "where"))
		}
		r.where = x
		if e.Deletes == SkipDeletes {
			errs = append(errs, refuseRule(table, "where and 'deletes: skip' cannot be together: a row that left the filter would stay, and meet itself when it comes back").
				Remedy("write", "deletes: soft"))
		}
	}
	parse := func(key string, texts map[string]string, into map[string]*expression) {
		for _, name := range slices.Sorted(maps.Keys(texts)) {
			x, err := parseExpression(texts[name])
			if err != nil {
				errs = append(errs, aboutExpression(err, table, key+"."+name))
			}
			into[name] = x
		}
	}
	parse("columns", e.Columns, r.computed)
	parse("defaults", e.Defaults, r.defaults)
	errs = append(errs, e.Keys.fits(table, e.Deletes)...)
	for _, c := range e.Drop {
		if _, both := e.Rename[c]; both {
			errs = append(errs, refuseRule(table, "column %s is dropped and renamed", c))
		}
	}
	seen := map[string]string{}
	for _, n := range r.added() {
		if other, twice := seen[n.name]; twice {
			errs = append(errs, refuseRule(table, "%s and %s are both the column %s", other, n.what, n.name))
		}
		seen[n.name] = n.what
		if _, both := e.Defaults[n.name]; both {
			errs = append(errs, refuseRule(table, "column %s has a default, and %s says what each row has", n.name, n.what))
		}
	}
	return r, errs
}

// addition is a target column that the source does not have.
type addition struct{ name, what string }

// added are the columns that rules add, or replace: computed ones by name, and
// those of provenance and of soft deletes.
func (r *rule) added() []addition {
	var all []addition
	for _, name := range slices.Sorted(maps.Keys(r.Columns)) {
		all = append(all, addition{name, "columns." + name})
	}
	for _, a := range []addition{{r.Source, "provenance.source"}, {r.Key, "provenance.key"}, {r.Time, "provenance.time"}} {
		if a.name != "" {
			all = append(all, a)
		}
	}
	if r.Deletes == SoftDeletes {
		all = append(all, addition{r.DeletedAt, "deleted_at"})
	}
	return all
}

// reshapes reports whether the target table has other columns than the source's.
func (r *rule) reshapes() bool {
	return r != nil && (r.has != nil || len(r.Drop)+len(r.Rename)+len(r.Defaults)+len(r.added()) > 0)
}

// keepsRows reports whether no row ever goes from the target.
func (r *rule) keepsRows() bool { return r != nil && r.Deletes != HardDeletes }

// targetColumn returns what a source column is called in the target, and false
// where the target does not have its value.
func (r *rule) targetColumn(name string) (string, bool) {
	if r == nil {
		return name, true
	}
	to := r.wanted(name)
	if to == "" || r.lacks(to) {
		return "", false
	}
	return to, true
}

// wanted is targetColumn for a target that has every column; "" where the value is not
// wanted there.
func (r *rule) wanted(name string) string {
	if slices.Contains(r.Drop, name) {
		return ""
	}
	if to, ok := r.Rename[name]; ok {
		name = to
	}
	if slices.ContainsFunc(r.added(), func(a addition) bool { return a.name == name }) {
		return ""
	}
	return name
}

// canonical is the rule as text: equal if and only if it means the same.
func (r *rule) canonical() string {
	var parts []string
	add := func(name, value string) {
		if value != "" {
			parts = append(parts, fmt.Sprintf("%s=%q", name, value))
		}
	}
	add("where", r.Where)
	for _, c := range slices.Sorted(maps.Keys(r.Columns)) {
		add("column "+fmt.Sprintf("%q", c), r.Columns[c])
	}
	for _, c := range slices.Sorted(maps.Keys(r.Defaults)) {
		add("default "+fmt.Sprintf("%q", c), r.Defaults[c])
	}
	add("missing_columns", string(r.MissingColumns))
	for _, c := range r.has {
		if !failpoint.On("forget-target-columns") {
			add("has", c)
		}
	}
	for _, c := range slices.Sorted(slices.Values(r.Drop)) {
		add("drop", c)
	}
	for _, c := range slices.Sorted(maps.Keys(r.Rename)) {
		add("rename "+fmt.Sprintf("%q", c), r.Rename[c])
	}
	add("source", r.Source)
	add("key", r.Key)
	add("time", r.Time)
	add("deletes", string(r.Deletes))
	if r.Deletes == SoftDeletes {
		add("deleted_at", r.DeletedAt)
	}
	if keys := r.Keys.canonical(); keys != "" {
		parts = append(parts, keys)
	}
	return strings.Join(parts, " ")
}

func refuseRule(table, format string, args ...any) *rowferry.Error {
	return rowferry.Errorf(rowferry.CodeRuleRefused, format, args...).Fact("entity", "%s", table)
}
