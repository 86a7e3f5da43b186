package schema

import (
	"fmt"
	"slices"
)

// Generation says whether a column is computed by its database.
type Generation string

// The generations of a column.
const (
	NotGenerated Generation = ""
	Virtual      Generation = "virtual"
	Stored       Generation = "stored"
)

// Column is one column of a table.
type Column struct {
	Name          string     `json:"name"`
	Type          Type       `json:"type"`
	Nullable      bool       `json:"nullable,omitempty"`
	Generated     Generation `json:"generated,omitempty"`
	Invisible     bool       `json:"invisible,omitempty"`
	AutoIncrement bool       `json:"auto_increment,omitempty"`
}

// Index is an index, unique or not: the ordinals of its columns in index order.
type Index struct {
	Name    string `json:"name,omitempty"`
	Columns []int  `json:"columns"`
	// Prefix holds, per column, the indexed prefix in characters (bytes for
	// binary columns); 0 means the whole column. Nil means all whole.
	Prefix []int `json:"prefix,omitempty"`
	// Descending holds, per column, whether its values are in descending order.
	// Nil means that none are. Of a unique index it is not told.
	Descending []bool `json:"descending,omitempty"`
}

// Whole reports whether every column is indexed in full, so that equal index
// entries mean equal column values (up to collation).
func (x Index) Whole() bool {
	return !slices.ContainsFunc(x.Prefix, func(n int) bool { return n > 0 })
}

// Action is what a foreign key does when its parent goes or changes its key.
type Action string

// The referential actions. NoAction and Restrict both refuse; they differ in
// when they look.
const (
	NoAction   Action = ""
	Restrict   Action = "restrict"
	Cascade    Action = "cascade"
	SetNull    Action = "set null"
	SetDefault Action = "set default"
)

// Acts reports whether the action changes rows by itself.
func (a Action) Acts() bool { return a == Cascade || a == SetNull || a == SetDefault }

// ForeignKey points from Columns (ordinals of this table) to Referenced
// columns (names) of Parent.
type ForeignKey struct {
	Name       string   `json:"name,omitempty"`
	Columns    []int    `json:"columns"`
	Parent     Name     `json:"parent"`
	Referenced []string `json:"referenced"`
	OnDelete   Action   `json:"on_delete,omitempty"`
	OnUpdate   Action   `json:"on_update,omitempty"`
}

// Acts reports whether the foreign key changes child rows by itself.
func (f ForeignKey) Acts() bool { return f.OnDelete.Acts() || f.OnUpdate.Acts() }

// Table is one version of a table's shape. It is immutable once published.
type Table struct {
	Name        Name         `json:"name"`
	Columns     []Column     `json:"columns"`
	PrimaryKey  []int        `json:"primary_key,omitempty"` // ordinals, in key order; nil when there is none
	Uniques     []Index      `json:"uniques,omitempty"`     // without the primary key
	ForeignKeys []ForeignKey `json:"foreign_keys,omitempty"`
	// ConstraintsKnown is false where the shape came from row metadata alone,
	// which names no unique or foreign key. Nothing is guessed: the table is
	// made without them and the gap is reported.
	ConstraintsKnown bool `json:"constraints_known,omitempty"`
	// Versioned is set for MariaDB's system-versioned tables, whose log mixes
	// rows with their history.
	Versioned bool `json:"versioned,omitempty"`
	// Unsupported lists, for people, parts of the shape that were understood
	// but cannot be carried (a unique key over an expression, say).
	Unsupported []string `json:"unsupported,omitempty"`
	// Indexes are those of the source that refuse no row and that any target could
	// have: sorted, over columns, and over all rows. They mean nothing to rows, so
	// that they may be missing where a log or an older state tells the shape.
	Indexes []Index `json:"indexes,omitempty"`
	// OtherIndexes names, for people, the rest of those that refuse no row, with
	// what sets each apart ("index words, which is a FULLTEXT index").
	OtherIndexes []string `json:"other_indexes,omitempty"`
}

// Column returns the ordinal of the named column, or -1. Names are compared
// exactly.
func (t *Table) Column(name string) int {
	return slices.IndexFunc(t.Columns, func(c Column) bool { return c.Name == name })
}

// ColumnNames returns the names of the columns at the given ordinals.
func (t *Table) ColumnNames(ordinals []int) []string {
	names := make([]string, len(ordinals))
	for i, o := range ordinals {
		names[i] = t.Columns[o].Name
	}
	return names
}

// Identity returns the ordinals of the columns that identify a row: the
// primary key, else the first unique index over whole, non-null columns.
// Approximate columns never identify. Nil means the table has no key.
func (t *Table) Identity() []int {
	if t.identifies(Index{Columns: t.PrimaryKey}) {
		return t.PrimaryKey
	}
	for _, u := range t.Uniques {
		if u.Whole() && t.identifies(u) && !t.anyNullable(u.Columns) {
			return u.Columns
		}
	}
	return nil
}

