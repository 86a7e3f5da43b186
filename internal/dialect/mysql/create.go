package mysql

import (
	"fmt"
	"strings"

	"github.com/pingcap/tidb/pkg/parser/ast"

	"github.com/rowferry/rowferry/schema"
)

// tableOptions is what matters of what follows a table's body.
type tableOptions struct {
	charset, collate string
	versioned        bool
	query            bool // a SELECT follows
}

// createTable reads CREATE TABLE from after those words.
func (p *parser) createTable(replace bool) ([]Effect, error) {
	ifNot := p.accept("IF", "NOT", "EXISTS")
	name, err := p.named()
	if err != nil {
		return nil, err
	}
	before := p.cat.Table(name)
	if ifNot && before != nil {
		return []Effect{{Kind: Nothing}}, nil
	}
	e := Effect{Kind: Created, Table: name, Before: before}
	if replace {
		e.Detail = DetailReplace
	}
	if ifNot && !p.st.DDLXID && !p.dump {
		e.Detail = DetailIfNotExists
		if p.cat.flavor == MySQL && p.cat.version >= 80000 {
			return []Effect{e}, nil // it did nothing, so the shape is another's
		}
	}
	if before != nil && !replace {
		p.cat.forget(name) // it was dropped where the log does not say so
		e.Before = nil
	}
	if p.isPunct(0, '(') && p.wordAt(1) == "LIKE" || p.wordAt(0) == "LIKE" {
		e.After, err = p.createLike(name)
		return []Effect{e}, err
	}
	d, opts, err := p.tableBody(name)
	if err != nil {
		return nil, err
	}
	if opts.query {
		p.cat.forget(name)
		e.Detail = DetailSelect
		return []Effect{e, {Kind: RowsChanged, Table: name, Detail: "CREATE … SELECT"}}, nil
	}
	if e.After, err = p.cat.put(d); err != nil {
		return nil, err
	}
	return []Effect{e}, nil
}

// createLike copies a shape: columns and keys, not foreign keys. The result is
// nil where the model is not known.
func (p *parser) createLike(name schema.Name) (*schema.Table, error) {
	paren := p.acceptPunct('(')
	p.take()
	model, err := p.tableName()
	if err != nil {
		return nil, err
	}
	if paren && !p.acceptPunct(')') || !p.end() {
		return nil, syntaxError(p.cursor, "the end of the statement")
	}
	from := p.cat.tables[model]
	if from == nil || p.whose(model, "CREATE") != tables {
		p.cat.forget(name)
		return nil, nil
	}
	d := from.draft.clone()
	d.name, d.foreign = name, nil
	return p.cat.put(d)
}

// tableBody reads the definitions and options of a new table. The draft means
// nothing where a query follows.
func (p *parser) tableBody(name schema.Name) (*draft, tableOptions, error) {
	var parts []*cursor
	var err error
	if p.isPunct(0, '(') && !isQuery(p.wordAt(1)) && !p.isPunct(1, '(') {
		p.take()
		if parts, err = p.split(false); err != nil {
			return nil, tableOptions{}, err
		}
	}
	opts, err := p.tableOptions()
	if err != nil || opts.query {
		return nil, opts, err
	}
	if parts == nil {
		return nil, opts, syntaxError(p.cursor, "columns")
	}
	d := &draft{name: name, known: true}
	if d.defaults, err = p.resolve(opts.charset, opts.collate, p.cat.databases[name.Schema]); err != nil {
		return nil, opts, err
	}
	defs, err := p.defineAll(parts)
	if err != nil {
		return nil, opts, err
	}
	for _, def := range defs {
		if err := p.addDefinition(d, def, nil); err != nil {
			return nil, opts, err
		}
	}
	if opts.versioned {
		d.version()
	}
	d.settle()
	p.completeReferences(d)
	return d, opts, nil
}

// defineAll reads definitions, and has the library read them.
func (p *parser) defineAll(parts []*cursor) ([]*definition, error) {
	defs := make([]*definition, len(parts))
	for i, part := range parts {
		var err error
		if defs[i], err = p.define(part); err != nil {
			return nil, err
		}
	}
	return defs, p.cat.library.read(defs, p.st.SQLMode)
}

func isQuery(word string) bool {
	switch word {
	case "SELECT", "WITH", "VALUES", "TABLE":
		return true
	default:
		return false
	}
}

// tableOptions reads what follows a body, or a clause of options in ALTER.
// Only character sets, system versioning and a query matter to a shape.
func (p *parser) tableOptions() (tableOptions, error) {
	var o tableOptions
	var err error
	for !p.end() && err == nil {
		switch w := p.wordAt(0); {
		case p.accept("CHARACTER", "SET"), p.accept("CHAR", "SET"), p.accept("CHARSET"):
			var s string
			s, err = p.optionValue()
			o.charset = foldCharset(s)
		case p.accept("COLLATE"):
			o.collate, err = p.optionValue()
		case p.accept("WITH", "SYSTEM", "VERSIONING"):
			o.versioned = true
		case isQuery(w), w == "AS", w == "IGNORE", w == "REPLACE":
			o.query = true
			return o, nil
		case p.isPunct(0, '('):
			if isQuery(p.wordAt(1)) || p.isPunct(1, '(') && isQuery(p.wordAt(2)) {
				o.query = true
				return o, nil
			}
			err = p.skipParens()
		case p.isPunct(0, '='): // whatever word the value is, it is no option
			p.skip(1)
			if !p.isPunct(0, '(') {
				p.skip(1)
			}
		case p.peek(0).kind == tokBad, p.isPunct(0, ')'):
			err = syntaxError(p.cursor, "table options")
		default:
			p.skip(1)
		}
	}
	return o, err
}

