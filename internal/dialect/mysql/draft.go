package mysql

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// draft is a table's shape as the server thinks of it: keys by column name, with
// the keys that are not unique too, since they take names and since a foreign
// key's own key goes when another covers it.
type draft struct {
	name     schema.Name
	columns  []schema.Column
	keys     []key
	foreign  []foreign
	periods  []period
	rowStart string // MariaDB: columns of system versioning; empty without
	rowEnd   string
	implicit bool // they are the server's own, hidden but logged
	sequence bool
	// defaults is what new columns get that name no character set.
	defaults collation
	known    bool // ConstraintsKnown
	specs    specs
	recorded bool // it came by Put, without definitions
	notes    []string
	others   []string // OtherIndexes that are known by that alone
}

type keyKind uint8

const (
	plainKey keyKind = iota
	uniqueKey
	primaryKey
	otherKey // full text, spatial, vector
	foreignKey
)

type key struct {
	name      string
	kind      keyKind
	parts     []part
	generated bool   // made for a foreign key, gone when another key covers it
	overlaps  bool   // MariaDB: unique only among rows whose periods overlap
	other     string // of an otherKey, FULLTEXT, SPATIAL or VECTOR
	unused    string // INVISIBLE or IGNORED, where no query uses it
}

type part struct {
	column     string // "" for an expression
	prefix     int
	descending bool
}

type foreign struct {
	name       string
	number     int // of a generated name, <table>_ibfk_<number>
	columns    []string
	parent     schema.Name
	referenced []string // empty: the parent's primary key
	onDelete   schema.Action
	onUpdate   schema.Action
}

// period is MariaDB's PERIOD FOR an application's time.
type period struct{ name, start, end string }

// clone returns a draft that can be changed without changing d.
func (d *draft) clone() *draft {
	n := *d
	n.columns = slices.Clone(d.columns)
	n.keys = slices.Clone(d.keys)
	for i := range n.keys {
		n.keys[i].parts = slices.Clone(n.keys[i].parts)
	}
	n.foreign = slices.Clone(d.foreign)
	for i := range n.foreign {
		n.foreign[i].columns = slices.Clone(n.foreign[i].columns)
		n.foreign[i].referenced = slices.Clone(n.foreign[i].referenced)
	}
	n.periods = slices.Clone(d.periods)
	n.notes, n.others = slices.Clone(d.notes), slices.Clone(d.others)
	return &n
}

// column returns the ordinal of a column, or -1. The servers fold case here.
func (d *draft) column(name string) int {
	return slices.IndexFunc(d.columns, func(c schema.Column) bool { return strings.EqualFold(c.Name, name) })
}

func (d *draft) key(name string) int {
	return slices.IndexFunc(d.keys, func(k key) bool { return strings.EqualFold(k.name, name) })
}

// foreignKey returns the index of the foreign key of a name, given or generated.
func (d *draft) foreignKey(name string) int {
	return slices.IndexFunc(d.foreign, func(f foreign) bool {
		return strings.EqualFold(f.name, name) ||
			f.name == "" && strings.EqualFold(d.name.Table+"_ibfk_"+strconv.Itoa(f.number), name)
	})
}

// addForeign adds a foreign key and numbers it if it has no name.
func (d *draft) addForeign(f foreign) {
	if f.name == "" {
		for _, g := range d.foreign {
			f.number = max(f.number, g.number, generatedNumber(g.name, d.name.Table))
		}
		f.number++
	}
	d.foreign = append(d.foreign, f)
}

// generatedNumber returns n of a name <table>_ibfk_<n>, or 0.
func generatedNumber(name, table string) int {
	rest, ok := strings.CutPrefix(strings.ToLower(name), strings.ToLower(table)+"_ibfk_")
	if n, err := strconv.Atoi(rest); ok && err == nil {
		return n
	}
	return 0
}

// rename gives the table another name. Names of foreign keys that hold the
// table's name follow it.
func (d *draft) rename(n schema.Name) {
	for i, f := range d.foreign {
		if g := generatedNumber(f.name, d.name.Table); g > 0 {
			d.foreign[i].name = n.Table + "_ibfk_" + strconv.Itoa(g)
		}
		if f.parent == d.name {
			d.foreign[i].parent = n
		}
	}
	d.name = n
}

// settle does what the servers do at the end of every CREATE and ALTER: keys
// made for foreign keys go where another key covers them, keys get names,
// primary key columns are not null.
func (d *draft) settle() {
	d.dropCovered()
	for i := range d.keys {
		k := &d.keys[i]
		if k.kind == primaryKey {
			for _, p := range k.parts {
				if c := d.column(p.column); c >= 0 {
					d.columns[c].Nullable = false
				}
			}
		} else if k.name == "" {
			k.name = d.keyName(*k, d.keys[:i])
		}
		for j, p := range k.parts {
			if c := d.column(p.column); c >= 0 {
				k.parts[j] = part{d.columns[c].Name, wholePrefix(d.columns[c].Type, p.prefix), p.descending}
			}
		}
	}
	for _, p := range d.periods {
		for _, name := range []string{p.start, p.end} {
			if c := d.column(name); c >= 0 {
				d.columns[c].Nullable = false
			}
		}
	}
}

// wholePrefix returns 0 where a key part's prefix is the whole column.
func wholePrefix(t schema.Type, prefix int) int {
	switch t.Kind {
	case schema.Char, schema.VarChar, schema.Binary, schema.VarBinary:
		if prefix < t.Length {
			return prefix
		}
		return 0
	case schema.Text, schema.Blob, schema.JSON, schema.Geometry:
		return prefix
	default:
		return 0
	}
}

