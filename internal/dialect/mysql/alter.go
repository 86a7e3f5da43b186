package mysql

import (
	"fmt"
	"slices"
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// alterTable reads ALTER TABLE from after those words, and applies it.
func (p *parser) alterTable() ([]Effect, error) {
	p.accept("IF", "EXISTS")
	n, err := p.named()
	if err != nil {
		return nil, err
	}
	if p.acceptAny("WAIT", "NOWAIT") == "WAIT" {
		p.skip(1)
	}
	a := newAlteration(n)
	clauses, err := p.split(true)
	if err != nil {
		return nil, err
	}
	for _, c := range clauses {
		if c.end() && len(clauses) == 1 {
			break // ALTER TABLE t does nothing
		}
		last, err := p.clause(a, c)
		if err != nil {
			return nil, err
		}
		if last {
			break
		}
	}
	return p.alterWhose(a, "ALTER")
}

func newAlteration(n schema.Name) *alteration {
	return &alteration{table: n, renames: map[string]string{}, hidden: map[string]bool{}, unused: map[string]string{}}
}

// alter applies an alteration to the catalog. Where the known shape and the
// statement contradict each other, the shape is not known any more.
func (p *parser) alter(a *alteration) ([]Effect, error) {
	defs := make([]*definition, len(a.adds))
	for i, x := range a.adds {
		defs[i] = x.def
	}
	if err := p.cat.library.read(defs, p.st.SQLMode); err != nil {
		return nil, err
	}
	var effects []Effect
	for _, n := range []schema.Name{a.table, a.with} {
		if a.rows != "" && n.Table != "" {
			effects = append(effects, Effect{Kind: Unsupported, Table: n, Detail: a.rows})
		}
	}
	more, err := p.convertPartition(a)
	if err != nil {
		return nil, err
	}
	effects = append(effects, more...)
	if e := p.alterShape(a); e.Before == nil || e.After != e.Before || len(e.Rewrites) > 0 || a.to.Table == "" && a.rows == "" {
		effects = append(effects, e)
	}
	more, err = p.cat.children(a.table, a.table, func(f *foreign) bool { return renameAll(f.referenced, a.renames) })
	if err != nil {
		return nil, err
	}
	effects = append(effects, more...)
	if a.to.Table != "" && a.to != a.table {
		if more, err = p.cat.rename(a.table, a.to); err != nil {
			return nil, err
		}
		effects = append(effects, more...)
	}
	return effects, nil
}

// alterShape applies an alteration to the shape of its table.
func (p *parser) alterShape(a *alteration) Effect {
	e := Effect{Kind: Altered, Table: a.table, Before: p.cat.Table(a.table)}
	old := p.cat.tables[a.table]
	if old == nil {
		e.Detail = "the table was not known"
		e.Rewrites = p.rewrites(nil, a)
		e.Unsure = len(e.Rewrites) > 0
		return e
	}
	e.Rewrites = p.rewrites(old.draft, a)
	e.Unsure = len(e.Rewrites) > 0 && old.draft.recorded
	d := old.draft.clone()
	err := p.altered(d, a)
	if err == nil {
		e.After, err = p.cat.put(d)
	}
	if err != nil {
		e.Detail = err.Error()
		p.cat.forget(a.table)
	}
	return e
}

// altered changes a draft in the servers' order, which is not that of the
// clauses.
func (p *parser) altered(d *draft, a *alteration) error {
	if err := p.alterDefaults(d, a); err != nil {
		return err
	}
	if err := d.dropKeys(a); err != nil {
		return err
	}
	if err := p.alterColumns(d, a); err != nil {
		return err
	}
	for _, r := range a.indexes {
		if i := d.key(r[0]); i >= 0 {
			d.keys[i].name = r[1]
		}
	}
	for i, k := range d.keys {
		if unused, ok := a.unused[strings.ToLower(k.name)]; ok {
			d.keys[i].unused = unused
		}
	}
	for _, x := range a.adds {
		var err error
		switch {
		case x.void:
		case x.def.what == defColumn:
			err = p.addColumnKeys(d, x.def)
		default:
			err = p.addDefinition(d, x.def, nil)
		}
		if err != nil {
			return err
		}
	}
	switch {
	case a.version:
		d.version()
	case a.unversion:
		if d.rowEnd == "" {
			return fmt.Errorf("table %s was not known to have system versioning", d.name)
		}
		d.unversion()
	}
	d.settle()
	p.completeReferences(d)
	return nil
}

// dropKeys removes keys, foreign keys and periods.
func (d *draft) dropKeys(a *alteration) error {
	for _, x := range a.drops {
		i, k := d.foreignKey(x.name), d.key(x.name)
		switch x.what {
		case "COLUMN":
		case "PERIOD":
			d.periods = slices.DeleteFunc(d.periods, func(q period) bool { return strings.EqualFold(q.name, x.name) })
		case "FOREIGN", "CONSTRAINT":
			if i >= 0 {
				d.foreign = slices.Delete(d.foreign, i, i+1)
			} else if x.what == "FOREIGN" && !x.ifExists {
				return fmt.Errorf("table %s was not known to have a foreign key %s", d.name, x.name)
			} else if x.what == "CONSTRAINT" && k >= 0 {
				d.keys = slices.Delete(d.keys, k, k+1)
			}
		default: // a name that is not known is a key that is not unique
			if k >= 0 {
				d.keys = slices.Delete(d.keys, k, k+1)
			}
		}
	}
	return nil
}

// alterDefaults changes the table's default character set, and converts its
// columns where that is asked for.
func (p *parser) alterDefaults(d *draft, a *alteration) error {
	database := p.cat.databases[d.name.Schema]
	if o := a.options; o.charset != "" || o.collate != "" {
		base := d.defaults
		if strings.EqualFold(o.charset, "DEFAULT") {
			base = database
		}
		coll, err := p.resolve(o.charset, o.collate, base)
		if err != nil {
			return err
		}
		d.defaults = coll
	}
	if a.convert == nil {
		return nil
	}
	coll, err := p.resolve(a.convert.charset, a.convert.collate, database)
	if err != nil {
		return err
	}
	d.defaults = coll
	for i, c := range d.columns {
		if c.Type.Kind.Textual() || c.Type.Kind == schema.JSON && c.Type.Charset != "" {
			d.columns[i].Type = converted(c.Type, coll)
		}
	}
	return nil
}

// converted returns a text type under another collation. The binary character
// set makes it a binary type.
func converted(t schema.Type, coll collation) schema.Type {
	t.Charset, t.Collation = coll.charset, coll.name
	if coll.charset != "binary" || t.Kind == schema.Enum || t.Kind == schema.Set {
		return t
	}
	switch t.Kind {
	case schema.Char:
		return schema.Type{Kind: schema.Binary, Length: t.Length}
	case schema.VarChar:
		return schema.Type{Kind: schema.VarBinary, Length: t.Length}
	default:
		return schema.Type{Kind: schema.Blob}
	}
}

// alterColumns drops columns, replaces them in place, then inserts what is new
// or moved in the order of the clauses. Keys follow.
func (p *parser) alterColumns(d *draft, a *alteration) error {
	gone := map[string]bool{} // folded
	for _, x := range a.drops {
		if x.what != "COLUMN" {
			continue
		}
		if d.column(x.name) < 0 && !x.ifExists {
			return fmt.Errorf("table %s was not known to have a column %s", d.name, x.name)
		}
		gone[strings.ToLower(x.name)] = true
	}
	changes, err := d.changes(a, gone)
	if err != nil {
		return err
	}
	old := d.columns
	d.columns = nil
	for _, col := range old {
		folded := strings.ToLower(col.Name)
		x := changes[folded]
		switch {
		case gone[folded], x != nil && x.at != nil:
			continue
		case x != nil:
			if col, err = p.columnOf(x.def, d.defaults); err != nil {
				return err
			}
		default:
			if to, ok := a.renames[folded]; ok {
				col.Name = to
			}
			if hidden, ok := a.hidden[folded]; ok {
				col.Invisible = hidden
			}
		}
		d.columns = append(d.columns, col)
	}
	for _, x := range a.adds {
		if x.void || x.def.what != defColumn || x.old != "" && x.at == nil {
			continue
		}
		col, err := p.columnOf(x.def, d.defaults)
		if err != nil {
			return err
		}
		if err := d.insert(col, x.at); err != nil {
			return err
		}
	}
	d.followColumns(a, gone)
	return nil
}

// changes returns the columns that are defined anew, by folded old name. It
// voids what IF [NOT] EXISTS voids.
func (d *draft) changes(a *alteration, gone map[string]bool) (map[string]*addition, error) {
	m := map[string]*addition{}
	for _, x := range a.adds {
		if x.def.what != defColumn {
			continue
		}
		if x.old == "" {
			x.void = x.ifThem && d.column(x.def.name) >= 0 && !gone[strings.ToLower(x.def.name)]
			continue
		}
		if d.column(x.old) < 0 {
			if !x.ifThem {
				return nil, fmt.Errorf("table %s was not known to have a column %s", d.name, x.old)
			}
			x.void = true
			continue
		}
		m[strings.ToLower(x.old)] = x
	}
	for from := range a.renames {
		if m[from] == nil && d.column(from) < 0 {
			delete(a.renames, from) // RENAME COLUMN IF EXISTS
		}
	}
	return m, nil
}

// followColumns renames and drops columns in keys and periods.
func (d *draft) followColumns(a *alteration, gone map[string]bool) {
	renamed := func(name string) string {
		if to, ok := a.renames[strings.ToLower(name)]; ok {
			return to
		}
		return name
	}
	var kept []key
	for _, k := range d.keys {
		k.parts = slices.DeleteFunc(k.parts, func(q part) bool { return gone[strings.ToLower(q.column)] })
		for i := range k.parts {
			k.parts[i].column = renamed(k.parts[i].column)
		}
		if len(k.parts) > 0 {
			kept = append(kept, k)
		}
	}
	d.keys = kept
	for i := range d.foreign {
		renameAll(d.foreign[i].columns, a.renames)
		if d.foreign[i].parent == d.name {
			renameAll(d.foreign[i].referenced, a.renames)
		}
	}
	d.followSpecs(a, gone)
	for i, q := range d.periods {
		d.periods[i].start, d.periods[i].end = renamed(q.start), renamed(q.end)
	}
	d.rowStart, d.rowEnd = renamed(d.rowStart), renamed(d.rowEnd)
}

// renameAll replaces names of columns and reports whether there were any.
func renameAll(names []string, renames map[string]string) bool {
	changed := false
	for i, n := range names {
		if to, ok := renames[strings.ToLower(n)]; ok && to != n {
			names[i], changed = to, true
		}
	}
	return changed
}