// Bare returns a copy of the shape without what would refuse rows that come in
// any order, and without what would slow them down: with the key of Identity, and
// no other unique or foreign key or index.
func (t *Table) Bare() *Table {
	c := *t
	c.Uniques, c.ForeignKeys, c.Indexes = nil, nil, nil
	identity := t.Identity()
	if len(identity) > 0 && !slices.Equal(identity, t.PrimaryKey) {
		at := slices.IndexFunc(t.Uniques, func(u Index) bool { return u.Whole() && slices.Equal(u.Columns, identity) })
		c.Uniques = t.Uniques[at : at+1 : at+1]
	}
	if len(c.Uniques) > 0 || identity == nil {
		c.PrimaryKey = nil
	}
	return &c
}

func (t *Table) identifies(x Index) bool {
	if len(x.Columns) == 0 {
		return false
	}
	return !slices.ContainsFunc(x.Columns, func(o int) bool { return t.Columns[o].Type.Kind.Approximate() })
}

func (t *Table) anyNullable(ordinals []int) bool {
	return slices.ContainsFunc(ordinals, func(o int) bool { return t.Columns[o].Nullable })
}

// UniqueOver reports whether the columns at the ordinals, in any order, are
// exactly the primary key or a whole unique key, so that a foreign key may refer
// to them. An ordinal of -1 is no column.
func (t *Table) UniqueOver(ordinals []int) bool {
	if sameSet(t.PrimaryKey, ordinals) {
		return true
	}
	return slices.ContainsFunc(t.Uniques, func(u Index) bool { return u.Whole() && sameSet(u.Columns, ordinals) })
}

func sameSet(a, b []int) bool {
	return len(a) > 0 && len(a) == len(b) && !slices.ContainsFunc(b, func(o int) bool { return !slices.Contains(a, o) })
}

// WithName returns a copy of the shape under another name. Column and key
// slices are shared: both are immutable.
func (t *Table) WithName(n Name) *Table {
	c := *t
	c.Name = n
	return &c
}

// Validate reports the first way in which the shape contradicts itself. Every
// shape built from foreign text or bytes passes through it.
func (t *Table) Validate() error {
	if t.Name.Table == "" {
		return fmt.Errorf("table without a name")
	}
	if len(t.Columns) == 0 {
		return fmt.Errorf("table %s has no columns", t.Name)
	}
	seen := make(map[string]bool, len(t.Columns))
	for _, c := range t.Columns {
		if c.Name == "" || seen[c.Name] {
			return fmt.Errorf("table %s: column name %q is empty or repeated", t.Name, c.Name)
		}
		if c.Type.Kind == Invalid {
			return fmt.Errorf("table %s: column %q has no type", t.Name, c.Name)
		}
		seen[c.Name] = true
	}
	if err := t.validOrdinals("primary key", t.PrimaryKey); err != nil {
		return err
	}
	for _, u := range t.Uniques {
		if err := t.validOrdinals("unique key "+u.Name, u.Columns); err != nil {
			return err
		}
		if u.Prefix != nil && len(u.Prefix) != len(u.Columns) {
			return fmt.Errorf("table %s: unique key %s has %d prefixes for %d columns", t.Name, u.Name, len(u.Prefix), len(u.Columns))
		}
	}
	for _, x := range t.Indexes {
		if err := t.validOrdinals("index "+x.Name, x.Columns); err != nil {
			return err
		}
		if len(x.Columns) == 0 || x.Prefix != nil && len(x.Prefix) != len(x.Columns) || x.Descending != nil && len(x.Descending) != len(x.Columns) {
			return fmt.Errorf("table %s: index %s has %d columns, %d prefixes and %d directions", t.Name, x.Name, len(x.Columns), len(x.Prefix), len(x.Descending))
		}
	}
	for _, f := range t.ForeignKeys {
		if err := t.validOrdinals("foreign key "+f.Name, f.Columns); err != nil {
			return err
		}
		if len(f.Columns) != len(f.Referenced) {
			return fmt.Errorf("table %s: foreign key %s has %d columns for %d referenced", t.Name, f.Name, len(f.Columns), len(f.Referenced))
		}
	}
	return nil
}

func (t *Table) validOrdinals(what string, ordinals []int) error {
	for _, o := range ordinals {
		if o < 0 || o >= len(t.Columns) {
			return fmt.Errorf("table %s: %s names column %d of %d", t.Name, what, o, len(t.Columns))
		}
	}
	return nil
}

// ByteExact reports whether the source compares the columns at the ordinals
// byte by byte, as a target without its collations and types will.
func (t *Table) ByteExact(ordinals []int) bool {
	return !slices.ContainsFunc(ordinals, func(o int) bool { return !t.Columns[o].Type.ByteExact() })
}

// SameInPostgres reports whether a PostgreSQL target compares the columns at the
// ordinals as the source does.
func (t *Table) SameInPostgres(ordinals []int) bool {
	return !slices.ContainsFunc(ordinals, func(o int) bool {
		c := t.Columns[o].Type
		return !c.ByteExact() && !c.ownEquality()
	})
}