// position says where a column goes: at the end, first, or after another.
type position struct {
	first bool
	after string
}

// addDefinition adds what is defined to the draft, a column at a position.
func (p *parser) addDefinition(d *draft, def *definition, at *position) error {
	switch def.what {
	case defCheck:
		return nil
	case defPeriod:
		if strings.EqualFold(def.name, "SYSTEM_TIME") {
			d.rowStart, d.rowEnd = def.key.start, def.key.end
			return nil
		}
		d.periods = append(d.periods, period{def.name, def.key.start, def.key.end})
		return nil
	case defKey:
		return p.addKey(d, def)
	default:
		col, err := p.columnOf(def, d.defaults)
		if err != nil {
			return err
		}
		if err := d.insert(col, at); err != nil {
			return err
		}
		d.define(def)
		return p.addColumnKeys(d, def)
	}
}

// insert puts a column at a position.
func (d *draft) insert(col schema.Column, at *position) error {
	if d.column(col.Name) >= 0 {
		return fmt.Errorf("table %s has a column %s already", d.name, col.Name)
	}
	i := len(d.columns)
	if d.implicit {
		i -= 2 // the hidden columns of system versioning stay last
	}
	if at != nil && at.first {
		i = 0
	} else if at != nil && at.after != "" {
		if i = d.column(at.after) + 1; i == 0 {
			return fmt.Errorf("table %s has no column %s", d.name, at.after)
		}
	}
	d.columns = append(d.columns[:i:i], append([]schema.Column{col}, d.columns[i:]...)...)
	return nil
}

// addColumnKeys adds the keys that a column's own attributes make.
func (p *parser) addColumnKeys(d *draft, def *definition) error {
	parts := []part{{column: def.name}}
	for _, o := range def.col.Options {
		switch o.Tp {
		case ast.ColumnOptionPrimaryKey:
			d.keys = append(d.keys, key{name: "PRIMARY", kind: primaryKey, parts: parts})
		case ast.ColumnOptionUniqKey:
			d.keys = append(d.keys, key{kind: uniqueKey, parts: parts})
		case ast.ColumnOptionReference:
			if p.cat.honoursInline() {
				d.keys = append(d.keys, key{kind: plainKey, parts: parts, generated: true})
				d.addForeign(d.reference(o.Refer, []string{def.name}))
			}
		default: // makes no key
		}
	}
	return nil
}

// addKey adds a key that stands on its own.
func (p *parser) addKey(d *draft, def *definition) error {
	k := key{name: def.name, kind: def.key.kind, overlaps: def.key.overlaps, other: def.key.other, unused: def.key.unused}
	if k.name == "" && k.kind == uniqueKey {
		k.name = def.key.constraint
	}
	for _, ip := range def.cons.Keys {
		q := part{prefix: atLeast(ip.Length, 0), descending: ip.Desc}
		if ip.Column != nil {
			q.column = ip.Column.Name.O
		} else {
			q.prefix = 0
		}
		k.parts = append(k.parts, q)
	}
	switch k.kind {
	case foreignKey:
		if def.key.ifNotExists && def.key.constraint != "" && d.foreignKey(def.key.constraint) >= 0 {
			return nil
		}
		f := d.reference(def.cons.Refer, nil)
		f.name = def.key.constraint
		if f.name == "" && p.cat.flavor == MariaDB { // there the key's name is the constraint's too
			f.name = def.name
		}
		for _, q := range k.parts {
			f.columns = append(f.columns, q.column)
		}
		d.addForeign(f)
		k.kind, k.generated = plainKey, true
		if def.key.constraint != "" {
			k.name = def.key.constraint
		}
	case primaryKey:
		k.name = "PRIMARY"
	case plainKey, uniqueKey, otherKey: // as they stand
	}
	if def.key.ifNotExists && !k.generated && k.name != "" && d.key(k.name) >= 0 {
		return nil
	}
	d.keys = append(d.keys, k)
	return nil
}

// reference returns a foreign key of the draft's table.
func (d *draft) reference(r *ast.ReferenceDef, columns []string) foreign {
	f := foreign{columns: columns, parent: schema.Name{Schema: r.Table.Schema.O, Table: r.Table.Name.O},
		onDelete: action(r.OnDelete.ReferOpt), onUpdate: action(r.OnUpdate.ReferOpt)}
	if f.parent.Schema == "" {
		f.parent.Schema = d.name.Schema
	}
	for _, ip := range r.IndexPartSpecifications {
		if ip.Column != nil {
			f.referenced = append(f.referenced, ip.Column.Name.O)
		}
	}
	return f
}

func action(o ast.ReferOptionType) schema.Action {
	switch o {
	case ast.ReferOptionRestrict:
		return schema.Restrict
	case ast.ReferOptionCascade:
		return schema.Cascade
	case ast.ReferOptionSetNull:
		return schema.SetNull
	case ast.ReferOptionSetDefault:
		return schema.SetDefault
	default:
		return schema.NoAction
	}
}

// completeReferences fills in what MySQL takes where REFERENCES names no
// columns: the parent's primary key.
func (p *parser) completeReferences(d *draft) {
	for i, f := range d.foreign {
		if len(f.referenced) > 0 {
			continue
		}
		parent := d
		if f.parent != d.name {
			e := p.cat.tables[f.parent]
			if e == nil {
				continue
			}
			parent = e.draft
		}
		for _, k := range parent.keys {
			if k.kind == primaryKey {
				for _, q := range k.parts {
					d.foreign[i].referenced = append(d.foreign[i].referenced, q.column)
				}
			}
		}
	}
}
