package mysql

import (
	"strings"

	"github.com/rowferry/rowferry/schema"
)

// dropTables reads DROP TABLE from after those words.
func (p *parser) dropTables() ([]Effect, error) {
	p.accept("IF", "EXISTS")
	var effects []Effect
	for {
		n, err := p.named()
		if err != nil {
			return nil, err
		}
		switch p.whose(n, "DROP") {
		case sessions:
			p.cat.temporaries.drop(p.st.ThreadID, n)
		case unsaid:
			effects = append(effects, undecided(n, "DROP")...)
		case tables:
			effects = append(effects, Effect{Kind: Dropped, Table: n, Before: p.cat.Table(n)})
		}
		if !p.acceptPunct(',') {
			break
		}
	}
	if !p.end() && p.acceptAny("RESTRICT", "CASCADE", "WAIT", "NOWAIT") == "" {
		return nil, syntaxError(p.cursor, "the end of the statement")
	}
	for _, e := range effects {
		p.cat.forget(e.Table)
	}
	if len(effects) == 0 {
		return one(Nothing), nil
	}
	return effects, nil
}

// renameTables reads RENAME TABLE from after those words. The renames happen
// one after the other, as the servers do them.
func (p *parser) renameTables() ([]Effect, error) {
	p.accept("IF", "EXISTS")
	type pair struct{ from, to schema.Name }
	var pairs []pair
	for {
		from, err := p.named()
		if err != nil {
			return nil, err
		}
		if w := p.acceptAny("WAIT", "NOWAIT"); w == "WAIT" {
			p.skip(1)
		}
		if !p.accept("TO") {
			return nil, syntaxError(p.cursor, "TO")
		}
		to, err := p.named()
		if err != nil {
			return nil, err
		}
		pairs = append(pairs, pair{from, to})
		if !p.acceptPunct(',') {
			break
		}
	}
	if !p.end() {
		return nil, syntaxError(p.cursor, "the end of the statement")
	}
	var effects []Effect
	for _, r := range pairs {
		if p.renamesTemporary(r.from, r.to) {
			continue
		}
		more, err := p.cat.rename(r.from, r.to)
		if err != nil {
			return nil, err
		}
		more[0].Unsure = p.cat.flavor == MariaDB && !p.cat.temporaries.complete
		effects = append(effects, more...)
	}
	if len(effects) == 0 {
		return one(Nothing), nil
	}
	return effects, nil
}

// rename moves a table, and the foreign keys that point to it.
func (c *Catalog) rename(from, to schema.Name) ([]Effect, error) {
	e := Effect{Kind: Renamed, Table: from, To: to, Before: c.Table(from)}
	c.forget(to)
	if old := c.tables[from]; old != nil {
		c.forget(from)
		d := old.draft.clone()
		d.rename(to)
		t, err := c.put(d)
		if err != nil {
			return nil, err
		}
		e.After = t
	}
	children, err := c.children(from, to, func(f *foreign) bool {
		f.parent = to
		return true
	})
	return append([]Effect{e}, children...), err
}

// children changes the foreign keys of other tables that point to a parent, and
// returns an effect per table that changed.
func (c *Catalog) children(parent, except schema.Name, change func(*foreign) bool) ([]Effect, error) {
	var effects []Effect
	for _, t := range c.Tables() {
		if t.Name == except {
			continue
		}
		d, changed := c.tables[t.Name].draft.clone(), false
		for i := range d.foreign {
			if d.foreign[i].parent == parent {
				changed = change(&d.foreign[i]) || changed
			}
		}
		if !changed {
			continue
		}
		after, err := c.put(d)
		if err != nil {
			return nil, err
		}
		effects = append(effects, Effect{Kind: Altered, Table: t.Name, Before: t, After: after, Detail: "foreign key follows " + parent.String()})
	}
	return effects, nil
}

// database reads CREATE, ALTER and DROP DATABASE from after those words. Of the
// first two only the default character set matters.
func (p *parser) database(verb string, replace bool) ([]Effect, error) {
	if verb != "CREATE" && verb != "ALTER" && verb != "DROP" {
		return p.unknown(verb, "DATABASE"), nil
	}
	ifNot := p.accept("IF", "NOT", "EXISTS")
	p.accept("IF", "EXISTS")
	name := p.db
	if verb != "ALTER" || !p.isDatabaseOption() {
		var err error
		if name, err = p.ident(); err != nil {
			return nil, err
		}
	}
	if verb == "DROP" {
		return p.cat.dropDatabase(name), nil
	}
	if _, seen := p.cat.databases[name]; ifNot && seen {
		return one(Nothing), nil
	}
	opts, err := p.tableOptions()
	if err != nil {
		return nil, err
	}
	defaults := collation{}
	switch {
	case verb == "ALTER":
		defaults = p.cat.databases[name]
	case p.st.ServerCollation != "":
		defaults, _ = collationOf(p.st.ServerCollation, "")
	}
	coll, err := p.resolve(opts.charset, opts.collate, defaults)
	if err != nil {
		return nil, err
	}
	effects := one(Nothing)
	if replace {
		effects = p.cat.dropDatabase(name)
	}
	p.cat.databases[name] = coll
	return effects, nil
}

func (p *parser) isDatabaseOption() bool {
	switch p.wordAt(0) {
	case "CHARACTER", "CHARSET", "COLLATE", "READ", "ENCRYPTION", "COMMENT":
		return true
	case "DEFAULT":
		return true
	default:
		return false
	}
}

func (c *Catalog) dropDatabase(name string) []Effect {
	var effects []Effect
	for _, t := range c.Tables() {
		if t.Name.Schema == name {
			effects = append(effects, Effect{Kind: Dropped, Table: t.Name, Before: t})
			c.forget(t.Name)
		}
	}
	delete(c.databases, name)
	return append(effects, Effect{Kind: DatabaseDropped, Table: schema.Name{Schema: name}})
}

// sequence reads statements on MariaDB's sequences. A sequence is a table of
// one row; the log has an insert for each of its changes.
func (p *parser) sequence(verb string) ([]Effect, error) {
	p.accept("IF", "NOT", "EXISTS")
	switch verb {
	case "DROP":
		return p.dropTables()
	case "ALTER":
		return one(Nothing), nil
	case "CREATE":
	default:
		return p.unknown(verb, "SEQUENCE"), nil
	}
	n, err := p.named()
	if err != nil {
		return nil, err
	}
	big := schema.Type{Kind: schema.Int, Bits: 64}
	d := &draft{name: n, sequence: true, known: true}
	for _, name := range strings.Fields("next_not_cached_value minimum_value maximum_value start_value increment cache_size cycle_option cycle_count") {
		d.columns = append(d.columns, schema.Column{Name: name, Type: big})
	}
	d.columns[5].Type.Unsigned = true
	d.columns[6].Type = schema.Type{Kind: schema.Int, Bits: 8, Unsigned: true}
	before := p.cat.Table(n)
	after, err := p.cat.put(d)
	return []Effect{{Kind: Created, Table: n, Before: before, After: after, Detail: DetailSequence}}, err
}