// keyName makes a key's name as the servers do: its first column's, with _2, _3
// and so on where that is taken by an earlier key.
func (d *draft) keyName(k key, earlier []key) string {
	base := "functional_index"
	if !slices.ContainsFunc(k.parts, func(p part) bool { return p.column == "" }) && len(k.parts) > 0 {
		base = k.parts[0].column
		if c := d.column(base); c >= 0 {
			base = d.columns[c].Name
		}
	}
	taken := func(name string) bool {
		return strings.EqualFold(name, "PRIMARY") ||
			slices.ContainsFunc(earlier, func(e key) bool { return strings.EqualFold(e.name, name) })
	}
	name := base
	for n := 2; taken(name); n++ {
		name = base + "_" + strconv.Itoa(n)
	}
	return name
}

// dropCovered drops keys made for foreign keys that are a prefix of another.
func (d *draft) dropCovered() {
	drop := make([]bool, len(d.keys))
	for i := range d.keys {
		for j := range i {
			goes, stays := j, i // of two made for foreign keys, the earlier goes
			if !d.keys[j].generated || d.keys[i].generated && len(d.keys[i].parts) < len(d.keys[j].parts) {
				goes, stays = i, j
			}
			if !drop[goes] && !drop[stays] && d.keys[goes].generated && covers(d.keys[stays], d.keys[goes]) {
				drop[goes] = true
			}
		}
	}
	var kept []key
	for i, k := range d.keys {
		if !drop[i] {
			kept = append(kept, k)
		}
	}
	d.keys = kept
}

// covers reports whether key k begins with the columns of g.
func covers(k, g key) bool {
	if k.kind == otherKey || len(g.parts) > len(k.parts) {
		return false
	}
	for i, p := range g.parts {
		if !strings.EqualFold(p.column, k.parts[i].column) || p.prefix != k.parts[i].prefix {
			return false
		}
	}
	return true
}

// table returns the shape of the draft, validated.
func (d *draft) table() (*schema.Table, error) {
	t := &schema.Table{Name: d.name, Columns: d.columns, ConstraintsKnown: d.known, Versioned: d.rowEnd != "", Unsupported: d.unsupported()}
	for _, k := range d.keys {
		if k.kind != primaryKey && k.kind != uniqueKey {
			continue
		}
		x, expression, err := d.index(k)
		if err != nil {
			return nil, err
		}
		switch {
		case expression: // listed as unsupported
		case k.kind == primaryKey:
			t.PrimaryKey = x.Columns
		default:
			t.Uniques = append(t.Uniques, x)
		}
	}
	t.Indexes, t.OtherIndexes = d.plainIndexes()
	for _, f := range d.foreign {
		if len(f.referenced) == 0 {
			t.Unsupported = append(t.Unsupported, "foreign key to "+f.parent.String()+", whose primary key is not known")
			continue
		}
		cols, err := d.ordinals(f.columns)
		if err != nil {
			return nil, err
		}
		t.ForeignKeys = append(t.ForeignKeys, schema.ForeignKey{Name: f.name, Columns: cols, Parent: f.parent,
			Referenced: f.referenced, OnDelete: f.onDelete, OnUpdate: f.onUpdate})
	}
	return t, t.Validate()
}

func (d *draft) ordinals(names []string) ([]int, error) {
	ords := make([]int, len(names))
	for i, n := range names {
		if ords[i] = d.column(n); ords[i] < 0 {
			return nil, fmt.Errorf("table %s has no column %s", d.name, n)
		}
	}
	return ords, nil
}

// index returns a key by ordinals. MariaDB adds the end of a row's time to every
// unique key of a table with system versioning, and a period's end and start to
// one without overlaps.
func (d *draft) index(k key) (schema.Index, bool, error) {
	x := schema.Index{Name: k.name}
	names := make([]string, 0, len(k.parts)+1)
	prefixes := make([]int, 0, len(k.parts)+1)
	for _, p := range k.parts {
		if p.column == "" {
			return x, true, nil
		}
		i := slices.IndexFunc(d.periods, func(q period) bool { return strings.EqualFold(q.name, p.column) })
		if k.overlaps && i >= 0 {
			names = append(names, d.periods[i].end, d.periods[i].start)
			prefixes = append(prefixes, 0, 0)
			continue
		}
		names = append(names, p.column)
		prefixes = append(prefixes, p.prefix)
	}
	if d.rowEnd != "" && !slices.ContainsFunc(names, func(n string) bool { return strings.EqualFold(n, d.rowEnd) }) {
		names = append(names, d.rowEnd)
		prefixes = append(prefixes, 0)
	}
	var err error
	x.Columns, err = d.ordinals(names)
	if slices.Max(append(prefixes, 0)) > 0 {
		x.Prefix = prefixes
	}
	return x, false, err
}

// unsupported lists what the shape cannot say.
func (d *draft) unsupported() []string {
	list := slices.Clone(d.notes)
	if d.sequence {
		list = append(list, DetailSequence)
	}
	for _, p := range d.periods {
		list = append(list, fmt.Sprintf("period %s (%s, %s)", p.name, p.start, p.end))
	}
	for _, k := range d.keys {
		switch {
		case k.overlaps:
			list = append(list, "unique key "+k.name+" without overlaps")
		case k.kind != uniqueKey && k.kind != primaryKey:
		case slices.ContainsFunc(k.parts, func(p part) bool { return p.column == "" }):
			list = append(list, "unique key "+k.name+" over an expression")
		}
	}
	return list
}
